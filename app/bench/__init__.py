"""The benchmark world, and what is measured in it (`make bench`)."""
