"""The marketer's rules: what one says, when it holds, and how a request finds those that hold for it."""
