"""Popularity and item vectors of public interactions under differential privacy: for curves of what privacy costs.

    for epsilon in (1.0, 3.0, 8.0, 20.0):
        fit = fit_privately(train, epsilon=epsilon)
        scores = fit.scores(train[some_people])

The same contributions, sums, door and recipe as a shop's training; the budget of one whole window is spent at once, in
a ledger that is thrown away. Not for a shop's people: theirs are only learned from by `personalize train`.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from scipy.sparse import csr_matrix

from app.config import parse_config
from app.learning.contributions import clipped_values, contributions
from app.learning.dp_als import Behind, starting_vectors, steps
from app.learning.engine import sums_over
from app.learning.person_statistics import Ridge, solved
from app.learning.private_vectors import recipe_for
from app.learning.release import Door, open_door
from app.learning.triangles import Doubles
from plugins.engine import InProcess, TrainingEngine
from store.records import Floats


@dataclass(frozen=True)
class PrivateFit:
    """What may be known of the people behind some interactions, and how anyone's vector is solved with it."""

    epsilon: float
    popularity: Doubles
    """About how many people per item, [items]."""
    item_vectors: Floats
    ridge: Ridge

    def people(self, interactions: csr_matrix) -> Floats:
        """The vectors [people, d] of whoever has these `interactions` [people, items]; their own data, so free."""
        values = csr_matrix(interactions, dtype=np.float32, copy=True)
        values.data = clipped_values(values.data)
        return solved(values, self.item_vectors, self.ridge)

    def scores(self, interactions: csr_matrix) -> Floats:
        """How much they like each item, [people, items]."""
        liked: Floats = self.people(interactions) @ self.item_vectors.T
        return liked


def fit_privately(
    interactions: csr_matrix, *, epsilon: float, delta: float = 1e-6, engine: TrainingEngine | None = None
) -> PrivateFit:
    """Learn from `interactions` [people, items], values above 0, with (epsilon, delta) for everything of a person."""
    config = parse_config({"privacy": {"learned": "dp", "epsilon": epsilon, "delta": delta, "first_share": 1.0}})
    options = config.training
    table = csr_matrix(interactions, dtype=np.float32)
    recipe = recipe_for(table.shape[0])
    with TemporaryDirectory(prefix="personalize-fit-") as folder, open_door(Path(folder), config, 0.0) as door:
        popularity = _counted(table, config.privacy.items_per_person, door)
        people = contributions(table, popularity, exponent=recipe.exponent, per_person=recipe.per_person)
        sums = sums_over(
            people, recipe, engine or InProcess(),
            shard_people=options.shard_people, statistics_bytes=options.statistics_mb << 20,
        )  # fmt: skip
        random = np.random.default_rng(secrets.randbits(64))
        start = starting_vectors(table.shape[1], recipe.dimensions, random)
        behind = Behind(np.bincount(table.indices, minlength=table.shape[1]), table.shape[0])
        vectors = start
        for step in steps(sums, recipe, door, start, behind):
            vectors = step.vectors
    return PrivateFit(epsilon, popularity, vectors, recipe.ridge)


def _counted(table: csr_matrix, most: int, door: Door) -> Doubles:
    """People per item, each person counted with `most` of theirs, drawn by lot."""
    lots = np.frombuffer(secrets.token_bytes(8 * table.nnz), np.uint64)
    person = np.repeat(np.arange(table.shape[0]), np.diff(table.indptr))
    order = np.lexsort((lots, person))
    place = np.empty(table.nnz, np.int64)
    place[order] = np.arange(table.nnz) - table.indptr[person]
    counts = np.bincount(table.indices[place < most], minlength=table.shape[1])
    return door.release(
        counts.astype(np.float64), name="counts.items", sensitivity=sqrt(most),
        noise_multiplier=door.multiplier("counts"),
    )  # fmt: skip
