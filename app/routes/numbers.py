"""Whole numbers in URLs, headers and forms: anybody may have typed them."""

from __future__ import annotations

LONGEST = 15


def whole(text: str) -> int | None:
    """The number a text is; None for anything else, such as digits of other scripts or thousands of them."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= LONGEST else None
