"""Chooses how a shop's behaviour is learned from by what a slice of it would have foretold: nothing is tuned by hand.

A few people's last interactions are kept out, every candidate is learned from the rest and asked about them. A
candidate replaces the one before it only where it is better by more than the noise of the comparison (one standard
error of the paired difference), so that a small shop keeps what ships. Without an order of time the slice is any part
of the past, an easier question than the future, which flatters what is local: there the powers of the filter have to be
better by 3 % as well (docs/decisions/model-choice.md). Everything is deterministic for a seed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from app.learning.als import Objective, solve_rows, train_item_vectors
from app.learning.lists import Figures, Scores, blended, by_neighbours, by_vectors, recall_and_ndcg
from app.learning.neighbours import Filter, by_source, company, first_of_each, item_degrees, item_neighbours
from app.learning.regression import regression_neighbours
from store.records import Floats, Ints, Mask

Chosen = TypeVar("Chosen")

SHARE = 0.2
"""Of a judged person's items kept out."""
ANY_SLICE_MARGIN = 0.03
"""How much better a filter has to be on a slice that is not the latest."""
LEAST_PEOPLE = 50
"""So few say nothing: what ships is kept."""
PERSONS, SOURCES, TARGETS = (1.0, 0.75, 0.5), (0.5, 0.7, 0.85, 1.0), (0.0, 0.2, 0.35, 0.5)
RIDGES = (100.0, 300.0, 1000.0)
ONE_RIDGE_FROM = 6_000
"""Items from which on the inverse is made for the middle ridge only: it takes the cube of the items."""
TASTES = ((0.4, 4.0), (0.4, 20.0), (1.2, 4.0), (1.2, 60.0), (2.0, 10.0), (2.5, 30.0))
"""Regularisation and weight of the unobserved (app/learning/als.py, Objective.of)."""
TRIAL_DIMENSIONS, TRIAL_ITERATIONS, BLEND_ITERATIONS = 64, 8, 8
PARTS = (0.0, 0.1, 0.2, 0.4, 0.8, 1.6)


@dataclass(frozen=True)
class Taste:
    """How item vectors are learned."""

    regularization: float = 1.0
    unobserved_weight: float = 15.0

    def objective(self, values: csr_matrix) -> Objective:
        return Objective.of(values, self.regularization, self.unobserved_weight)

    def item_vectors(self, values: csr_matrix, dimensions: int, iterations: int, seed: int) -> Floats:
        """[items, dimensions]"""
        return train_item_vectors(
            values, self.objective(values), dimensions=dimensions, iterations=iterations, seed=seed
        )  # fmt: skip

    def people(self, histories: csr_matrix, vectors: Floats, values: csr_matrix) -> Floats:
        """The vectors [people, dimensions] of histories, as the server solves them when it reads a visitor; the item
        vectors were learned from `values`."""
        return solve_rows(histories, vectors, self.objective(values).people)


@dataclass(frozen=True)
class Choice:
    """What to learn with."""

    filter: Filter = field(default_factory=lambda: Filter(1.0, 0.7, 0.2))
    keep: int = 100
    ridge: float = 0.0
    """Of the regression that makes the neighbours; 0: the filter does."""
    taste: Taste = field(default_factory=Taste)
    part: float = 0.2
    """What the learned vectors count beside the neighbours, each scaled to a largest score of 1."""
    people: int = 0
    """By how many it was judged; 0: not judged, this is what ships."""
    figures: Mapping[str, float] = field(default_factory=dict, hash=False, compare=False)

    def card(self) -> dict[str, Any]:
        """For the model card."""
        return asdict(self)

    def neighbours(self, touched: csr_matrix) -> csr_matrix:
        """The matrix this choice learns from people × items, ones."""
        if self.ridge:
            return regression_neighbours(touched, ridge=self.ridge, keep=self.keep)
        powers = self.filter
        return item_neighbours(
            touched, keep=self.keep, person_power=powers.person, source_power=powers.source, target_power=powers.target
        )


@dataclass(frozen=True)
class Slice:
    """A training set with some of it kept out. Rows of `histories`, `values` and `wanted` are the judged people."""

    touched: csr_matrix
    values: csr_matrix
    histories: csr_matrix
    history_values: csr_matrix
    wanted: csr_matrix
    margin: float = 0.0
    """By how much of it a figure has to be better, beyond the noise, for the powers of the filter to change."""

    @property
    def people(self) -> int:
        return int(self.wanted.shape[0])

    @cached_property
    def degree(self) -> Floats:
        return item_degrees(self.touched)

    @cached_property
    def rows(self) -> Ints:
        """Items of the judged histories: only their neighbours matter here."""
        return np.unique(self.histories.indices).astype(np.int32)


