"""The marketer's rules that hold for one request, as plugins see them: what may be shown, what is moved, what stands
where.

Rules are selected and compiled by the application (app/rules); `Context.rules` carries them to the plugins that apply
them: rule_filters, rule_boosts, rule_pins and rule_hold. The order is fixed: filter, boost and bury, pin by id, pin by
attribute, diversity; then pins that are hard take back their places.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np

from store.records import Floats, Ints, Mask

RULES_PROPOSE = ("rule_boosts", "rule_pins")
RULES_FIRST, RULES_LAST = "rule_pins", "rule_hold"
"""The plugins that take part in every placement, whatever its configuration names, and in searches."""
RULE_SCORE = "rule_boosts"


class Boost(NamedTuple):
    """One rule that moves what it names: up by a positive strength, down by a negative one."""

    rule: int
    """Place of the rule in its version; the application knows its name."""
    strength: float
    """-1..1; 1 counts as much as all scores of the placement together."""
    mask: Mask
    """What it names, [catalogue.size]."""
    brings: bool
    """Whether it also proposes what it names: it was written for this very placement."""


class Pin(NamedTuple):
    """One slot a rule asks for: for an item by its number, or for the best-ranked item of those it names."""

    rule: int
    slot: int
    """From 0."""
    item: int
    """-1 where the pin names items by an expression, or an id that the catalogue does not know."""
    mask: Mask | None
    """What it names, [catalogue.size]; None for a pin by id."""
    hard: bool
    """Keeps its slot whatever arranges the list afterwards, and brings its item in; a soft one does neither."""
    brings: bool
    item_id: str = ""


class Pins(tuple[Pin, ...]):
    """Every slot that is asked for, by id first, then by attribute; within each the higher priority first.

    What is asked of all of them at once is worked out once for all requests of which the same pins hold.
    """

    @cached_property
    def by_id(self) -> tuple[Pin, ...]:
        """Those by id, of items that the catalogue knows."""
        return tuple(pin for pin in self if pin.item >= 0)

    @cached_property
    def items(self) -> Ints:
        """The item of each of `by_id`."""
        return np.array([pin.item for pin in self.by_id], np.int32)

    @cached_property
    def brought(self) -> Ints:
        """The items by id that are brought in."""
        return np.array([pin.item for pin in self.by_id if pin.brings], np.int32)

    @cached_property
    def by_expression(self) -> tuple[Pin, ...]:
        return tuple(pin for pin in self if pin.mask is not None)


NO_PINS = Pins()


class Placed(NamedTuple):
    """Where a pin put an item."""

    pin: Pin
    slot: int


@dataclass(eq=False, slots=True)
class Ruling:
    """The rules of one request. All but `placed` is given; `placed` is noted by whoever pins."""

    version: str = ""
    """Such as "r42"; empty where nothing was published."""
    problem: str = ""
    """Why the rules cannot be asked: then nothing is sure to pass them."""
    kept: Mask | None = None
    """What the filters let through, [catalogue.size]; None without filters."""
    boosts: tuple[Boost, ...] = ()
    boosted: Floats | None = None
    """What further boosts add up to, by item, [catalogue.size]; None where there are no more."""
    brought: tuple[Boost, ...] = ()
    """Those of the further ones that propose what they name."""
    pins: Pins = NO_PINS
    selected: int = 0
    """The rules that hold, a bit for each place in the version."""
    token: Hashable = None
    """The rule set's own: with the place of a rule it names the rule for as long as the node runs."""
    filter_key: Hashable = None
    """Equal for requests for which the same filters hold; None without filters."""
    placed: dict[int, Placed] = field(default_factory=dict)
    """Item number -> where its pin put it."""

    def strength(self, items: Ints) -> Floats | None:
        """What the boosts add up to for these items, within -1..1; None where no rule boosts anything."""
        if not self.boosts:
            return None if self.boosted is None else self.boosted.take(items)
        at = items.astype(np.intp)  # once, and not in every take
        named = np.empty((len(self.boosts), len(items)), np.bool_)
        for place, boost in enumerate(self.boosts):
            boost.mask.take(at, out=named[place], mode="clip")
        strengths = np.array([boost.strength for boost in self.boosts], np.float32)
        total: Floats = strengths @ named.astype(np.float32)
        if self.boosted is not None:
            total += self.boosted.take(at)
        return np.minimum(np.maximum(total, -1, out=total), 1, out=total)

    def held(self) -> frozenset[int]:
        """The items that hard pins have placed."""
        if not self.placed:
            return frozenset()
        return frozenset(item for item, placed in self.placed.items() if placed.pin.hard)


def in_slots(order: list[int], slots: dict[int, int]) -> list[int]:
    """`order` with some of its entries in slots of their own (slot -> entry), the others around them as they were.

    A slot behind the list's end is its end.
    """
    placed = set(slots.values())
    rest = iter([entry for entry in order if entry not in placed])
    found: list[int] = []
    for slot in sorted(slots):
        while len(found) < slot:
            following = next(rest, None)
            if following is None:
                break
            found.append(following)
        found.append(slots[slot])
    return [*found, *rest]
