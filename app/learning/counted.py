"""How many people there are, what they want, and where: released counts, and what is popular, sells now and is rising.

`release_*` ask the door (release.py) and remember the answer; `popularity_of` makes artefacts of what is remembered,
which costs nothing.
"""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from app.learning.bounding import last_region, wants
from app.learning.memory import Memory
from app.learning.popularity import share_of_best
from app.learning.rates import DAY, Doubles, Rate, shrunk
from app.learning.regions import asked_regions
from app.learning.release import Door
from store.catalogue import Catalogue
from store.records import Floats, Ints

if TYPE_CHECKING:
    from app.learning.train import Draft

PEOPLE, REGIONS, ITEMS, BY_REGION = "people.all", "people.regions", "counts.items", "counts.regions"
OLDER, LATELY = 0, 1
LEAST_PEOPLE = 100
"""Of fewer, nothing but their number is released: their traces would be lost in the noise, and paid for."""
LEAST_IN_A_REGION = 200
CLEARLY = 3.0
"""Standard errors by which a region's count has to pass that."""
USUAL = 20.0
"""People added on both sides when a product's last days are compared with its usual ones (popularity.trending)."""
_OF_ITEMS = 0.75
"""Part of what counts may spend that goes to items everywhere, where there are regions to count besides."""


def release_people(draft: Draft, door: Door, memory: Memory) -> None:
    """How many people there are in the data, and in each region of the public list. A person counts once, in one."""
    data, names = draft.dataset, asked_regions(draft.catalogue.region_names)
    seen = np.unique(data.person)
    place = {name: number for number, name in enumerate(names)}
    codes = np.array([place.get(name, -1) for name in data.regions], np.int64)[last_region(data)[seen]]
    statistic = np.concatenate([[len(seen)], np.bincount(codes[codes >= 0], minlength=len(names))]).astype(np.float64)
    multiplier = door.multiplier("people")
    released = door.release(
        statistic, name=PEOPLE, sensitivity=sqrt(2), noise_multiplier=multiplier, subjects=statistic.astype(np.int64)
    )
    rate = _people(memory, names)
    rate.add(released, exposure=1.0, sigma=multiplier * sqrt(2), at=draft.now, half_life_days=_half_life(draft))
    memory.keep(PEOPLE, rate)
    memory.arrays[REGIONS] = np.array(names)
    memory.note_run(PEOPLE, door.run.id)


def people_in(memory: Memory) -> tuple[float, dict[str, float]]:
    """About how many people there are, and the regions that have clearly enough to be counted on their own."""
    names = memory.arrays.get(REGIONS)
    if names is None:
        return 0.0, {}
    rate = _people(memory, names.tolist())
    least = LEAST_IN_A_REGION + CLEARLY * rate.error
    people = rate.per_day
    return float(people[0]), {
        str(name): float(count) for name, count in zip(names, people[1:], strict=True) if count > least
    }


def _people(memory: Memory, names: list[str]) -> Rate:
    """The number of people and that in each of these regions, wherever they were in the list at the last time."""
    before = [str(name) for name in memory.arrays.get(REGIONS, np.zeros(0, "U1"))]
    rate = memory.rate(PEOPLE, 1 + len(before))
    known = dict(zip(before, rate.total[1:].tolist(), strict=True))
    rate.total = np.array([rate.total[0], *(known.get(name, 0.0) for name in names)])
    return rate


def release_counts(draft: Draft, door: Door, memory: Memory) -> None:
    """What people want: by product and time, and by product and region where regions have people enough.

    A person counts with at most `items_per_person` products, each with 0..1 in one cell: √items is the sensitivity.
    """
    most = draft.config.privacy.items_per_person
    days, lately = spans(draft)
    data = draft.dataset.select(draft.dataset.at > draft.now - (days + lately) * DAY)
    person, item, value, at = wants(data, most)
    bucket = np.where(at > draft.now - lately * DAY, LATELY, OLDER)
    regions = sorted(people_in(memory)[1])
    split = _OF_ITEMS if len(regions) > 1 else 1.0
    items = draft.catalogue.size
    cells = _cells(bucket, item, value, (2, items))
    multiplier, bound = door.multiplier("counts", split), sqrt(most)
    released = door.release(
        cells, name=ITEMS, sensitivity=bound, noise_multiplier=multiplier,
        subjects=_cells(bucket, item, np.ones_like(value), (2, items)).astype(np.int64),
    )  # fmt: skip
    for name, row, exposure, half_life in (
        ("counts.older", OLDER, days, _half_life(draft)),
        ("counts.lately", LATELY, lately, draft.config.training.selling_now_days / 2),
    ):
        if exposure > 0:
            rate = memory.rate(name, items)
            rate.add(released[row], exposure=exposure, sigma=multiplier * bound, at=draft.now, half_life_days=half_life)
            memory.keep(name, rate)
    memory.note_run(ITEMS, door.run.id)
    if split < 1:
        place = {name: number for number, name in enumerate(regions)}
        codes = np.array([place.get(name, -1) for name in data.regions])[last_region(data)]
        here = codes[person]
        known = here >= 0
        table = _cells(here[known], item[known], value[known], (len(regions), items))
        multiplier = door.multiplier("counts", 1 - split)
        by_region = door.release(
            table, name=BY_REGION, sensitivity=bound, noise_multiplier=multiplier,
            subjects=_cells(here[known], item[known], np.ones(int(known.sum())), table.shape).astype(np.int64),
        )  # fmt: skip
        for name, row in place.items():
            rate = memory.rate(f"counts@{name}", items)
            rate.add(
                by_region[row], exposure=days + lately, sigma=multiplier * bound, at=draft.now,
                half_life_days=_half_life(draft),
            )  # fmt: skip
            memory.keep(f"counts@{name}", rate)
        memory.note_run(BY_REGION, door.run.id)


