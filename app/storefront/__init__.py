"""The demo shop's pages: what a shop would write itself, in front of the same node that anyone's shop would ask."""
