"""What is remembered of a visitor instead of what they did: decayed fondness for kinds of things, and recent items."""
