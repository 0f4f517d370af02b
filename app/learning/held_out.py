"""Keeps the last day of a few people out of a training, so that what was learned can be judged by it.

Who they are depends on the person alone, so a generation and the one before it were both learned without the days
they are compared on. A day is learned from once its person has come back on a later one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.learning.dataset import Dataset
from store.records import Ints, Mask

DAY = 86_400
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


@dataclass(frozen=True)
class Case:
    """One person: what is known of them, as rows of the dataset, and what they went on to do."""

    past: Dataset
    wanted: Ints
    """Distinct items, each within the catalogue."""
    at: float
    """When they came back, epoch seconds."""


def hold_out(data: Dataset, share: float, most: int, seed: int) -> tuple[Dataset, list[Case]]:
    """What may be learned from, and at most `most` people to ask about. `most` 0 keeps nothing out.

    The last day of a chosen person is everything from 24 hours before the last purchase (in a shop without
    purchases: the last sign of anything) on; people without anything before it are left as they are.
    """
    if not most or not len(data):
        return data, []
    rank = chances(data.surrogates, seed)
    began = _last_days(data)
    first = np.full(data.people, np.iinfo(np.int64).max)
    np.minimum.at(first, data.person, data.at)
    chosen = (rank < share) & (began > first)
    late: Mask = chosen[data.person] & (data.at >= began[data.person])
    asked = np.flatnonzero(chosen)
    asked = asked[np.argsort(rank[asked], kind="stable")][:most]
    return data.select(~late), _cases(data, late, asked.astype(np.int32))


def _last_days(data: Dataset) -> NDArray[np.int64]:
    """When the last day of every person begins, [people]; 0 for those who never wanted anything."""
    last = np.zeros(data.people, np.int64)
    wanted = data.demand
    np.maximum.at(last, data.person[wanted], data.at[wanted])
    began: NDArray[np.int64] = np.maximum(last - DAY, 0)
    return began


def _cases(data: Dataset, late: Mask, people: Ints) -> list[Case]:
    asked = np.isin(data.person, people)
    pasts, futures = data.select(asked & ~late), data.select(asked & late & data.demand)
    cases = []
    for person in people.tolist():
        future = futures.person == person
        cases.append(
            Case(pasts.select(pasts.person == person), np.unique(futures.item[future]), float(futures.at[future].min()))
        )
    return cases


def chances(surrogates: NDArray[np.int64], seed: int) -> NDArray[np.float64]:
    """A number in 0..1 per person, the same in every training (splitmix64 of the surrogate)."""
    mixed = surrogates.astype(np.uint64) + np.uint64(seed & 0xFFFFFFFF)
    for shift, factor in zip((np.uint64(30), np.uint64(27)), _MIX, strict=True):
        mixed = (mixed ^ (mixed >> shift)) * factor
    mixed ^= mixed >> np.uint64(31)
    drawn: NDArray[np.float64] = mixed / np.float64(2**64)
    return drawn
