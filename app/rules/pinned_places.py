"""What stands at the places that pins ask for, whether their rules hold or an experiment has switched them off: so that
"pinned or automatic: which did better?" compares the same places of the same lists."""

from __future__ import annotations

from collections.abc import Sequence

from app.rules.compiled import Ready
from plugins.ruling import Pins

ITEMS_AT_MOST = 24
"""In one list's token, of all its pins together; those behind are not compared."""
Places = tuple[tuple[int, tuple[int, ...]], ...]
"""Number of a pin rule (app/rules/model.py) and the items that stand at its places."""


def places_of(pins: Pins, rules: Sequence[Ready], items: Sequence[int]) -> Places:
    """The items at the places of each rule's pins. `items`: the list as it is shown. Of two rules that want one place
    the first has it."""
    found: dict[int, list[int]] = {}
    taken: set[int] = set()
    for pin in pins:
        if pin.slot < len(items) and pin.slot not in taken and len(taken) < ITEMS_AT_MOST:
            taken.add(pin.slot)
            found.setdefault(pin.rule, []).append(items[pin.slot])
    return tuple((rules[place].number, tuple(at)) for place, at in found.items())
