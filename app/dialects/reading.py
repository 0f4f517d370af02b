"""Small questions to JSON of which nothing is sure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

Json = Mapping[str, Any]
NOTHING: Json = {}


def table(value: object) -> Json:
    """An object's members; none where it is no object."""
    return value if isinstance(value, Mapping) else NOTHING


def tables(value: object) -> list[Json]:
    """The objects of an array."""
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def word(value: object) -> str:
    """Text or a number as text; "" for anything else."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def number(value: object) -> float | None:
    """A number, also one written as text."""
    try:
        return float(word(value))
    except ValueError:
        return None


def milliseconds(value: object) -> int | None:
    """A time as RFC 3339 text, as epoch milliseconds or as epoch seconds."""
    told = number(value)
    if told is not None:
        return int(told if told > 1e11 else told * 1000) if abs(told) < 1e15 else None
    try:
        when = datetime.fromisoformat(word(value))
    except ValueError:
        return None
    return int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() * 1000)


def digest(kind: str, text: bytes) -> str:
    """An id for what has none: the same whenever the same is sent again."""
    return f"{kind}-{hashlib.blake2b(text, digest_size=12).hexdigest()}"


def without_gaps(told: Mapping[str, object]) -> dict[str, object]:
    """The members that say something."""
    return {name: value for name, value in told.items() if value not in (None, "", [], {})}


def line(ids: list[object], quantity: object = None, price: object = None) -> dict[str, object]:
    """A line of `params.items` by the ids it may be known under, the likeliest first."""
    names = list(dict.fromkeys(text for each in ids if (text := word(each))))
    return without_gaps({
        "item_id": names[0] if names else "", "also": names[1:4], "quantity": number(quantity), "price": number(price),
    })  # fmt: skip
