"""What stands between anything personal and any use of it."""
