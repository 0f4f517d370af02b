"""The key in an `Authorization: Bearer …` header."""

from __future__ import annotations


def bearer(authorization: str) -> str:
    """The key, whatever it is worth; empty where the header holds none."""
    scheme, _, text = authorization.partition(" ")
    return text.strip() if scheme.lower() == "bearer" else ""