def keep_out(values: csr_matrix, order: NDArray[Any] | None, *, most: int, seed: int) -> Slice:
    """Keep out the last fifth of the items of at most `most` people, by `order` [nnz], or any fifth without an order.

    `values` [people, items] with sorted columns. Who has fewer than 5 items is not asked.
    """
    random = np.random.default_rng(seed)
    lengths = np.diff(values.indptr)
    able = np.flatnonzero(lengths >= 1 / SHARE)
    judged = np.sort(random.permutation(able)[:most])
    person = np.repeat(np.arange(len(lengths)), lengths)
    place = _place_within(person, values.indptr, random.random(values.nnz) if order is None else order)
    asked = np.zeros(len(lengths), np.bool_)
    asked[judged] = True
    out = asked[person] & (place >= lengths[person] - np.floor(SHARE * lengths[person]))
    ones = csr_matrix((np.ones(values.nnz, np.float32), values.indices, values.indptr), shape=values.shape)
    kept = _only(values, ~out)
    touched = _only(ones, ~out)
    return Slice(touched, kept, touched[judged], kept[judged], _only(ones, out)[judged],
                 ANY_SLICE_MARGIN if order is None else 0.0)  # fmt: skip


def choose(
    values: csr_matrix,
    order: NDArray[Any] | None,
    *,
    start: Choice,
    dimensions: int,
    dense_below: int,
    most: int,
    seed: int,
    dense_keep: int = 0,
    said: Callable[[str], None] = lambda _: None,
) -> Choice:
    """The choice for people × items `values` > 0, from `start`, whose `keep` is the most neighbours that may be kept
    (`dense_keep`, where it is more, of a regression, which loses by every cut).

    `most` people are asked at most; 0 asks nobody and keeps `start`.
    """
    data = keep_out(values, order, most=most, seed=seed)
    if data.people < LEAST_PEOPLE:
        return start
    chosen, matrix, figures = _choose_neighbours(data, start, dense_below, max(dense_keep, start.keep), said)
    neighbours = by_neighbours(data.histories, matrix)
    taste = _choose_taste(data, start.taste, min(dimensions, TRIAL_DIMENSIONS), seed, said)
    learned = taste.item_vectors(data.values, dimensions, BLEND_ITERATIONS, seed)
    vectors = by_vectors(taste.people(data.history_values, learned, data.values), learned)
    own = _figures(vectors, data)
    weighed = {0.0: figures}
    for share in PARTS[1:]:
        weighed[share] = _figures(blended(neighbours, vectors, share, data.histories), data)
    part = better(weighed, 0.0)
    said(f"part of the vectors {part:g}: {_mean(weighed[part])}")
    return replace(
        chosen, taste=taste, part=part, people=data.people,
        figures={"neighbours": _mean(figures), "vectors": _mean(own), "both": _mean(weighed[part])},
    )  # fmt: skip


def better(figures: Mapping[Chosen, Figures], current: Chosen, margin: float = 0.0) -> Chosen:
    """The one with the best mean, unless it beats `current` by no more than a standard error of their difference, or
    by no more than `margin` of what `current` reaches."""
    best = max(figures, key=lambda name: float(figures[name].mean()))
    gained = figures[best] - figures[current]
    error = float(gained.std(ddof=1)) / np.sqrt(len(gained)) if len(gained) > 1 else np.inf
    return best if float(gained.mean()) > max(error, margin * float(figures[current].mean())) else current


