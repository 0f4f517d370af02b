"""The people who operate the node: how they sign in, for how long, and what they may do."""
