"""What a set of rules that hold together comes to: kept for the next request of which the same rules hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from app.filters.masks import Filter
from app.rules.columns import Columns
from app.rules.compiled import Ready
from app.rules.index import places
from plugins.ruling import NO_PINS, Boost, Pin, Pins, Ruling
from store.catalogue import Catalogue

FEW = 8
"""So many broad boosts are sooner asked one by one than added up over the whole catalogue."""


@dataclass(eq=False)
class Selection:
    """Some rules of one version, laid out for the plugins."""

    version: str
    token: object
    """The rule set's own: no two sets have the same, drafts included."""
    bits: int
    filters: tuple[Ready, ...] = ()
    boosts: tuple[Ready, ...] = ()
    """Those that are asked one by one."""
    summed: tuple[Ready, ...] = ()
    """Broad ones that are many: added up once for all requests that they hold for."""
    pins: tuple[Ready, ...] = ()
    is_open: bool = True
    _pinned: Pins = NO_PINS
    _pinned_at: int = field(default=-1)
    """The catalogue's version in which the ids of pins were looked up; -1: never."""

    def __post_init__(self) -> None:
        self._filter_key = (self.token, "filters", _bits(self.filters)) if self.filters else None
        self._sum_key = (self.token, "sum", _bits(self.summed))
        self._named = _named(self.filters)
        self._summing = [(one.strength, one.named) for one in self.summed if one.named is not None]
        self._by_expression = any(one.named is not None for one in self.pins)
        self._bringing = [(one, self._brings(one)) for one in self.boosts]
        self._bringing_too = [one for one in self.summed if self._brings(one)]

    def ruling(self, catalogue: Catalogue, columns: Columns) -> Ruling:
        """For one request."""
        kept = boosted = None
        if self.filters:
            kept = columns.all_of(self._filter_key, self._named)
        if self.summed:
            boosted = columns.sum_of(self._sum_key, self._summing)
        boosts = tuple(
            Boost(one.place, one.strength, columns.mask(one.named), brings)
            for one, brings in self._bringing if one.named is not None
        )  # fmt: skip
        brought = tuple(
            Boost(one.place, one.strength, columns.mask(one.named), True)
            for one in self._bringing_too if one.named is not None
        )  # fmt: skip
        return Ruling(
            self.version, "", kept, boosts, boosted, brought, self._pins(catalogue, columns), self.bits, self.token,
            self._filter_key,
        )  # fmt: skip

    def _brings(self, ready: Ready) -> bool:
        """Whether a rule proposes what it names: where it was written for this very placement, and a hard pin wherever
        lists are not of what one has viewed or bought."""
        then, named = ready.rule.then, bool(ready.rule.when.placements)
        if then.do == "pin":
            return then.hard and (named or self.is_open)
        return then.do == "boost" and named

    def _pins(self, catalogue: Catalogue, columns: Columns) -> Pins:
        if not self.pins:
            return NO_PINS
        if not self._by_expression and self._pinned_at == catalogue.version:
            return self._pinned
        by_id = [pin for one in self.pins if one.named is None for pin in self._by_id(one, catalogue)]
        by_attribute = [pin for one in self.pins if one.named is not None for pin in self._by_attribute(one, columns)]
        self._pinned, self._pinned_at = Pins((*by_id, *by_attribute)), catalogue.version
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
    boosts = [one for one in held if one.rule.then.do in ("boost", "bury")]
    broad = [one for one in boosts if one.broad]
    summed = broad if len(broad) > FEW else []
    return Selection(
        version, token, bits, tuple(one for one in held if one.rule.then.do == "filter"),
        tuple(one for one in boosts if not (summed and one.broad)), tuple(summed),
        tuple(one for one in held if one.rule.then.do == "pin"), is_open,
    )  # fmt: skip


def _bits(rules: Sequence[Ready]) -> int:
    return sum(1 << one.place for one in rules)


def _named(rules: Sequence[Ready]) -> list[Filter]:
    return [one.named for one in rules if one.named is not None]
