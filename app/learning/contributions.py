"""What each person puts into the item vectors, held to a bound before anything is added up across people.

A person's weights over their items have squares that sum to at most `per_person`, whatever they did: rare items count
more than common ones (Krichene et al., "Private Learning with Public Features" and "Multi-Task Differential Privacy
Under Distribution Skew", ICML 2023, arXiv 2302.07975, section 4), and one with a long history no more than another.
Weights and values lie on a grid of dyadic fractions, so that sums over people are exact in any order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from app.learning.triangles import Doubles
from store.records import Floats, Ints

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

WEIGHT_STEPS = 512.0
"""A weight is a whole number of 1/512, rounded down: rounding never lifts anybody above the bound."""
VALUE_STEPS = 256.0
"""A value is a whole number of 1/256 between 0 and 1."""


@dataclass(frozen=True)
class Contributions:
    """People × items in two matrices of one sparsity: `weights` (squares of a row sum to at most the bound) and
    `values` in 0..1."""

    weights: csr_matrix
    values: csr_matrix

    @property
    def people(self) -> int:
        return int(self.weights.shape[0])

    @property
    def items(self) -> int:
        return int(self.weights.shape[1])

    def rows(self, start: int, stop: int) -> Contributions:
        """The people from `start` to `stop`."""
        return Contributions(self.weights[start:stop], self.values[start:stop])


def contributions(
    interactions: csr_matrix, counts: NDArray[Any], *, exponent: float, per_person: float
) -> Contributions:
    """Bounded contributions of `interactions` [people, items].

    `counts` [items] are people per item as released, noise and all; an item's weight falls with the `exponent`-th
    power of its count. Raises ValueError where a value is not a finite number.
    """
    if not np.isfinite(interactions.data).all():
        raise ValueError("interactions: every value must be a finite number")
    from scipy.sparse import csr_matrix  # the training's; a server does without it

    table = csr_matrix(interactions, dtype=np.float64)
    table.sum_duplicates()
    likes = np.maximum(counts.astype(np.float64), 1.0) ** -exponent
    return Contributions(
        weights=_like(table, bounded_weights(likes[table.indices], table.indptr, per_person)),
        values=_like(table, clipped_values(table.data)),
    )


def bounded_weights(raw: Doubles, starts: Ints, per_person: float) -> Floats:
    """`raw` [entries] scaled so that the squares of each person's (from `starts`, [people + 1]) sum to `per_person`,
    or a little less."""
    lengths = np.diff(starts)
    squares = np.add.reduceat(np.append(raw**2, 0.0), starts[:-1]) if len(lengths) else np.zeros(0)
    scale = np.sqrt(per_person / np.where((lengths > 0) & (squares > 0), squares, 1.0))
    # A hair less than the bound, so that what floating point rounds up stays below it too.
    scaled = raw * np.repeat(scale, lengths) * (1 - 1e-9)
    weights: Floats = (np.floor(scaled * WEIGHT_STEPS) / WEIGHT_STEPS).astype(np.float32)
    return weights


def clipped_values(values: NDArray[np.floating]) -> Floats:
    """Values in 0..1, on their grid."""
    on_grid: Floats = (np.rint(np.clip(values, 0.0, 1.0) * VALUE_STEPS) / VALUE_STEPS).astype(np.float32)
    return on_grid


def _like(table: csr_matrix, data: Floats) -> csr_matrix:
    from scipy.sparse import csr_matrix

    return csr_matrix((data, table.indices, table.indptr), shape=table.shape)