def popularity_of(draft: Draft, memory: Memory) -> None:
    """What is popular, sells now and is rising, for everyone and in regions, of what was released so far."""
    options, catalogue = draft.config.training, draft.catalogue
    if not memory.paid_by(ITEMS) and "counts.lately.total" not in memory.arrays:
        return
    items = catalogue.size
    lately, older = memory.rate("counts.lately", items), memory.rate("counts.older", items)
    groups = groups_of(catalogue)
    recent = shrunk(lately.per_day, lately.error, groups)
    usual = shrunk(older.per_day, older.error, groups) if older.weight else recent
    selling = min(options.selling_now_days, options.static_days)
    everywhere = recent * selling + usual * max(options.static_days - selling, 0)
    draft.arrays["popularity"] = everywhere.astype(np.float32)
    draft.arrays["selling_now"] = share_of_best((recent * selling).astype(np.float32))
    draft.arrays["trending"] = _rising(recent, usual, lately.error, options.selling_now_days)
    for region in people_in(memory)[1]:
        rate = memory.rate(f"counts@{region}", items)
        if rate.weight:
            here = _drawn_to(rate, everywhere / options.static_days) * options.static_days
            draft.arrays[f"popularity@{region}"] = here.astype(np.float32)
            recently: Doubles = here * recent / np.maximum(everywhere / options.static_days, 1e-9)
            draft.arrays[f"selling_now@{region}"] = share_of_best(recently.astype(np.float32))


def spans(draft: Draft) -> tuple[float, float]:
    """Days of events behind the older and the latest counts: the static window, as far as it reaches back."""
    options = draft.config.training
    reach = min(options.static_days, (draft.now - draft.since) / DAY) if draft.since else options.static_days
    lately = min(options.selling_now_days, reach)
    return max(reach - lately, 0.0), lately


def groups_of(catalogue: Catalogue, most: int = 400) -> Ints:
    """What products are alike by the public catalogue: their category, or the top one where there are too many."""
    few = len(catalogue.category_names) <= most
    return np.asarray(catalogue.category if few else catalogue.top_category)[: catalogue.size].astype(np.int32)


def group_names(catalogue: Catalogue, most: int = 400) -> list[str]:
    """The names of those groups, by their code."""
    few = len(catalogue.category_names) <= most
    return list(catalogue.category_names if few else catalogue.top_category_names)


def _rising(recent: Doubles, usual: Doubles, error: float, days: float) -> Floats:
    """How far above its habit a product runs, beyond what noise alone could do; 0 as usual or below."""
    if not recent.sum() > 0 or not usual.sum() > 0:
        return np.zeros(len(recent), np.float32)
    whole_shop = recent.sum() / usual.sum()
    quiet = USUAL / days
    sure = np.maximum(recent - error, 0)
    lift: Floats = np.maximum((sure / whole_shop + quiet) / (usual + quiet) - 1, 0).astype(np.float32)
    return lift


def _drawn_to(rate: Rate, everywhere: Doubles) -> Doubles:
    """A region's counts per day, drawn to what they would be if it wanted what everyone wants."""
    here = np.maximum(rate.per_day, 0).sum() if not rate.error else max(float(rate.per_day.sum()), 0.0)
    expected = everywhere * (here / max(float(everywhere.sum()), 1e-12))
    apart = float(((rate.per_day - expected) ** 2).mean()) - rate.error**2
    # What differs grows with what there is: an item nobody wants anywhere is not wanted here.
    spread = max(apart, 0.0) * expected**2 / max(float((expected**2).mean()), 1e-12)
    trust = np.divide(spread, spread + rate.error**2, out=np.ones_like(spread), where=spread + rate.error**2 > 0)
    drawn: Doubles = np.maximum(expected + trust * (rate.per_day - expected), 0)
    return drawn


def _cells(row: NDArray[Any], column: NDArray[Any], value: NDArray[Any], shape: tuple[int, ...]) -> Doubles:
    flat = np.bincount(row.astype(np.int64) * shape[1] + column, weights=value, minlength=shape[0] * shape[1])
    table: Doubles = flat.astype(np.float64).reshape(shape)
    return table


def _half_life(draft: Draft) -> float:
    return draft.config.training.static_days
