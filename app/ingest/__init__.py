"""The way of an event: from a body nobody trusts to features the next request sees."""
