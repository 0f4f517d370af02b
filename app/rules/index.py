"""Finds the rules that hold for a request without asking each of them: one bit per rule, one number per condition.

For every value of every condition there is the set of rules that accept it, those that do not care included, as the
bits of one integer. The rules that hold are the AND of one such set per condition: a handful of operations at any
number of rules. What a set cannot say (a phrase's words together, the page's item, the cart, several experiments) is
asked of the few that are left.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from app.rules.columns import Columns
from app.rules.compiled import Ready, words_of
from app.rules.model import Condition
from plugins.contract import NO_ITEMS, Ints
from store.catalogue import Catalogue


@dataclass(frozen=True)
class Facts:
    """What a request says of itself, as far as rules may ask; the query goes no further than this."""

    now: float
    placement: str
    region: str = ""
    device: str = ""
    segments: frozenset[str] = frozenset()
    arms: Mapping[str, str] = field(default_factory=dict)
    item: int = -1
    cart: Ints = field(default_factory=NO_ITEMS.copy)
    query: str | None = None
    """None where nothing is searched."""
    rules_off: bool = False
    """Only filters hold."""
    is_open: bool = True
    """The placement takes what nobody proposed for this visitor: not a list of what one has viewed or bought."""
    category: str = ""
    """What a page without an item is about."""


class Accepting:
    """One condition: value -> the rules that accept it."""

    def __init__(self, rules: Sequence[Ready], values: Callable[[Condition], Iterable[str]]) -> None:
        self.anything = 0
        named: dict[str, int] = {}
        for ready in rules:
            bit, some = 1 << ready.place, list(values(ready.rule.when))
            for value in some:
                named[value] = named.get(value, 0) | bit
            self.anything |= 0 if some else bit
        self._by_value = {value: bits | self.anything for value, bits in named.items()}

    def one(self, value: str) -> int:
        return self._by_value.get(value, self.anything)

    def any_of(self, values: Iterable[str]) -> int:
        bits = self.anything
        for value in values:
            bits |= self._by_value.get(value, 0)
        return bits


class PageTests:
    """The rules that ask what the page's item is like: which of them accept an item is one row of bits, kept up with
    the catalogue, and a row becomes a set of rules half a byte at a time."""

    def __init__(self, rules: Sequence[Ready], columns: Columns) -> None:
        asking = [(ready.place, ready.page) for ready in rules if ready.page is not None]
        self.every = sum(1 << place for place, _ in asking)
        self._columns = columns
        self._tests = [page for _, page in asking]
        self._key = tuple(page.text for page in self._tests)
        bits = [1 << place for place, _ in asking]
        self._halves = [_sums(bits[first : first + 4]) for first in range(0, len(bits), 4)]

    def accepting(self, item: int) -> int:
        """Those of the rules that accept a page about this item."""
        row = int.from_bytes(self._columns.packed(self._key, self._tests)[item].tobytes(), "little")
        found = 0
        for half in self._halves:
            found |= half[row & 15]
            row >>= 4
        return found


def _sums(bits: Sequence[int]) -> list[int]:
    """What up to four bits come to, by which of them are set."""
    return [sum(bit for place, bit in enumerate(bits) if chosen >> place & 1) for chosen in range(16)]


class Index:
    """The rules of one version, to be asked which hold."""

    def __init__(self, rules: Sequence[Ready], catalogue: Catalogue, columns: Columns) -> None:
        self.rules = tuple(rules)
        self._catalogue = catalogue
        self._columns = columns
        self._placements = Accepting(rules, lambda when: when.placements)
        self._regions = Accepting(rules, lambda when: map(str.casefold, when.regions))
        self._devices = Accepting(rules, lambda when: map(str.casefold, when.devices))
        self._segments = Accepting(rules, lambda when: when.segments)
        self._arms = Accepting(rules, lambda when: (f"{test}\n{arm}" for test, arm in when.arms.items()))
        self._categories = Accepting(rules, lambda when: (path.replace(" > ", "/") for path in when.categories))
        self._brands = Accepting(rules, lambda when: when.brands)
        self._words = Accepting(rules, lambda when: {word for phrase in when.queries for word in words_of(phrase)})
        self.every = (1 << len(rules)) - 1
        self.filters = sum(1 << ready.place for ready in rules if ready.rule.then.do == "filter")
        self._page_tests = PageTests(rules, columns)
        self._to_verify = sum(1 << ready.place for ready in rules if ready.to_verify)
        self._clock = Clockwork(rules)

    def select(self, facts: Facts) -> int:
        """The rules that hold, a bit each."""
        bits = self._clock.holding(facts.now) & self._placements.one(facts.placement)
        bits &= self._regions.one(facts.region.casefold()) & self._devices.one(facts.device.casefold())
        bits &= self._segments.any_of(facts.segments)
        bits &= self._arms.any_of(f"{test}\n{arm}" for test, arm in facts.arms.items())
        if facts.rules_off:
            bits &= self.filters
        if not bits:
            return 0
        bits &= self._about(facts.item, facts.category)
        if bits & self._page_tests.every:
            bits &= ~self._page_tests.every | self._page_tests.accepting(facts.item)
        words = words_of(facts.query) if facts.query is not None else frozenset()
        bits &= self._words.any_of(words)
        for place in places(bits & self._to_verify):
            if not self._verified(self.rules[place], facts, words):
                bits ^= 1 << place
        return bits

    def _about(self, item: int, path: str) -> int:
        """The rules that accept a page about this item; -1 for a page about none, but maybe about a category."""
        if item < 0:
            categories = self._categories.any_of(paths_above(path.replace(" > ", "/")))
            return categories & self._brands.anything & ~self._page_tests.every
        category, brand = int(self._catalogue.category[item]), int(self._catalogue.brand[item])
        path = self._catalogue.category_names[category] if category >= 0 else ""
        brands = self._brands.one(self._catalogue.brand_names[brand]) if brand >= 0 else self._brands.anything
        return brands & self._categories.any_of(paths_above(path))

    def _verified(self, ready: Ready, facts: Facts, words: frozenset[str]) -> bool:
        when = ready.rule.when
        if any(facts.arms.get(test) != arm for test, arm in when.arms.items()):
            return False
        if ready.phrases and not any(words == phrase if when.exact else words >= phrase for phrase in ready.phrases):
            return False
        if ready.cart is None:
            return len(facts.cart) >= when.cart_items
        return int(np.count_nonzero(self._columns.mask(ready.cart).take(facts.cart))) >= max(when.cart_items, 1)


class Clockwork:
    """Which rules their schedules let hold: asked anew only when the next of them changes."""

    def __init__(self, rules: Sequence[Ready]) -> None:
        self._timed = [ready for ready in rules if ready.times is not None]
        self._always = sum(1 << ready.place for ready in rules if ready.times is None)
        self._changes: list[tuple[float, int]] = []
        self._bits = self._always
        self._from = self._until = math.nan

    def holding(self, now: float) -> int:
        """The rules whose schedule holds at this moment, a bit each; clocks may go back."""
        if not self._timed or self._from <= now < self._until:
            return self._bits
        if not now >= self._from:  # also the first time
            self._bits = self._always
            self._changes = [(-math.inf, place) for place in range(len(self._timed))]
        while self._changes and self._changes[0][0] <= now:
            _, place = heapq.heappop(self._changes)
            ready = self._timed[place]
            assert ready.times is not None
            bit = 1 << ready.place
            self._bits = self._bits | bit if ready.times.holds(now) else self._bits & ~bit
            heapq.heappush(self._changes, (ready.times.next_change(now), place))
        self._from, self._until = now, self._changes[0][0]
        return self._bits


def places(bits: int) -> Iterator[int]:
    """The places of the bits that are set, the lowest first."""
    while bits:
        lowest = bits & -bits
        yield lowest.bit_length() - 1
        bits ^= lowest


def paths_above(path: str) -> list[str]:
    """ "shoes/running" -> "shoes", "shoes/running"."""
    parts = path.split("/") if path else []
    return ["/".join(parts[:depth]) for depth in range(1, len(parts) + 1)]
