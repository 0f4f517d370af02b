"""Count what many people wanted lately: the static order everything is compared with, and what is rising.

Pure functions over parallel columns of events that the caller has cut to a window, a region or a kind of event.
"""

import numpy as np
from numpy.typing import NDArray

from store.records import Floats, Ints

_DAY = 86_400.0


def distinct_people(person: Ints, item: Ints, items: int) -> Floats:
    """People per item [items]; over the purchases of the last 60 days this is the static order.

    A person counts once per item, however often they bought it: one eager shopper makes no bestseller.
    """
    pairs = np.unique(person.astype(np.int64) * items + item)
    return np.bincount(pairs % items, minlength=items).astype(np.float32)


def once_a_day(person: Ints, item: Ints, at: NDArray[np.int64]) -> Ints:
    """Places of the rows in which someone met an item for the first time that day, in order: whoever buys all day makes
    no trend."""
    met = np.stack((person.astype(np.int64), item.astype(np.int64), at // int(_DAY)))
    _, first = np.unique(met, axis=1, return_index=True)
    return np.sort(first).astype(np.int32)


def share_of_best(people: Floats) -> Floats:
    """Counts as logarithms between 0 and 1 [items], 1 for the largest: the second buyer says more than the
    thousandth."""
    logarithms = np.log1p(people)
    top = logarithms.max(initial=0)
    shares: Floats = (logarithms / top if top > 0 else logarithms).astype(np.float32)
    return shares


def trending(
    item: Ints,
    at: NDArray[np.float64],
    now: float,
    items: int,
    *,
    recent_days: float = 3.0,
    usual_days: float = 28.0,
    prior: float = 20.0,
) -> Floats:
    """How far above its own habit an item runs [items]: 0 as usual or below, 1 at twice the usual rate.

    Both rates are exponentially decayed counts per day of the events `at` epoch seconds up to `now` (time constants
    `recent_days` and `usual_days`). What lifts the whole shop, as a weekend does, is taken out of every item's rate.
    `prior` usual events are added to both sides, so that two sales of a quiet item are hardly a trend.
    """
    past = at <= now
    age = (now - at[past]) / _DAY
    recent = np.bincount(item[past], weights=np.exp(-age / recent_days), minlength=items) / recent_days
    usual = np.bincount(item[past], weights=np.exp(-age / usual_days), minlength=items) / usual_days
    if not recent.sum() > 0:
        return np.zeros(items, dtype=np.float32)
    whole_shop = recent.sum() / usual.sum()
    quiet = prior / usual_days
    lift = (recent / whole_shop + quiet) / (usual + quiet)
    above: Floats = np.maximum(lift - 1, 0).astype(np.float32)
    return above
