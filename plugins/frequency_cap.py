"""Stop showing what the visitor has been shown often in this visit and has not touched."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Protocol

import numpy as np
from msgspec import Meta

from plugins.contract import NO_ITEMS, Candidates, Context, Ints, Mask, hookimpl
from store.records import LoggedEvent

TOUCHES = frozenset({"view_item", "select_item", "add_to_cart", "add_to_wishlist", "purchase"})


class _Clock(Protocol):
    def now(self) -> float: ...


class _Node(Protocol):
    @property
    def clock(self) -> _Clock: ...


class _Visit:
    __slots__ = ("capped", "seen", "shown")

    def __init__(self) -> None:
        self.seen = 0.0
        self.shown: dict[int, int] = {}
        self.capped: Ints = NO_ITEMS


class _Visits:
    """Counts by visit, longest idle first."""

    def __init__(self) -> None:
        self.by_visit: OrderedDict[int, _Visit] = OrderedDict()

    def touch(self, visit: int, now: float, at_most: int) -> _Visit:
        found = self.by_visit.get(visit)
        if found is None:
            found = self.by_visit[visit] = _Visit()
            if len(self.by_visit) > at_most:
                self.by_visit.popitem(last=False)
        self.by_visit.move_to_end(visit)
        found.seen = now
        return found

    def forget_idle(self, before: float) -> int:
        idle = []
        for visit, counted in self.by_visit.items():
            if counted.seen >= before:
                break
            idle.append(visit)
        for visit in idle:
            del self.by_visit[visit]
        return len(idle)


@dataclass(frozen=True)
class Plugin:
    """Counts in memory, for visits with the session purpose only, and forgets a visit when it has been idle."""

    shown_at_most: Annotated[int, Meta(ge=1)] = 6
    """Answers of one visit in which an item may come without being touched."""
    placements: tuple[str, ...] = ("home", "trending")
    """Where it applies: a list of what one has viewed or bought is to stay."""
    idle_minutes: Annotated[float, Meta(gt=0)] = 30.0
    visits_at_most: Annotated[int, Meta(ge=1)] = 20_000
    items_at_most: Annotated[int, Meta(ge=1)] = 300
    """Items counted per visit."""
    _visits: _Visits = field(default_factory=_Visits, init=False, repr=False, compare=False)

    @hookimpl
    def keep(self, candidates: Candidates, context: Context) -> Mask | None:
        if context.placement not in self.placements:
            return None
        counted = self._visits.by_visit.get(context.visitor.visit)
        return None if counted is None or not len(counted.capped) else ~candidates.contains(counted.capped)

    @hookimpl
    def served(self, context: Context, items: Ints) -> None:
        if not context.visitor.visit or context.placement not in self.placements:
            return
        counted = self._visits.touch(context.visitor.visit, context.now, self.visits_at_most)
        shown = counted.shown
        full = False
        for item in items.tolist():
            if item in shown or len(shown) < self.items_at_most:
                shown[item] = times = shown.get(item, 0) + 1
                full |= times == self.shown_at_most
        if full:
            counted.capped = self._capped(counted)

    @hookimpl
    def event_stored(self, event: LoggedEvent) -> None:
        counted = self._visits.by_visit.get(event.session)
        if counted is None or event.name not in TOUCHES:
            return
        for line in event.lines:
            counted.shown.pop(line.item, None)
        counted.capped = self._capped(counted)

    @hookimpl
    def personal_data(self) -> Sequence[str]:
        return ["memory: how often an item was shown, by keyed hash of the visit, until the visit is idle"]

    @hookimpl
    def person_erased(self) -> int:
        # A visit's hash does not lead to its person, so all counts go: they are worth a few minutes.
        count = len(self._visits.by_visit)
        self._visits.by_visit.clear()
        return count

    @hookimpl
    def background(self, node: _Node) -> Sequence[Callable[[], Coroutine[Any, Any, None]]]:
        async def forget_idle_visits() -> None:
            while True:
                await asyncio.sleep(60)
                self._visits.forget_idle(node.clock.now() - self.idle_minutes * 60)

        return [forget_idle_visits]

    def _capped(self, counted: _Visit) -> Ints:
        return np.array([item for item, times in counted.shown.items() if times >= self.shown_at_most], np.int32)
