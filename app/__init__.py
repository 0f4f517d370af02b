"""personalize: a real-time personalization server for shops that forgets."""

__version__ = "0.1.0"
