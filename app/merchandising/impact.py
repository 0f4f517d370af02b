"""Counts how often rules were applied: per rule and day, nobody in it. Beside the requests, never in them."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter

import numpy as np

from app.rules.engine import Rules, RuleSet
from app.rules.index import places
from app.serving.explanations import Explanations
from plugins.contract import Ints
from store.clock import Clock
from store.faults import StoreFault
from store.records import LoggedEvent
from store.rules import RuleStore

DAY = 86_400
SECONDS = 5.0

Counts = dict[str, tuple[int, int, int]]
"""Rule -> lists it held for, items shown that it names, clicks on those."""


def credit_rules(event: LoggedEvent, explanations: Explanations, impact: Impact, now: float) -> None:
    """Count a click for the rules that had promoted, buried or pinned what was clicked, as long as it is remembered how
    its list came out. Who clicked is not looked at."""
    made = explanations.get(event.request, now)
    if made is not None and made.context is not None:
        impact.clicked([rule for line in event.lines for rule in made.context.made.of_item(line.item)])


class Impact:
    """Gathers what was answered, and writes it down now and then."""

    def __init__(self, rules: Rules, store: RuleStore, clock: Clock) -> None:
        self._rules = rules
        self._store = store
        self._clock = clock
        self._lists: Counter[str] = Counter()
        self._items: Counter[str] = Counter()
        self._clicks: Counter[str] = Counter()

    async def of_days(self, days: int) -> Counts:
        """The counts of the last days, what is not written yet included."""
        self.gather()
        found = await self._store.counts(self._today() - days + 1)
        for rule, (lists, items, clicks) in self._waiting().items():
            before = found.get(rule, (0, 0, 0))
            found[rule] = (before[0] + lists, before[1] + items, before[2] + clicks)
        return found

    def clicked(self, rules: list[str]) -> None:
        """An item of a list was clicked that these rules had named."""
        self._clicks.update(rules)

    async def write(self) -> None:
        """Write down what was gathered. Raises a StoreFault, and keeps it for the next time."""
        self.gather()
        waiting = self._waiting()
        if waiting:
            await self._store.count(self._today(), waiting)
            for rule, (lists, items, clicks) in waiting.items():
                self._lists[rule] -= lists
                self._items[rule] -= items
                self._clicks[rule] -= clicks
            for counter in (self._lists, self._items, self._clicks):
                counter += Counter()

    async def write_on_schedule(self) -> None:
        """Beside the server."""
        beat = 0
        while True:
            await asyncio.sleep(SECONDS)
            with contextlib.suppress(StoreFault):
                await self.write()
                if beat % 720 == 0:
                    await self._store.forget_counts(self._today() - self._rules.options.impact_days)
            beat += 1

    def gather(self) -> None:
        """Count the lists that were answered since: those under the same rules at once."""
        together: dict[tuple[int, int], tuple[RuleSet, list[Ints]]] = {}
        while self._rules.waiting:
            published, bits, items = self._rules.waiting.popleft()
            together.setdefault((id(published), bits), (published, []))[1].append(items)
        for (_, bits), (published, lists) in together.items():
            shown = np.concatenate(lists)
            for place in places(bits):
                ready = published.rules[place]
                self._lists[ready.rule.id] += len(lists)
                if ready.rule.then.do == "filter":
                    continue
                self._items[ready.rule.id] += int(np.count_nonzero(published.names(ready, shown)))

    def _waiting(self) -> Counts:
        names = {*self._lists, *self._items, *self._clicks}
        return {name: (self._lists[name], self._items[name], self._clicks[name]) for name in names}

    def _today(self) -> int:
        return int(self._clock.now() // DAY)
