"""Tests, each module about one part of the product; a package, as site-packages may hold one of this name too."""
