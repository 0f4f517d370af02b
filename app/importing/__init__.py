"""Loads a shop's past from the files it has, described by a mapping file; no code per source."""
