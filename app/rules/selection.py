"""What a set of rules that hold together comes to: kept for the next request of which the same rules hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from app.rules.columns import Columns
from app.rules.compiled import Ready
from app.rules.index import places
from app.serving.filters import Filter
from plugins.ruling import Boost, Pin, Ruling
from store.catalogue import Catalogue

FEW = 8
"""So many boosts are sooner asked one by one than added up over the whole catalogue."""


@dataclass(eq=False)
class Selection:
    """Some rules of one version, laid out for the plugins."""

    version: str
    token: object
    """The rule set's own: no two sets have the same, drafts included."""
    bits: int
    filters: tuple[Filter, ...] = ()
    boosts: tuple[Ready, ...] = ()
    pins: tuple[Ready, ...] = ()
    is_open: bool = True
    _pinned: tuple[Pin, ...] = ()
    _pinned_at: int = field(default=-1)
    """The catalogue's version in which the ids of pins were looked up; -1: never."""

    def ruling(self, catalogue: Catalogue, columns: Columns) -> Ruling:
        """For one request."""
        key = (self.token, self.bits)
        kept = boosted = None
        if len(self.filters) == 1:
            kept = columns.mask(self.filters[0])
        elif self.filters:
            kept = columns.all_of(key, self.filters)
        if len(self.boosts) > FEW:
            boosted = columns.sum_of(key, [(one.strength, one.named) for one in self.boosts if one.named is not None])
        # Those that bring something in are asked for it one by one, also where the sum is at hand.
        asked = [one for one in self.boosts if boosted is None or self._brings(one)]
        boosts = tuple(
            Boost(one.place, one.strength, columns.mask(one.named), self._brings(one))
            for one in asked if one.named is not None
        )  # fmt: skip
        return Ruling(self.version, "", kept, boosts, boosted, self._pins(catalogue, columns), self.bits, key)

    def _brings(self, ready: Ready) -> bool:
        """Whether a rule proposes what it names: where it was written for this very placement, and a hard pin wherever
        lists are not of what one has viewed or bought."""
        then, named = ready.rule.then, bool(ready.rule.when.placements)
        if then.do == "pin":
            return then.hard and (named or self.is_open)
        return then.do == "boost" and named

    def _pins(self, catalogue: Catalogue, columns: Columns) -> tuple[Pin, ...]:
        if not self.pins:
            return ()
        by_expression = any(one.named is not None for one in self.pins)
        if not by_expression and self._pinned_at == catalogue.version:
            return self._pinned
        by_id = [pin for one in self.pins if one.named is None for pin in self._by_id(one, catalogue)]
        by_attribute = [pin for one in self.pins if one.named is not None for pin in self._by_attribute(one, columns)]
        self._pinned, self._pinned_at = (*by_id, *by_attribute), catalogue.version
        return self._pinned

    def _by_id(self, ready: Ready, catalogue: Catalogue) -> list[Pin]:
        then, first = ready.rule.then, ready.rule.then.position - 1
        numbers = ((place, item, catalogue.number(item)) for place, item in enumerate(then.items))
        return [
            Pin(
                ready.place, first + place, -1 if number is None else number, None, then.hard, self._brings(ready), item
            )
            for place, item, number in numbers
        ]

    def _by_attribute(self, ready: Ready, columns: Columns) -> list[Pin]:
        then = ready.rule.then
        assert ready.named is not None
        mask, brings = columns.mask(ready.named), self._brings(ready)
        return [Pin(ready.place, then.position - 1 + nth, -1, mask, then.hard, brings) for nth in range(then.count)]


def selection_of(version: str, token: object, rules: Sequence[Ready], bits: int, *, is_open: bool) -> Selection:
    """The rules of these bits, in the order in which they have their way."""
    held = [rules[place] for place in places(bits)]
    return Selection(
        version, token, bits,
        tuple(one.named for one in held if one.rule.then.do == "filter" and one.named is not None),
        tuple(one for one in held if one.rule.then.do in ("boost", "bury")),
        tuple(one for one in held if one.rule.then.do == "pin"),
        is_open,
    )  # fmt: skip
