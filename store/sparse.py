"""A sparse matrix by rows, as far as serving needs it: to look rows up. scipy knows more, and takes long to load."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class Rows(Protocol):
    """Row `r` has the numbers `indices[indptr[r]:indptr[r + 1]]`, with `data` of the same places, as a csr_matrix."""

    @property
    def indptr(self) -> Array: ...
    @property
    def indices(self) -> Array: ...
    @property
    def data(self) -> Array: ...


@dataclass(frozen=True, eq=False)
class StoredRows:
    """Rows whose lengths fit; what an entry points to is looked at when it is followed."""

    indptr: Array
    indices: Array
    data: Array

    def __post_init__(self) -> None:
        """Raises ValueError."""
        starts, entries = self.indptr, len(self.indices)
        ordered = len(starts) > 0 and starts[0] == 0 and starts[-1] == entries and not np.any(starts[1:] < starts[:-1])
        if not ordered or len(self.data) != entries:
            raise ValueError(f"{len(starts)} starts, {entries} numbers and {len(self.data)} strengths are no matrix")


def row(matrix: Rows, number: int) -> tuple[Array, Array]:
    """Numbers and strengths of one row."""
    entries = slice(int(matrix.indptr[number]), int(matrix.indptr[number + 1]))
    return matrix.indices[entries], matrix.data[entries]
