"""Trying things out on the shop's visitors: who is in which arm, what they did, and what may be concluded."""
