"""What marketers do with rules: draft them, look at what they would do, publish, go back, see what came of it."""