def _choose_neighbours(
    data: Slice, start: Choice, dense_below: int, dense_keep: int, said: Callable[[str], None]
) -> tuple[Choice, csr_matrix, Figures]:
    """The best of the linear filters, and of the regression where the catalogue allows it; with its matrix."""
    filters = _Filters(data, start)
    chosen, known = start, {start: filters.figures(start)}
    for step in _steps(start):
        known |= {candidate: filters.figures(candidate) for candidate in step(chosen) if candidate not in known}
        chosen = better({candidate: known[candidate] for candidate in (chosen, *step(chosen))}, chosen, data.margin)
    said(f"filter {chosen.filter}, {chosen.keep} kept: {_mean(known[chosen])} (as it ships: {_mean(known[start])})")
    matrix = filters.matrix(chosen)
    items = data.touched.shape[1]
    if items < dense_below:
        best, found = chosen, matrix
        for ridge in RIDGES if items < ONE_RIDGE_FROM else RIDGES[1:2]:
            candidate = replace(chosen, ridge=ridge, keep=dense_keep)
            other = candidate.neighbours(data.touched)
            known[candidate] = _figures(by_neighbours(data.histories, other), data)
            said(f"regression, ridge {ridge:g}: {_mean(known[candidate])}")
            if known[candidate].mean() > known[best].mean():
                best, found = candidate, other
        # What ships has to be beaten beyond the noise; of two that beat it, the better one counts.
        if better({start: known[start], best: known[best]}, start) == best:
            chosen, matrix = best, found
    return chosen, matrix, known[chosen]


def _steps(start: Choice) -> list[Callable[[Choice], list[Choice]]]:
    """One thing at a time: every step gives the candidates beside what is chosen so far."""

    def targets(now: Choice) -> list[Choice]:
        return [replace(now, filter=replace(now.filter, target=power)) for power in TARGETS]

    def sources(now: Choice) -> list[Choice]:
        return [replace(now, filter=replace(now.filter, source=power)) for power in SOURCES]

    def persons(now: Choice) -> list[Choice]:
        return [replace(now, filter=replace(now.filter, person=power)) for power in PERSONS]

    def keeps(now: Choice) -> list[Choice]:
        return [replace(now, keep=max(1, start.keep // part)) for part in (8, 4, 2)]

    return [targets, sources, persons, targets, sources, keeps]


class _Filters:
    """Filters of one slice: the product over people is made once per power of it."""

    def __init__(self, data: Slice, start: Choice) -> None:
        self._data, self._start = data, start
        self._made: dict[tuple[float, float], csr_matrix] = {}

    def matrix(self, choice: Choice) -> csr_matrix:
        """Rows of the judged items only."""
        powers = choice.filter
        if (powers.person, powers.target) not in self._made:
            # All targets of the first power are asked about; of the others hardly more than the one chosen by then.
            first = powers.person == self._start.filter.person
            targets = sorted({*TARGETS, powers.target}) if first else [powers.target]
            cuts = company(self._data.touched, powers.person, targets, keep=self._start.keep, rows=self._data.rows)
            self._made |= {(powers.person, target): cut for target, cut in zip(targets, cuts, strict=True)}
        cut = first_of_each(self._made[powers.person, powers.target], choice.keep)
        return by_source(cut, self._data.degree, powers.source)

    def figures(self, choice: Choice) -> Figures:
        return _figures(by_neighbours(self._data.histories, self.matrix(choice)), self._data)


def _choose_taste(data: Slice, start: Taste, dimensions: int, seed: int, said: Callable[[str], None]) -> Taste:
    """The best way to learn vectors, tried in as many dimensions as will be learned: fewer favour other settings."""
    known: dict[Taste, Figures] = {}
    for taste in dict.fromkeys((start, *(Taste(*pair) for pair in TASTES))):
        vectors = taste.item_vectors(data.values, dimensions, TRIAL_ITERATIONS, seed)
        known[taste] = _figures(by_vectors(taste.people(data.history_values, vectors, data.values), vectors), data)
    chosen = better(known, start)
    said(f"vectors {chosen}: {_mean(known[chosen])} (as it ships: {_mean(known[start])})")
    return chosen


def _figures(scores: Scores, data: Slice) -> Figures:
    """Mean of Recall@20 and NDCG@20 of every judged person."""
    recall, ndcg = recall_and_ndcg(scores, data.histories, data.wanted)
    return (recall + ndcg) / 2


def _mean(figures: Figures) -> float:
    return round(float(figures.mean()), 4)


def _place_within(person: NDArray[np.int64], starts: Ints, order: NDArray[Any]) -> NDArray[np.int64]:
    """The place 0, 1, … of every entry among those of its person, lowest `order` first."""
    by_order = np.lexsort((order, person))
    place = np.empty(len(person), np.int64)
    place[by_order] = np.arange(len(person)) - starts[:-1].astype(np.int64)[person]
    return place


def _only(table: csr_matrix, kept: Mask) -> csr_matrix:
    """The entries of `table` that are `kept` [nnz]."""
    before = np.concatenate([[0], np.cumsum(kept)])
    return csr_matrix((table.data[kept], table.indices[kept], before[table.indptr]), shape=table.shape)
