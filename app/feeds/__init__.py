"""Reads a shop's catalogue from the files it has already: Google Merchant, Shopify, WooCommerce, JSON-LD, its own."""
