"""Writes an amount of money the way shoppers of most shops read it."""

from __future__ import annotations

SIGNS = {"EUR": "€", "GBP": "£", "USD": "US$"}


def money(amount: float, currency: str) -> str:
    """`€1,234.50`, as Intl.NumberFormat writes it for en-IE; a currency without a sign of its own by its code."""
    sign = SIGNS.get(currency, f"{currency}\N{NO-BREAK SPACE}")
    return f"{sign}{amount:,.2f}"
