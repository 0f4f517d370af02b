"""Learn a vector per product from who bought or viewed what, and a vector per shopper from their own history.

Implicit alternating least squares (Hu, Koren, Volinsky, ICDM 2008) with the frequency-scaled regularisation and the
initialisation of Rendle et al., "Revisiting the Performance of iALS on Item Recommendation Benchmarks" (RecSys 2022,
sections 3 and 4, exponent 1): minimise

    sum over observed (p, i) of  c_pi (1 - x_p . y_i)^2   +   a sum over all (p, i) of (x_p . y_i)^2
    + r sum_p (n_p + w P) |x_p|^2  +  r sum_i (n_i + w I) |y_i|^2

with c the value of the interaction, n the number of entries of a row, P and I its mean over people and over items. What
the paper leaves to be searched anew for every catalogue, a and r, follows from two settings that mean the same for any
size and density (`Objective.of`). The product keeps only the item vectors; a shopper's is solved when it is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from store import loops
from store.records import Floats, Ints

# One batch of gathered vectors takes at most this many floats (16 MB), whatever the data.
_BATCH_FLOATS = 4_000_000
GRADIENT_STEPS = 3
MOST_CHANCE = 0.75
"""With a handful of people nothing is beyond chance; how often a thing is met at all is to be left of it."""
ASKED, LEAST_SCORE = 1000, 0.003
"""So many people are asked whether vectors say anything: not where the mean score of their own items is below that."""


class Half(NamedTuple):
    """What the rows of one half of a step are solved with."""

    everywhere: float
    """a, the weight of the square of every score, observed or not."""
    ridge: float
    """r, for each entry of a row."""
    unobserved: float
    """As so many entries more count, in the ridge, all that is not observed."""


@dataclass(frozen=True)
class Objective:
    """What is minimised."""

    people: Half
    items: Half

    @classmethod
    def of(cls, interactions: csr_matrix, regularization: float, unobserved_weight: float) -> Objective:
        """The objective for `interactions` [people, items], whatever their number.

        `unobserved_weight` w: all that a person did not touch weighs w times what they did, on average, but (in a very
        small shop, where people touch a good part of it) no single thing more than one they touched. The ridge is
        `regularization` times the variance of chance: of C / sqrt(ridge of the row times ridge of the column) the
        vectors are the leading directions, and if everybody had touched anything at random, the longest of these would
        be 1 / sqrt(P) + 1 / sqrt(I) of the one that only says how often a row is met at all.
        """
        people = max(1, int((np.diff(interactions.indptr) > 0).sum()))
        items = max(1, len(np.unique(interactions.indices)))
        entries = max(1, interactions.nnz)
        mean = float(interactions.data.mean(dtype=np.float64)) if interactions.nnz else 1.0
        density = entries / people / items
        weight = unobserved_weight / (1 + unobserved_weight * density)
        chance = min((sqrt(people / entries) + sqrt(items / entries)) ** 2, MOST_CHANCE)
        ridge = regularization * chance * mean / (1 + weight)
        return cls(
            Half(weight * density * mean, ridge, weight * entries / people),
            Half(weight * density * mean, ridge, weight * entries / items),
        )


def train_item_vectors(
    interactions: csr_matrix,
    objective: Objective,
    *,
    dimensions: int = 64,
    iterations: int = 8,
    seed: int,
    threads: int = 1,
    progress: Callable[[int], None] | None = None,
) -> Floats:
    """Item vectors [items, dimensions] for `interactions` [people, items] whose values are weights > 0.

    Where the loops are compiled, each row is brought `GRADIENT_STEPS` conjugate gradients nearer to its optimum per
    iteration, on `threads` cores with the same bits; else it is solved, which takes some ten times as long.
    Items nobody touched get a zero vector. `progress` hears the number of finished iterations.
    Raises ValueError when there is nothing to learn from or a value is not a positive finite number.
    """
    if interactions.nnz == 0:
        raise ValueError("interactions: empty; at least one person must have touched one item")
    if not (np.isfinite(interactions.data).all() and (interactions.data > 0).all()):
        raise ValueError("interactions: every value must be a finite number above 0")
    by_person = csr_matrix(interactions, dtype=np.float32)
    by_item = csr_matrix(by_person.T)
    random = np.random.default_rng(seed)
    items = random.normal(0, 0.1 / np.sqrt(dimensions), (by_person.shape[1], dimensions)).astype(np.float32)
    people = np.zeros((by_person.shape[0], dimensions), np.float32)

    def improved(rows: csr_matrix, columns: Floats, before: Floats, half: Half) -> Floats:
        return nearer(rows, columns, before, half, threads) if loops.COMPILED else solve_rows(rows, columns, half)

    for iteration in range(iterations):
        people = improved(by_person, items, people, objective.people)
        items = improved(by_item, people, items, objective.items)
        if progress is not None:
            progress(iteration + 1)
    return items


def say_nothing(interactions: csr_matrix, item_vectors: Floats, objective: Objective) -> bool:
    """Whether the vectors give nobody's own items a score to speak of (1 is meant): too much regularisation, or too
    little to learn from."""
    touched = np.flatnonzero(np.diff(interactions.indptr))
    some = csr_matrix(interactions[touched[:: max(1, len(touched) // ASKED)]], dtype=np.float32)
    people = solve_rows(some, item_vectors, objective.people)
    owner = np.repeat(np.arange(some.shape[0]), np.diff(some.indptr))
    scores = np.einsum("nd,nd->n", people[owner], item_vectors[some.indices])
    return not float(scores.mean()) >= LEAST_SCORE


def nearer(rows: csr_matrix, columns: Floats, before: Floats, half: Half, threads: int = 1) -> Floats:
    """A few preconditioned conjugate gradients for every row (Takács, Pilászy & Tikk, RecSys 2011), in the eigenbasis
    in which what is the same for everybody is diagonal: vectors [rows, d] nearer to their optimum than those of
    `before`, given the vectors [columns, d]. The ridge of a row with n entries is `ridge` (n + `unobserved`)."""
    gram = columns.T.astype(np.float64) @ columns.astype(np.float64)
    spectrum, basis = np.linalg.eigh(gram)
    turn = basis.astype(np.float32)
    table, found = (np.ascontiguousarray(vectors @ turn, np.float32) for vectors in (columns, before))
    starts = rows.indptr.astype(np.int64)
    found[starts[1:] == starts[:-1]] = 0
    shared = (half.everywhere * np.maximum(spectrum, 0)).astype(np.float32)

    def part(first: int, stop: int) -> None:
        loops.als_rows(
            starts, rows.indices, rows.data, table, shared, found, first, stop, half.ridge, half.unobserved,
            GRADIENT_STEPS,
        )  # fmt: skip

    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(part, *piece) for piece in _pieces(starts, threads * 4)]:
            done.result()
    return (found @ turn.T).astype(np.float32, copy=False)


def _pieces(starts: NDArray[np.int64], pieces: int) -> list[tuple[int, int]]:
    """Ranges of rows with about as many entries each."""
    goals = np.linspace(0, starts[-1], pieces + 1)[1:-1]
    cuts = [0, *np.searchsorted(starts, goals).tolist(), len(starts) - 1]
    return [(first, stop) for first, stop in pairwise(cuts) if first < stop]


def solve_rows(rows: csr_matrix, columns: Floats, half: Half) -> Floats:
    """The best vector [rows, d] of every row of `rows` when the vectors [columns, d] of its columns are given.

    In the eigenbasis of the columns' Gram matrix everything but the row's own entries is diagonal, so a row with fewer
    entries than dimensions needs a system of its entries only (push-through identity), and most rows are short.
    """
    gram = columns.T.astype(np.float64) @ columns.astype(np.float64)
    spectrum, basis = np.linalg.eigh(gram)
    rotated = (columns @ basis).astype(np.float32)
    solved = np.zeros((rows.shape[0], columns.shape[1]), dtype=np.float32)
    lengths = np.diff(rows.indptr)
    for chosen, width in _batches_of_like_length(lengths, columns.shape[1]):
        indices, weights = _padded(rows, chosen, lengths[chosen], width)
        ridge = half.ridge * (lengths[chosen] + half.unobserved)
        diagonal = half.everywhere * np.maximum(spectrum, 0)[None, :] + ridge[:, None]
        shrink = (1 / np.sqrt(diagonal)).astype(np.float32)
        solved[chosen] = _solve_batch(rotated[indices], np.sqrt(weights), shrink)
    vectors: Floats = (solved @ basis.T).astype(np.float32)
    return vectors


def unobserved_gram(item_vectors: Floats, unobserved_weight: float) -> Floats:
    """The part [d, d] of a shopper's system that is the same for everybody: the weight of all items not touched."""
    exact = item_vectors.T.astype(np.float64) @ item_vectors.astype(np.float64)
    return (unobserved_weight * exact).astype(np.float32)


