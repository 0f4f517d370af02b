"""Looks at a set of rules as a whole: what each one's state is, which of them contradict each other, and which filters
leave too little. Nothing is changed by it: rules that contradict each other are shown, never silently cancelled."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, islice
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from app.merchandising.overlap import covers, together
from app.rules.columns import Columns
from app.rules.compiled import Ready, make_ready
from app.rules.model import Rule, in_order
from app.suggestion import suggest
from store.catalogue import Catalogue
from store.records import Mask

Status = Literal["active", "scheduled", "expired", "disabled", "shadowed", "matches nothing"]
PAIRS_AT_MOST = 50_000
CONFLICTS_AT_MOST = 200
SHOWN = 5
LOOKS = 3
BYTES = 64 << 20


class State(msgspec.Struct, frozen=True, omit_defaults=True):
    """What has become of one rule."""

    status: Status
    because: str = ""
    warnings: list[str] = []


class Conflict(msgspec.Struct, frozen=True):
    """Two rules that can hold together and do not agree."""

    kind: Literal["same slot", "filter hides pin", "filter hides boost", "boost and bury", "filters leave nothing"]
    rules: list[str]
    detail: str


class Starving(msgspec.Struct, frozen=True):
    """A filter that leaves less than a list is long."""

    rule: str
    left: int
    limit: int
    detail: str


class Analysis(msgspec.Struct, frozen=True):
    """Everything there is to say about a set of rules."""

    states: dict[str, State]
    conflicts: list[Conflict]
    starving: list[Starving]


@dataclass(frozen=True)
class World:
    """What rules are held against."""

    catalogue: Catalogue
    zone: ZoneInfo
    now: float
    limits: Mapping[str, int]
    """Placement -> how long its lists are."""
    regions: Collection[str] = ()
    """Those that requests have named; empty: not known."""
    experiments: Mapping[str, Collection[str]] | None = None
    """Experiment -> its arms; None: not known."""
    segments: Collection[str] | None = None
    """Keys of those that were learned; None: not known."""


def analyse(rules: Sequence[Rule], world: World) -> Analysis:
    """The whole picture. May be run in a thread: should the catalogue change under it, it looks again."""
    for _ in range(LOOKS):
        # Columns of two lengths, or a dictionary that grew.
        with contextlib.suppress(ValueError, IndexError, RuntimeError):
            return _analyse(rules, world)
    return _analyse(rules, world)


def _analyse(rules: Sequence[Rule], world: World) -> Analysis:
    ready = [make_ready(rule, world.zone, place) for place, rule in enumerate(in_order(list(rules)))]
    look = _Look(ready, world)
    states = {one.rule.id: look.state(one) for one in ready}
    return Analysis(states, list(islice(look.conflicts(), CONFLICTS_AT_MOST)), list(look.starving()))


class _Look:
    def __init__(self, ready: Sequence[Ready], world: World) -> None:
        self.world = world
        self.columns = Columns(world.catalogue, BYTES)
        self.servable = world.catalogue.servable.copy()
        self.on = [one for one in ready if one.rule.enabled and not self._ended(one)]
        self.filters = [one for one in self.on if one.rule.then.do == "filter"]
        self.counted: dict[str, int] = {}

    # ---- one rule

    def state(self, ready: Ready) -> State:
        warnings = list(self._warnings(ready))
        if not ready.rule.enabled:
            return State("disabled", warnings=warnings)
        if self._ended(ready):
            return State("expired", f"it ended {ready.rule.when.schedule.ends}", warnings)
        if ready.times is not None and not ready.times.holds(self.world.now):
            begins = ready.rule.when.schedule.starts
            because = f"it begins {begins}" if self.world.now < ready.times.starts else "not at this day or hour"
            return State("scheduled", because, warnings)
        if not self._names(ready):
            return State("matches nothing", "no item that may be shown is named by it", warnings)
        shadow = self._shadow(ready)
        return State("shadowed", shadow, warnings) if shadow else State("active", warnings=warnings)

    def _ended(self, ready: Ready) -> bool:
        return ready.times is not None and ready.times.ends <= self.world.now

    def _warnings(self, ready: Ready) -> Iterator[str]:
        catalogue, then = self.world.catalogue, ready.rule.then
        unknown = [item for item in then.items if catalogue.number(item) is None]
        numbers = [(item, catalogue.number(item)) for item in then.items]
        out = [item for item, number in numbers if number is not None and not self.servable[number]]
        if unknown:
            yield f"the catalogue does not know {_few(unknown)}"
        if out:
            yield f"sold out or hidden, so skipped: {_few(out)}"
        seen = {region.casefold() for region in self.world.regions}
        unseen = [region for region in ready.rule.when.regions if region.casefold() not in seen] if seen else []
        if unseen:
            known = ", ".join(sorted(self.world.regions)[:10])
            yield f"no request since the start came from region {_few(unseen)}; they came from {known}"
        yield from self._unknown_arms(ready.rule.when.arms)
        segments = self.world.segments
        for segment in ready.rule.when.segments if segments is not None else ():
            if segment not in (segments or ()):
                yield f"the serving generation has no segment '{segment}'{suggest(segment, segments or ())}"

    def _unknown_arms(self, named: Mapping[str, str]) -> Iterator[str]:
        experiments = self.world.experiments
        for experiment, arm in named.items() if experiments is not None else ():
            arms = (experiments or {}).get(experiment)
            if arms is None:
                yield f"there is no experiment '{experiment}'{suggest(experiment, experiments or ())}"
            elif arm not in arms:
                yield f"the experiment '{experiment}' has no arm '{arm}'{suggest(arm, arms)}"

    def _names(self, ready: Ready) -> int:
        """How many items that may be shown a rule names."""
        key = ready.rule.id
        if key not in self.counted:
            self.counted[key] = int(np.count_nonzero(self._mask(ready)))
        return self.counted[key]

    def _mask(self, ready: Ready) -> Mask:
        if ready.named is not None:
            return self.columns.mask(ready.named) & self.servable
        mask = np.zeros(len(self.servable), np.bool_)
        mask[
            [number for item in ready.rule.then.items if (number := self.world.catalogue.number(item)) is not None]
        ] = 1
        return mask & self.servable

    def _shadow(self, ready: Ready) -> str:
        """Why a rule can have no effect where it holds; empty where it can."""
        for other in self.filters:
            if other is not ready and covers(other, ready):
                mask, allowed = self._mask(ready), self._mask(other)
                if ready.rule.then.do != "filter" and not (mask & allowed).any():
                    return f"the filter '{other.rule.id}' shows none of what it names"
                tighter = not (allowed & ~mask).any()
                if (
                    ready.rule.then.do == "filter"
                    and tighter
                    and (not covers(ready, other) or other.place < ready.place)
                ):
                    return f"the filter '{other.rule.id}' lets through no more than it does"
        if ready.rule.then.do == "pin" and ready.rule.then.items:
            for other in self.on:
                if other.place < ready.place and other.rule.then.do == "pin" and covers(other, ready) and (
                    {*ready.rule.then.items} <= {*other.rule.then.items}
                ):  # fmt: skip
                    return f"'{other.rule.id}' pins the same items before it"
        return ""

    # ---- two rules

    def conflicts(self) -> Iterator[Conflict]:
        for one, other in islice(self._pairs(), PAIRS_AT_MOST):
            if together(one, other):
                found = self._conflict(one, other)
                if found is not None:
                    yield found

    def _pairs(self) -> Iterator[tuple[Ready, Ready]]:
        """Those that could contradict each other by what they do."""
        pins, boosts, buries = ([one for one in self.on if one.rule.then.do == do] for do in ("pin", "boost", "bury"))
        yield from _sharing_a_slot(pins)
        for place, one in enumerate(self.filters):
            yield from ((one, other) for other in [*self.filters[place + 1 :], *pins, *boosts])
        yield from ((one, other) for one in boosts for other in buries)

    def _conflict(self, one: Ready, other: Ready) -> Conflict | None:
        pair, kinds = [one.rule.id, other.rule.id], (one.rule.then.do, other.rule.then.do)
        if kinds == ("pin", "pin"):
            slot = min(_slots(one) & _slots(other)) + 1
            detail = f"both pin to position {slot}: '{pair[0]}' has it, the other takes the next free one"
            return Conflict("same slot", pair, detail)
        mine, theirs = self._mask(one), self._mask(other)
        both = int(np.count_nonzero(mine & theirs))
        if kinds == ("boost", "bury"):
            said = f"{both} items are promoted by one and buried by the other: the strengths are added up"
            return Conflict("boost and bury", pair, said) if both else None
        if kinds == ("filter", "filter"):
            said = "no item passes both filters: where both hold, nothing is shown"
            return None if both else Conflict("filters leave nothing", pair, said)
        hidden = self._names(other) - both
        if not hidden:
            return None
        if kinds[1] == "pin" and (other.named is None or not both):
            return Conflict("filter hides pin", pair, f"{hidden} of the pinned items do not pass the filter")
        if kinds[1] == "boost" and not both:
            return Conflict("filter hides boost", pair, "none of the promoted items passes the filter")
        return None

    def starving(self) -> Iterator[Starving]:
        for one in self.filters:
            names = one.rule.when.placements or list(self.world.limits)
            limit, placement = max(((self.world.limits.get(name, 0), name) for name in names), default=(0, ""))
            others = [other for other in self.filters if other is not one and covers(other, one)]
            mask = self._mask(one)
            for other in others:
                mask = mask & self._mask(other)
            region = one.rule.when.regions[0] if len(one.rule.when.regions) == 1 else ""
            if region:
                mask = mask & self.world.catalogue.in_region(region)[: len(mask)]
            left = int(np.count_nonzero(mask))
            if left < limit:
                beside = f" together with {_few([other.rule.id for other in others])}" if others else ""
                detail = f"{left} items pass it{beside}; a list of '{placement}' has {limit}"
                yield Starving(one.rule.id, left, limit, detail)


def _sharing_a_slot(pins: Sequence[Ready]) -> Iterator[tuple[Ready, Ready]]:
    by_slot: dict[int, list[Ready]] = {}
    for pin in pins:
        for slot in _slots(pin):
            by_slot.setdefault(slot, []).append(pin)
    told: set[tuple[int, int]] = set()
    for sharing in by_slot.values():
        for one, other in combinations(sharing, 2):
            if (one.place, other.place) not in told:
                told.add((one.place, other.place))
                yield one, other


def _slots(ready: Ready) -> set[int]:
    then = ready.rule.then
    return set(range(then.position - 1, then.position - 1 + (len(then.items) or then.count)))


def _few(names: Sequence[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(f"'{name}'" for name in names[:SHOWN]) + (f" and {more} more" if more > 0 else "")
