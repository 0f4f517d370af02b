"""The audit of counts and of pairs: canaries (audit.py) are counted by the code that counts people, and looked for in
what it released.

Of both kinds of canaries every cell is its own, so that whoever knows its cells adds up what stands there. A plain one
contributes exactly as much as one person may; it shows how much is spent at least. A greedy one did nine times as much
and wants it more than anybody can: it is found no more easily than a plain one, unless contributions are not bounded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, sqrt
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from app.config import Config
from app.config.sections import PrivacyOptions
from app.learning.audit import AuditResult, coins, result_of, scratch_door
from app.learning.counted import release_counts, spans
from app.learning.dataset import Dataset
from app.learning.memory import Memory
from app.learning.paired import KINDS, release_pairs
from app.learning.rates import Rate
from app.learning.train import Draft
from app.learning.triangles import Doubles
from store.catalogue import Catalogue
from store.records import Item, Mask

Places = NDArray[np.int64]
OF_A_PERSON = {"items_per_person": 4, "pairs_per_person": 6}
"""The bounds while auditing: how tight they are held does not depend on how wide they are, and cells stay few."""
GREED, GREEDY_ONE_IN = 9, 4
WANTED = 3.0
"""What a canary wants an item; nobody counts more than 1."""
NOW = 1_750_000_000
DAY = 86_400


@dataclass(frozen=True)
class Canaries:
    """Plain ones first, then greedy ones; `cells` [all of them] says whose each cell is."""

    plain: int
    greedy: int
    bound: int

    @classmethod
    def of(cls, count: int, bound: int) -> Canaries:
        return cls(count, max(count // GREEDY_ONE_IN, 100), bound)

    @property
    def cells(self) -> Places:
        each = [self.bound] * self.plain + [GREED * self.bound] * self.greedy
        return np.repeat(np.arange(len(each)), each)

    @property
    def joined(self) -> Mask:
        return np.concatenate([coins(self.plain), coins(self.greedy)])


def audit_sums(privacy: PrivacyOptions, canaries: int, within: Path | None = None) -> list[AuditResult]:
    """What counts and pairs spend at least, plain and greedy. What looks like a leak is asked again, twice, of four
    times as many: plain canaries come close to all that is claimed, and chance lifts one bound in twenty above it."""
    found = []
    for one in (audit_counts, audit_pairs):
        results: list[AuditResult] = []
        for count in (canaries, 4 * canaries, 4 * canaries):
            results = one(privacy, count, within)
            if not any(each.verdict for each in results):
                break
        found += results
    return found


def audit_counts(privacy: PrivacyOptions, canaries: int, within: Path | None = None) -> list[AuditResult]:
    """Counts of products: the bound on a person's items and on how much each is wanted, the noise and the debits."""
    crowd = Canaries.of(canaries, OF_A_PERSON["items_per_person"])
    cells, joined = crowd.cells, crowd.joined
    items = np.flatnonzero(joined[cells])
    data = _dataset(len(cells), cells[items], items)
    memory = _released(privacy, "counts", data, _catalogue(len(cells), groups=False), within)
    lately = spans(_draft(privacy, data, Catalogue()))[1]
    rate = memory.rate("counts.lately", len(cells))
    return _results("counts", privacy, crowd, joined, [(rate.per_day * lately, rate.error * lately)])


def audit_pairs(privacy: PrivacyOptions, canaries: int, within: Path | None = None) -> list[AuditResult]:
    """Pairs of products and of their groups, seen in a visit and bought in an order: four tables, of each the bound on
    a person's pairs, the noise and the debits."""
    crowd = Canaries.of(canaries, OF_A_PERSON["pairs_per_person"])
    cells, joined = crowd.cells, crowd.joined
    size = ceil((1 + sqrt(1 + 8 * len(cells))) / 2)
    first, second = (side[: len(cells)] for side in np.triu_indices(size, 1))
    kept = np.flatnonzero(joined[cells])
    # Of each pair a visit that saw both and an order that held both.
    both = np.column_stack([first[kept], second[kept]]).ravel()
    data = _dataset(size, np.repeat(cells[kept], 2), both, of=np.repeat(kept, 2))
    memory = _released(privacy, "pairs", data, _catalogue(size, groups=True), within, pair_items=size)
    days = sum(spans(_draft(privacy, data, Catalogue())))
    views = []
    for kind in KINDS:
        for level in ("groups", "items"):
            rate: Rate = memory.rate(f"{kind}.{level}", size, size)
            views.append((rate.per_day[first, second] * days, rate.error * days))
    return _results("pairs", privacy, crowd, joined, views)


def _results(
    release: str, privacy: PrivacyOptions, crowd: Canaries, joined: Mask, views: Sequence[tuple[Doubles, float]]
) -> list[AuditResult]:
    """`views`: what was released of every cell, and the noise in it."""
    cells = crowd.cells
    count = crowd.plain + crowd.greedy
    scores, squares = np.zeros(count), np.zeros(count)
    for seen, sigma in views:
        scores += np.bincount(cells, weights=seen, minlength=count) / sigma**2
        squares += np.bincount(cells, minlength=count) / sigma**2
    plain, greedy = slice(0, crowd.plain), slice(crowd.plain, count)
    bounded = result_of(f"{release} of who did too much", privacy, scores[greedy], squares[greedy], joined[greedy])
    return [
        result_of(release, privacy, scores[plain], squares[plain], joined[plain]),
        msgspec.structs.replace(bounded, bounding=True),
    ]


def _released(
    privacy: PrivacyOptions, part: str, data: Dataset, catalogue: Catalogue, within: Path | None, pair_items: int = 0
) -> Memory:
    bounded = msgspec.structs.replace(privacy, **OF_A_PERSON, pair_items=pair_items)
    memory = Memory()
    with scratch_door(bounded, part, within) as door:
        draft = _draft(bounded, data, catalogue)
        # Which products are most wanted is public here: all of them are.
        draft.arrays["popularity"] = np.ones(catalogue.size, np.float32)
        (release_counts if part == "counts" else release_pairs)(draft, door, memory)
    return memory


def _draft(privacy: PrivacyOptions, data: Dataset, catalogue: Catalogue) -> Draft:
    return Draft(msgspec.structs.replace(Config(), privacy=privacy), catalogue, data, NOW)


def _catalogue(size: int, *, groups: bool) -> Catalogue:
    """Products without words; with `groups` each is one of its own."""
    catalogue = Catalogue()
    for number in range(size):
        name = f"c{number}"
        catalogue.put(number, Item(id=name, title=name, category=(name,) if groups else ()))
    return catalogue


def _dataset(items: int, person: Places, item: Places, of: Places | None = None) -> Dataset:
    """What everyone did, two days ago. `of`: the pair a row belongs to; then each row is once seen and once bought."""
    twice = 1 if of is None else 2
    count = len(person)
    seen = np.arange(count * twice) < count
    together = np.full(count, -1) if of is None else of
    return Dataset(
        items=items, people=int(person.max(initial=-1)) + 1,
        person=np.tile(person, twice).astype(np.int32), item=np.tile(item, twice).astype(np.int32),
        at=np.full(count * twice, NOW - 2 * DAY), weight=np.full(count * twice, WANTED, np.float32), bought=~seen,
        visit=np.where(seen, np.tile(together, twice), -1).astype(np.int32),
        basket=np.where(seen, -1, np.tile(together, twice)).astype(np.int32),
        region=np.zeros(count * twice, np.int32), regions=[""],
        surrogates=np.arange(int(person.max(initial=-1)) + 1), each_person=True,
    )  # fmt: skip
