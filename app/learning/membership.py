"""Which segments a visitor belongs to, from their own affinities, at the moment they ask; stored nowhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from store.records import Floats

NOBODY: frozenset[str] = frozenset()


class _Places(dict[str, int]):
    """Key -> row of the table; the last row, which says nothing, for keys that are not known."""

    def __missing__(self, key: str) -> int:
        return len(self)


class Membership:
    """Answers within a few microseconds: a visitor has at most some hundred affinities."""

    def __init__(self, keys: Sequence[str], table: Floats, segments: Sequence[str], *, share: float) -> None:
        """`table`, [keys, segments]: where products with a key lie, and how much that says. `share`: from this part of
        a visitor's taste on they belong to a segment."""
        self._places = _Places((key, place) for place, key in enumerate(keys))
        self._table = np.vstack([table, np.zeros((1, len(segments)))]).astype(np.float32)
        self._segments = tuple(segments)
        self._share = share

    def shares(self, affinities: Mapping[str, float]) -> Floats | None:
        """Which part of a visitor's taste lies in each segment, summing to 1, [segments]; None where nothing is known.

        What they dislike counts for nothing.
        """
        count = len(affinities)
        weights = np.fromiter(affinities.values(), np.float32, count)
        places = np.fromiter(map(self._places.__getitem__, affinities), np.intp, count)
        found: Floats = np.maximum(weights, 0) @ self._table.take(places, axis=0)
        total = float(found.sum())
        return found / total if total > 1e-9 else None

    def of(self, affinities: Mapping[str, float]) -> frozenset[str]:
        """Keys of the segments a visitor belongs to."""
        shares = self.shares(affinities)
        if shares is None:
            return NOBODY
        return frozenset(
            [key for key, share in zip(self._segments, shares.tolist(), strict=True) if share >= self._share]
        )
