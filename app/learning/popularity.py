"""Count what many people bought lately: the static order everything is compared with, its regions, and what is rising.

Pure functions over parallel event columns: person, item, epoch seconds, region code, weight. A person counts once per
item in a window, however often they bought it, so that one eager shopper does not make a bestseller.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float32]
Numbers: TypeAlias = NDArray[np.int32]
Seconds: TypeAlias = NDArray[np.float64]

_DAY = 86_400.0


def distinct_buyers(person: Numbers, item: Numbers, time: Seconds, *, now: float, days: float, items: int) -> Floats:
    """People per item [items] with an event in the `days` before `now`; 60 days of purchases give the static order."""
    chosen = _within(time, now - days * _DAY, now)
    return _people_per_cell(person[chosen], item[chosen], items)


def distinct_buyers_by_region(
    person: Numbers, item: Numbers, time: Seconds, region: Numbers, *, now: float, days: float, items: int, regions: int
) -> Floats:
    """People per region and item [regions, items]; a person counts in every region they bought in.

    Events whose region is not in 0..regions-1 (unknown: -1) count in no row.
    """
    chosen = _within(time, now - days * _DAY, now) & (region >= 0) & (region < regions)
    cell = region[chosen].astype(np.int64) * items + item[chosen]
    return _people_per_cell(person[chosen], cell, regions * items).reshape(regions, items)


def log_share(buyers: Floats) -> Floats:
    """log(1 + buyers) as a share of the largest: 0..1, the scale on which popularity joins other scores."""
    logs = np.log1p(buyers)
    top = float(logs.max(initial=0))
    return (logs / top if top else logs).astype(np.float32)


def trending(
    item: Numbers,
    time: Seconds,
    weight: Floats,
    *,
    now: float,
    items: int,
    recent_days: float = 3.0,
    baseline_days: float = 28.0,
    prior: float = 20.0,
) -> Floats:
    """How far above its own habit an item runs now [items]: 0 when as usual or less, ln 2 at twice the usual rate.

    Both rates are exponentially decayed sums per day (time constants `recent_days`, `baseline_days`). `prior` events at
    the shop's own ratio are added to both, so that two sales of a quiet item are no trend. The shop's ratio is
    taken out: a busy weekend lifts everything and is no trend of any item.
    """
    chosen = _within(time, -np.inf, now)
    item, age, weight = item[chosen], (now - time[chosen]) / _DAY, weight[chosen]
    recent = np.bincount(item, weights=weight * np.exp(-age / recent_days), minlength=items) / recent_days
    usual = np.bincount(item, weights=weight * np.exp(-age / baseline_days), minlength=items) / baseline_days
    if not usual.sum() > 0:
        return np.zeros(items, dtype=np.float32)
    shop_ratio = recent.sum() / usual.sum()
    quiet = prior / baseline_days
    lift = (recent + quiet * shop_ratio) / ((usual + quiet) * shop_ratio) if shop_ratio > 0 else np.ones(items)
    return np.maximum(np.log(lift), 0).astype(np.float32)


def _within(time: Seconds, after: float, until: float) -> NDArray[np.bool_]:
    return (time > after) & (time <= until)


def _people_per_cell(person: Numbers, cell: NDArray[np.integer], cells: int) -> Floats:
    pairs = np.unique(person.astype(np.int64) * cells + cell)
    return np.bincount(pairs % cells, minlength=cells).astype(np.float32)
