"""Learn a vector per product from who bought or viewed what, and a vector per shopper from their own history.

Implicit alternating least squares (Hu, Koren, Volinsky, ICDM 2008) with the objective, the frequency-scaled
regularisation and the initialisation of Rendle et al., "Revisiting the Performance of iALS on Item Recommendation
Benchmarks" (RecSys 2022, sections 3 and 4, exponent 1): minimise

    sum over observed (p, i) of  c_pi (1 - x_p . y_i)^2   +   a sum over all (p, i) of (x_p . y_i)^2
    + r sum_p (n_p + a I) |x_p|^2  +  r sum_i (n_i + a P) |y_i|^2

with c the value of the interaction, a `unobserved_weight`, r `regularization`, n the number of entries of a row,
I items and P people. The product keeps only the item vectors; a shopper's vector is solved when it is read.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from store import loops
from store.records import Floats, Ints

# One batch of gathered vectors takes at most this many floats (16 MB), whatever the data.
_BATCH_FLOATS = 4_000_000
GRADIENT_STEPS = 3


def train_item_vectors(
    interactions: csr_matrix,
    *,
    dimensions: int = 64,
    iterations: int = 8,
    regularization: float = 0.007,
    unobserved_weight: float = 0.05,
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
    options = {"regularization": regularization, "unobserved_weight": unobserved_weight}

    def improved(rows: csr_matrix, columns: Floats, before: Floats) -> Floats:
        return (
            improve_rows(rows, columns, before, threads=threads, **options)
            if loops.COMPILED
            else solve_rows(rows, columns, **options)
        )

    for iteration in range(iterations):
        people = improved(by_person, items, people)
        items = improved(by_item, people, items)
        if progress is not None:
            progress(iteration + 1)
    return items


def improve_rows(
    rows: csr_matrix, columns: Floats, before: Floats, *, regularization: float, unobserved_weight: float, threads: int
) -> Floats:
    """Vectors [rows, d] nearer to their optimum than those of `before`, given the vectors [columns, d]."""
    return nearer(
        rows, columns, before, everywhere=unobserved_weight, ridge=regularization,
        unobserved=unobserved_weight * columns.shape[0], threads=threads,
    )  # fmt: skip


def nearer(
    rows: csr_matrix, columns: Floats, before: Floats, *, everywhere: float, ridge: float, unobserved: float,
    threads: int = 1,
) -> Floats:  # fmt: skip
    """A few preconditioned conjugate gradients for every row (Takács, Pilászy & Tikk, RecSys 2011), in the eigenbasis
    in which what is the same for everybody, `everywhere` times the columns' Gram matrix, is diagonal.

    The ridge of a row with n entries is `ridge` (n + `unobserved`).
    """
    gram = columns.T.astype(np.float64) @ columns.astype(np.float64)
    spectrum, basis = np.linalg.eigh(gram)
    turn = basis.astype(np.float32)
    table, found = (np.ascontiguousarray(vectors @ turn, np.float32) for vectors in (columns, before))
    starts = rows.indptr.astype(np.int64)
    found[starts[1:] == starts[:-1]] = 0
    shared = (everywhere * np.maximum(spectrum, 0)).astype(np.float32)

    def part(first: int, stop: int) -> None:
        loops.als_rows(
            starts, rows.indices, rows.data, table, shared, found, first, stop, ridge, unobserved, GRADIENT_STEPS
        )

    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(part, *piece) for piece in _pieces(starts, threads * 4)]:
            done.result()
    return (found @ turn.T).astype(np.float32, copy=False)


def _pieces(starts: NDArray[np.int64], pieces: int) -> list[tuple[int, int]]:
    """Ranges of rows with about as many entries each."""
    goals = np.linspace(0, starts[-1], pieces + 1)[1:-1]
    cuts = [0, *np.searchsorted(starts, goals).tolist(), len(starts) - 1]
    return [(first, stop) for first, stop in pairwise(cuts) if first < stop]


def solve_rows(rows: csr_matrix, columns: Floats, *, regularization: float, unobserved_weight: float) -> Floats:
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
        ridge = regularization * (lengths[chosen] + unobserved_weight * columns.shape[0])
        diagonal = unobserved_weight * np.maximum(spectrum, 0)[None, :] + ridge[:, None]
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
