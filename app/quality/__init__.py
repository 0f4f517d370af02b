"""Measures what the product recommends and finds on real data, over HTTP, against a static shop in the same run."""
