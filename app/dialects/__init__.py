"""What other vendors' clients send, told in the names and shapes of our own events."""
