"""What item vectors are learned from: sums over people of their own vectors, each person bounded, the sums exact.

A person's vector u is the exact ridge solution over their own items given the item vectors V (Chien et al., ICML 2021,
arXiv 2107.09802, algorithm 1): u = (sum v v' + a0 V'V + r I)^-1 sum v y, cut to length B. The sums are then

    G = sum u u' / B²,    L_i = sum w u u' / B²,    R_i = sum w y u / B

over all people, or over those who touched item i with weight w and value y. Adding or removing one person changes G by
at most 1, all L_i together by at most sqrt(k), all R_i together by at most sqrt(k), k the bound on sum w²; meant is the
length of the vector of all their numbers. u / B is rounded towards 0 to a grid of dyadic fractions, and w and y lie on
such grids, so every sum is exact in double precision: the bounds hold to the last bit, and any order of adding gives
the same bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from app.learning.contributions import Contributions, clipped_values
from app.learning.triangles import Doubles
from store import loops
from store.records import Floats, Ints

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

VECTOR_STEPS = 1024.0
"""An entry of u / B is a whole number of 1/1024. With weights of 1/512, sums of 16 million people are exact."""

PEOPLE_AT_ONCE = 8192
"""So many people are solved and added up at a time: their vectors stay in the processor's cache while they are."""


@dataclass(frozen=True)
class Ridge:
    """What a person's vector is solved with: `unobserved` a0, `regularization` r, `longest` B."""

    unobserved: float
    regularization: float
    longest: float


@dataclass(frozen=True)
class Statistics:
    """Sums over people, triangles of symmetric matrices not scaled: `gram` [t], `left` [items, t], `right` [items, d],
    t = d (d + 1) / 2."""

    gram: Doubles
    left: Doubles
    right: Doubles


def statistics(people: Contributions, item_vectors: Floats, ridge: Ridge, block: slice) -> Statistics:
    """The sums over `people`, given `item_vectors` [items, d], for the items of `block`."""
    from scipy.sparse import csr_matrix  # the training's; a server does without it

    dimensions = item_vectors.shape[1]
    entries = dimensions * (dimensions + 1) // 2
    start, stop, _ = block.indices(len(item_vectors))
    gram = np.zeros((dimensions, dimensions))
    left, right = np.zeros((stop - start, entries)), np.zeros((stop - start, dimensions))
    for first in range(0, people.people, PEOPLE_AT_ONCE):
        some = people.rows(first, first + PEOPLE_AT_ONCE)
        vectors = on_grid(clipped(solved(some.values, item_vectors, ridge), ridge.longest))
        gram += vectors.T @ vectors
        weights, values = (csr_matrix(table[:, start:stop].T) for table in (some.weights, some.values))
        loops.squares_by_row(
            weights.indptr.astype(np.int64), weights.indices.astype(np.int32, copy=False), weights.data, values.data,
            vectors, left, right,
        )  # fmt: skip
    return Statistics(gram[np.triu_indices(dimensions)], left, right)


def solved(values: csr_matrix, item_vectors: Floats, ridge: Ridge) -> Floats:
    """The vector [people, d] of every row of `values` [people, items]; a row without entries has 0."""
    vectors = np.ascontiguousarray(item_vectors, np.float32)
    solution = np.empty((values.shape[0], vectors.shape[1]), np.float32)
    loops.ridge_rows(
        values.indptr.astype(np.int64), values.indices.astype(np.int32, copy=False),
        values.data.astype(np.float32, copy=False), vectors, shared_part(vectors, ridge), solution,
    )  # fmt: skip
    return solution


def shared_part(item_vectors: Floats, ridge: Ridge) -> Floats:
    """The part [d, d] of everybody's system: a0 V'V + r I."""
    exact = item_vectors.T.astype(np.float64) @ item_vectors.astype(np.float64)
    return (ridge.unobserved * exact + ridge.regularization * np.eye(len(exact))).astype(np.float32)


def solved_alone(item_vectors: Floats, items: Ints, weights: Floats, shared: Floats) -> Floats | None:
    """The vector [d] of one person from what they touched and how much they wanted it; costs no budget.

    `shared` [d, d] is `shared_part` of all item vectors, made once per generation. Gives what `solved` gives. Items
    beyond the rows and weights of 0 or less are left out; None where no other item has a vector.
    """
    usable = (items >= 0) & (items < len(item_vectors)) & (weights > 0)
    own = item_vectors.take(items[usable], axis=0)
    if not (own[:, 0] != 0).any():
        return None
    liked = clipped_values(weights[usable]) @ own
    solution: Floats = np.linalg.solve(own.T @ own + shared, liked).astype(np.float32)
    return solution


def clipped(vectors: Floats, longest: float) -> Doubles:
    """`vectors` [people, d] in units of `longest`, none longer than 1; what is not finite becomes 0."""
    units = np.where(np.isfinite(vectors), vectors, 0.0).astype(np.float64) / longest
    lengths = np.linalg.norm(units, axis=1, keepdims=True)
    cut: Doubles = units / np.maximum(lengths, 1.0)
    return cut


def on_grid(units: Doubles) -> Doubles:
    """`units` rounded towards 0 to whole steps: no vector gets longer."""
    rounded: Doubles = np.trunc(units * (VECTOR_STEPS * (1 - 1e-12))) / VECTOR_STEPS
    return rounded