def _batches_of_like_length(lengths: Ints, dimensions: int) -> Iterator[tuple[NDArray[np.int64], int]]:
    """Row numbers in batches that are padded to one width without much waste; rows without entries are left out."""
    order = np.argsort(lengths, kind="stable")
    start = int(np.searchsorted(lengths[order], 1))
    while start < len(order):
        shortest = int(lengths[order[start]])
        longest = shortest if shortest <= dimensions else int(shortest * 1.15)
        stop = int(np.searchsorted(lengths[order], longest, side="right"))
        size = max(1, _BATCH_FLOATS // (longest * dimensions))
        for first in range(start, stop, size):
            chosen = order[first : min(first + size, stop)]
            yield chosen, int(lengths[chosen].max())
        start = stop


def _padded(rows: csr_matrix, chosen: NDArray[np.int64], lengths: Ints, width: int) -> tuple[Ints, Floats]:
    """Column numbers and weights [rows, width]; what is padded has weight 0, which leaves every solution as it is."""
    positions = np.arange(width)[None, :]
    inside = positions < lengths[:, None]
    entries = np.where(inside, rows.indptr[chosen][:, None] + positions, 0)
    return rows.indices[entries], np.where(inside, rows.data[entries], np.float32(0))


def _solve_batch(vectors: Floats, roots: Floats, shrink: Floats) -> Floats:
    """Ridge solutions [b, d] for vectors [b, n, d], roots of the weights [b, n] and 1/sqrt(ridge) [b, d]."""
    vectors *= roots[:, :, None]
    vectors *= shrink[:, None, :]
    turned = vectors.transpose(0, 2, 1)
    if vectors.shape[1] <= vectors.shape[2]:
        system = vectors @ turned
        _add_identity(system)
        by_entry = np.linalg.solve(system, roots[:, :, None])
        return shrink * (turned @ by_entry)[:, :, 0]
    system = turned @ vectors
    _add_identity(system)
    return shrink * np.linalg.solve(system, turned @ roots[:, :, None])[:, :, 0]


def _add_identity(systems: Floats) -> None:
    diagonal = np.arange(systems.shape[1])
    systems[:, diagonal, diagonal] += 1
