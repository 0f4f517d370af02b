"""Symmetric matrices as rows of their upper triangles: half the memory, and noise with the right length.

With the entries off the diagonal multiplied by the root of two a triangle is as long (Euclid) as its matrix
(Frobenius), so a bound on the one is a bound on the other.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Real = TypeVar("Real", np.float32, np.float64)


def outer_triangles(vectors: NDArray[Real]) -> NDArray[Real]:
    """The upper triangle [n, d (d + 1) / 2] of v v' for every row v of `vectors` [n, d], not scaled."""
    first, second = np.triu_indices(vectors.shape[1])
    products: NDArray[Real] = vectors[:, first]
    products *= vectors[:, second]
    return products


def matrices(triangles: NDArray[Real]) -> NDArray[Real]:
    """The symmetric matrices [..., d, d] of `triangles` [..., d (d + 1) / 2]."""
    d = dimension_of(triangles.shape[-1])
    first, second = np.triu_indices(d)
    place = np.zeros((d, d), np.intp)
    place[first, second] = place[second, first] = np.arange(len(first))
    full: NDArray[Real] = triangles[..., place]
    return full


def lengthening(dimensions: int) -> Doubles:
    """What a triangle is multiplied with to be as long as its matrix; divided by it, it is a triangle again."""
    first, second = np.triu_indices(dimensions)
    return np.where(first == second, 1.0, np.sqrt(2.0))


def dimension_of(entries: int) -> int:
    """The d of a triangle with so many entries."""
    return int((np.sqrt(8 * entries + 1) - 1) / 2)


def nearest_psd(full: Doubles) -> Doubles:
    """The positive semidefinite matrices [..., d, d] nearest to symmetric ones: negative eigenvalues become 0."""
    values, basis = np.linalg.eigh(full)
    projected: Doubles = (basis * np.maximum(values, 0)[..., None, :]) @ np.swapaxes(basis, -1, -2)
    return projected
