"""The demo shop's cart: it lies in the visitor's own cookie, the server keeps none."""

from __future__ import annotations

import re
from collections.abc import Mapping

LINES_AT_MOST = 20
QUANTITY_AT_MOST = 9
_LINE = re.compile(r"([A-Za-z0-9_-]{1,64})\.([1-9])")


def read_basket(cookie: str) -> dict[str, int]:
    """Item id -> quantity, oldest first. What is not a line of a cart is left out: anyone can write a cookie."""
    lines = (_LINE.fullmatch(part) for part in cookie.split("~")[:LINES_AT_MOST])
    return {line[1]: int(line[2]) for line in lines if line}


def write_basket(lines: Mapping[str, int]) -> str:
    return "~".join(f"{item}.{quantity}" for item, quantity in lines.items())


def changed_basket(lines: Mapping[str, int], item: str, quantity: int) -> dict[str, int]:
    """The cart with `quantity` more of an item; a negative number takes the line out. Bounds hold."""
    changed = dict(lines)
    if quantity < 0:
        changed.pop(item, None)
    elif quantity and (item in changed or len(changed) < LINES_AT_MOST):
        changed[item] = min(QUANTITY_AT_MOST, changed.get(item, 0) + quantity)
    return changed
