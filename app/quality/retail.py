"""The real shop, end to end: next month's purchases of real customers, guessed from their past (LEARNING.md).

Train before 2011-11-01, test after. Test purchases are only compared with answers here, never sent to the server.
Weights and other settings are chosen on VALIDATION, a month before the test begins.
"""

from __future__ import annotations

import csv
import gzip
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from app.quality.measure import Measure
from app.quality.scratch import Shop

K = 20
SEARCHES = 6000
"""Seeded sample of the protocol's 40,453 searches."""
SEARCH_DEPTH = 100
WORDS_MATCHED = 8
_STOCK_CODE = re.compile(r"[0-9]{5}")


@dataclass(frozen=True)
class Split:
    """The past ends with the day before `split`; what is guessed are the purchases from then until `end`."""

    split: str
    end: str = "9999"


TEST = Split("2011-11-01")
VALIDATION = Split("2011-10-01", TEST.split)


@dataclass
class Protocol:
    """Who is asked about and what they went on to buy."""

    bought: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Customer -> items before the split."""
    wanted: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Customer -> items after the split that the catalogue knew before it."""
    titles: dict[str, str] = field(default_factory=dict)

    @property
    def customers(self) -> list[str]:
        """With a past and a future."""
        return sorted(customer for customer in self.wanted if customer in self.bought)

    @property
    def explorers(self) -> list[str]:
        """Who went on to buy something they had not bought before."""
        return [customer for customer in self.customers if self.wanted[customer] - self.bought[customer]]

    @property
    def new(self) -> dict[str, set[str]]:
        """Explorer -> what they had not bought before."""
        return {customer: self.wanted[customer] - self.bought[customer] for customer in self.explorers}


def read_protocol(file: Path, when: Split) -> Protocol:
    """Clean and split the file as LEARNING.md says: a customer, quantity and price above 0, a real stock code."""
    protocol = Protocol()
    future: list[tuple[str, str]] = []
    titles: dict[str, Counter[str]] = defaultdict(Counter)
    for customer, item, title, at in _clean_lines(file):
        if at < when.split:
            protocol.bought[customer].add(item)
            titles[item][title] += 1
        elif at < when.end:
            future.append((customer, item))
    for customer, item in future:
        if item in titles:
            protocol.wanted[customer].add(item)
    protocol.titles = {item: counted.most_common(1)[0][0] for item, counted in titles.items()}
    return protocol


def _clean_lines(file: Path) -> Iterator[tuple[str, str, str, str]]:
    """Customer, item, title and time of every line that counts; ISO times compare as text."""
    with gzip.open(file, "rt", encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            if not row["CustomerID"] or float(row["Quantity"]) <= 0 or float(row["UnitPrice"]) <= 0:
                continue
            if not _STOCK_CODE.match(row["StockCode"]):
                continue
            yield row["CustomerID"].removesuffix(".0"), row["StockCode"], row["Description"], row["InvoiceDate"]


Lists = Mapping[str, Sequence[str]]
"""Customer -> items."""


@dataclass(frozen=True)
class SearchCase:
    customer: str
    query: str
    item: str
    new: bool


def search_cases(protocol: Protocol) -> list[SearchCase]:
    """One search per bought product: the last one or two words of its title that at least 8 titles hold."""
    holders: dict[str, set[str]] = defaultdict(set)
    for item, title in protocol.titles.items():
        for word in _words(title):
            holders[word].add(item)
    cases = []
    for customer in protocol.customers:
        for item in sorted(protocol.wanted[customer]):
            query = _query(_words(protocol.titles[item]), holders)
            if query:
                cases.append(SearchCase(customer, query, item, item not in protocol.bought[customer]))
    return cases


def _words(title: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", title.lower())


def _query(words: Sequence[str], holders: Mapping[str, set[str]]) -> str:
    for length in (2, 1):
        last = words[-length:]
        if len(last) == length and len(set.intersection(*(holders[word] for word in last))) >= WORDS_MATCHED:
            return " ".join(last)
    return ""


def hit_rate(answers: Mapping[str, Sequence[str]], wanted: Mapping[str, set[str]]) -> float:
    """Share of customers whose answer holds at least one item they went on to buy (HR@k, k the answer's length)."""
    return sum(bool(set(answer) & wanted[customer]) for customer, answer in answers.items()) / max(1, len(answers))


def reciprocal_rank(answer: Sequence[str], item: str) -> float:
    return 1 / (answer.index(item) + 1) if item in answer else 0.0


def measure(shop: Shop, protocol: Protocol, seed: int) -> list[Measure]:
    """Every metric of the protocol, static and personalized from the same server."""
    wanted, new = protocol.wanted, protocol.new
    lists = {name: answers for placement in ("static", "home")
             for name, answers in lists_of(shop, protocol, placement).items()}  # fmt: skip
    found = [
        Measure("shop, all purchases", "HR@20", hit_rate(lists["all home"], wanted), 1.2, 1.32,
                static=hit_rate(lists["all static"], wanted), anchor=".912"),
        Measure("shop, new to customer", "HR@20", hit_rate(lists["new home"], new), 1.15, 1.30,
                static=hit_rate(lists["new static"], new), anchor=".632"),
    ]  # fmt: skip
    return found + _measure_search(shop, protocol, seed)


def lists_of(shop: Shop, protocol: Protocol, placement: str) -> dict[str, Lists]:
    """ "all home" and "new home": what everybody is shown, and what explorers are of things new to them."""
    bought = protocol.bought
    return {
        f"all {placement}": {c: shop.recommend(placement, {"user": c}, limit=K) for c in protocol.customers},
        f"new {placement}": {
            c: shop.recommend(placement, {"user": c}, limit=K, exclude=sorted(bought[c])) for c in protocol.explorers
        },
    }


def coverage(lists: Lists, catalogue: int) -> float:
    """Which share of the catalogue is in anybody's list."""
    return len({item for listed in lists.values() for item in listed}) / max(1, catalogue)


def popularity_bias(lists: Lists, bought: Mapping[str, set[str]]) -> float:
    """Mean over all places of the lists of which share of the customers had bought the item by then."""
    buyers = Counter(item for items in bought.values() for item in items)
    shown = [buyers[item] for listed in lists.values() for item in listed]
    return float(np.mean(shown)) / max(1, len(bought)) if shown else 0.0


def _measure_search(shop: Shop, protocol: Protocol, seed: int) -> list[Measure]:
    cases = search_cases(protocol)
    cases = [cases[index] for index in np.random.default_rng(seed).permutation(len(cases))[:SEARCHES]]
    static, personal = (np.array([_search_rank(shop, case, who) for case in cases]) for who in (False, True))
    fresh = np.array([case.new for case in cases])
    return [
        Measure("shop, search, all", "MRR", float(personal.mean()), 1.15, 1.25, static=float(static.mean()),
                anchor=".393"),
        Measure("shop, search, new only", "MRR", float(personal[fresh].mean()), 1.0, 1.05,
                static=float(static[fresh].mean()), anchor=".289"),
    ]  # fmt: skip


def _search_rank(shop: Shop, case: SearchCase, personal: bool) -> float:
    visitor = {"user": case.customer} if personal else {"consent": "denied"}
    return reciprocal_rank(shop.search(case.query, visitor, limit=SEARCH_DEPTH), case.item)
