"""A graph of near neighbours, searched as its file has it: nothing is built anew when a generation is taken over.

hnswlib builds and writes it, in the training. Reading it back the same way holds the interpreter for a third of a
second per 100,000 products, in which no request is answered; its bytes alone are read without holding it.
The walk itself is compiled (store/loops); where it was not, hnswlib opens the file as before.

"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from store.beside import Rest, at_once, pieces
from store.loops import COMPILED
from store.records import Floats, Ints

_HEAD = struct.Struct("<6Q2I3QdQ")
"""hnswlib 0.8 `saveIndex`: where links begin in a row, rows there is room for, rows, bytes of a row, where its label
and its vector begin; upper levels, the row to begin at; links a row may have above, below, as asked for; two that only
building needs."""


class GraphUnreadable(ValueError):
    """The file is no graph, or cut short."""


def _in_memory(path: Path, rest: Rest) -> NDArray[np.uint8]:
    """The file in memory of its own: only that lies in large pages, and of a mapped file nearly every row that a walk
    looks at would be in a page of its own. Reading lets go of the interpreter."""
    found = np.empty(path.stat().st_size, np.uint8)
    with path.open("rb", buffering=0) as file:
        at = 0
        for piece in pieces(len(found)):
            at += file.readinto(found.data[piece]) or 0
            rest()
    return found[:at]


class MappedGraph:
    """Answers with row numbers and inner products, best first."""

    def __init__(self, path: Path, rest: Rest = at_once) -> None:
        """`rest`: called after every little piece of work. Raises GraphUnreadable, or an OSError."""
        self.file = _in_memory(path, rest)
        if len(self.file) < _HEAD.size:
            raise GraphUnreadable("it is cut short")
        _, _, rows, stride, label, vector, levels, entry, above, *_ = _HEAD.unpack(self.file[: _HEAD.size].tobytes())
        end = _HEAD.size + rows * stride
        self._places = np.full(rows, -1, np.int64)
        if end > len(self.file) or _loops.upper_links(self.file, end, self._places) != len(self.file):
            raise GraphUnreadable("its length is not what its head says")
        labels = np.ndarray(rows, np.uint64, self.file, _HEAD.size + label, (stride,))
        rest()
        for piece in pieces(rows):
            if not (labels[piece] == np.arange(piece.start, piece.stop, dtype=np.uint64)).all():
                raise GraphUnreadable("its rows are not in their order: it was built by several threads at once")
        # Without a row there is no level: hnswlib writes -1.
        self._shape = np.array([_HEAD.size, stride, vector, 4 * above + 4, entry, levels if rows else 0], np.int64)

    def search(self, query: Floats, k: int, ef: int) -> tuple[Ints, Floats]:
        """About the `k` best rows, fewer where the graph does not reach them; `ef` at least `k`."""
        rows, scores = np.empty(k, np.int32), np.empty(k, np.float32)
        found = _loops.walk(self.file, self._places, self._shape, query, max(ef, k), rows, scores)
        return rows[:found], scores[:found]


if COMPILED:
    from store.loops import _loops
