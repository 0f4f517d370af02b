"""Leaves sensitive products out of what is known of a visitor, also where it was learned before they were listed."""

from __future__ import annotations

from dataclasses import replace

from plugins.contract import Visitor
from store import loops
from store.catalogue import Catalogue
from store.records import Ints, Mask


def without_sensitive(visitor: Visitor, catalogue: Catalogue) -> Visitor:
    """The visitor as one who never met a sensitive item."""
    sensitive = catalogue.sensitive
    unspoken = visitor.affinities.keys() & catalogue.unspoken_keys
    met = (visitor.viewed, visitor.history, visitor.bought)
    if not unspoken and not any(len(items) and loops.any_of(sensitive, items) for items in met):
        return visitor
    viewed, history, bought = (_clear(items, sensitive) for items in met)
    return replace(
        visitor,
        viewed=visitor.viewed[viewed],
        history=visitor.history[history],
        weights=visitor.weights[history],
        seen_at=visitor.seen_at[history],
        bought=visitor.bought[bought],
        bought_times=visitor.bought_times[bought],
        bought_ago=visitor.bought_ago[bought],
        affinities={key: weight for key, weight in visitor.affinities.items() if key not in unspoken},
    )


def _clear(items: Ints, sensitive: Mask) -> Mask:
    """Which of these items may be known, [len(items)]; numbers the catalogue never gave may."""
    known = items < len(sensitive)
    if known.all():
        return ~sensitive.take(items) if len(items) else known
    clear = ~known
    clear[known] = ~sensitive.take(items[known])
    return clear
