"""Bounds what one person contributes to what is learned across people: so many items, so many pairs, drawn by lot.

The lots are the operating system's: nobody can make out afterwards which of a person's items counted.
"""

from __future__ import annotations

import secrets
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.learning.dataset import Dataset
from store.records import Floats, Ints

Longs = NDArray[np.int64]
NEAR = 5
"""Items so few clicks apart within a visit are near each other."""
BASKET = 10
"""Of a basket's items each is paired with so many others, drawn by lot."""


class Wants(NamedTuple):
    """One row per (person, item): how much it was wanted, 0..1, when last, and in which of the data's regions."""

    person: Ints
    item: Ints
    value: Floats
    at: Longs


class Pairs(NamedTuple):
    """One row per (person, pair), `first` < `second` (or equal, for groups of items)."""

    person: Ints
    first: Ints
    second: Ints


def wants(data: Dataset, most: int) -> Wants:
    """At most `most` items of each person: what they wanted most, and of equals the lot decides."""
    pair = data.person.astype(np.int64) * max(data.items, 1) + data.item
    distinct, where = np.unique(pair, return_inverse=True)
    value = np.zeros(len(distinct), np.float32)
    np.maximum.at(value, where, np.minimum(data.weight, np.float32(1)))
    last = np.zeros(len(distinct), np.int64)
    np.maximum.at(last, where, data.at)
    person = (distinct // max(data.items, 1)).astype(np.int32)
    kept = _first_of_each(person, -value, most)
    return Wants(person[kept], (distinct[kept] % max(data.items, 1)).astype(np.int32), value[kept], last[kept])


def near_pairs(data: Dataset) -> Pairs:
    """Items met a few clicks apart in a visit, or bought in one order."""
    visit = np.where(data.visit >= 0, data.visit.astype(np.int64), -1 - data.basket.astype(np.int64))
    known = (data.visit >= 0) | (data.basket >= 0)
    order = np.flatnonzero(known)[np.lexsort((data.at[known], visit[known], data.person[known]))]
    return _within(data, order, visit, NEAR)


def basket_pairs(data: Dataset) -> Pairs:
    """Items bought in one order."""
    bought = np.flatnonzero(data.basket >= 0)
    order = bought[np.lexsort((_lots(len(bought)), data.basket[bought], data.person[bought]))]
    return _within(data, order, data.basket.astype(np.int64), BASKET)


def bounded(pairs: Pairs, most: int) -> Pairs:
    """At most `most` distinct pairs of each person, drawn by lot."""
    width = int(max(pairs.second.max(initial=0), pairs.first.max(initial=0))) + 1
    low, high = np.minimum(pairs.first, pairs.second), np.maximum(pairs.first, pairs.second)
    code = low.astype(np.int64) * width + high
    order = np.lexsort((code, pairs.person))
    person, code = pairs.person[order], code[order]
    new = np.ones(len(code), np.bool_)
    new[1:] = (code[1:] != code[:-1]) | (person[1:] != person[:-1])
    person, code = person[new], code[new]
    kept = _first_of_each(person, np.zeros(len(person), np.float32), most)
    return Pairs(person[kept], (code[kept] // width).astype(np.int32), (code[kept] % width).astype(np.int32))


def last_region(data: Dataset) -> Ints:
    """Each person's region, a code of the data's: where they were last, [people]; 0 where nothing is known."""
    region = np.zeros(data.people, np.int32)
    region[data.person] = data.region  # rows are in time order, and numpy keeps the last
    return region


def _within(data: Dataset, order: Longs, group: Longs, apart: int) -> Pairs:
    """Pairs of rows at most `apart` places from each other in `order`, of the same person and group, of another item:
    what others do in between changes nothing about a person's pairs."""
    people, firsts, seconds = [], [], []
    for step in range(1, apart + 1):
        one, other = order[:-step], order[step:]
        alike = (group[one] == group[other]) & (data.person[one] == data.person[other])
        alike &= data.item[one] != data.item[other]
        one, other = one[alike], other[alike]
        people.append(data.person[one])
        firsts.append(data.item[one])
        seconds.append(data.item[other])
    return Pairs(np.concatenate(people), np.concatenate(firsts), np.concatenate(seconds))


def _first_of_each(person: Ints, key: Floats, most: int) -> Longs:
    """Places of the `most` rows of each person with the smallest key; equals by lot."""
    order = np.lexsort((_lots(len(person)), key, person))
    grouped = person[order]
    place = np.arange(len(grouped)) - np.searchsorted(grouped, grouped, side="left")
    kept: Longs = np.sort(order[place < most])
    return kept


def _lots(count: int) -> NDArray[np.uint64]:
    return np.frombuffer(secrets.token_bytes(8 * count), np.uint64)
