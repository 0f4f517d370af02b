"""A graph of near neighbours, searched as its file has it: nothing is built anew when a generation is taken over.

hnswlib builds and writes it, in the training. Reading it back the same way holds the interpreter for a third of a
second per 100,000 products, in which no request is answered; its bytes alone are read without holding it.
The walk itself is compiled (store/loops); where it was not, hnswlib opens the file as before.

"""

from __future__ import annotations

import struct
from math import isfinite, isqrt
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from store.beside import PIECE, Rest, at_once, pieces
from store.loops import COMPILED
from store.records import Floats, Ints, Mask

_HEAD = struct.Struct("<6Q2I3QdQ")
"""hnswlib 0.8 `saveIndex`: where links begin in a row, rows there is room for, rows, bytes of a row, where its label
and its vector begin; upper levels, the row to begin at; links a row may have above, below, as asked for; two that only
building needs."""


_NEXT_TO_NOTHING = 1e-37
"""One over it is still a float."""


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
    """Answers with labels and inner products, best first. It compares vectors in whole numbers of 16 bits, scaled so
    that no sum of products leaves 32: half the memory to wait for. Scores are right to a part in a thousand."""

    def __init__(self, path: Path, vectors: Floats, labels: Ints, rest: Rest = at_once) -> None:
        """`vectors` [rows, d] that it was built of; `labels` [rows]: what each row stands for. `rest`: called after
        every little piece of work. Raises GraphUnreadable, or an OSError."""
        self.file = _in_memory(path, rest)
        if len(self.file) < _HEAD.size:
            raise GraphUnreadable("it is cut short")
        _, _, rows, stride, label, vector, levels, entry, above, *_ = _HEAD.unpack(self.file[: _HEAD.size].tobytes())
        end = _HEAD.size + rows * stride
        self._places = np.full(rows, -1, np.int64)
        if end > len(self.file) or upper_links(self.file, end, self._places) != len(self.file):
            raise GraphUnreadable("its length is not what its head says")
        order = np.ndarray(rows, np.uint64, self.file, _HEAD.size + label, (stride,))
        rest()
        for piece in pieces(rows):
            if not (order[piece] == np.arange(piece.start, piece.stop, dtype=np.uint64)).all():
                raise GraphUnreadable("its rows are not in their order: it was built by several threads at once")
        self._labels = labels
        self._most = min(32767, isqrt((2**31 - 1) // max(1, vectors.shape[1])))
        self._unit, self.codes = _codes(vectors, self._most, rest)
        # Without a row there is no level: hnswlib writes -1.
        self._shape = np.array([_HEAD.size, stride, vector, 4 * above + 4, entry, levels if rows else 0], np.int64)

    def search(self, query: Floats, k: int, ef: int, allowed: Mask | None = None) -> tuple[Ints, Floats]:
        """About the `k` best of the rows whose labels are `allowed`, fewer where it met fewer on its way; `ef`: how
        many of the best, allowed or not, it goes on from."""
        found, scores = np.empty(k, np.int32), np.empty(k, np.float32)
        largest = _or_one(float(np.abs(query).max()))
        codes, unit = _whole(query, largest, self._most).astype(np.int16), largest / self._most
        count = walk(self.file, self._places, self._shape, self.codes, codes, ef, self._labels, allowed, found, scores)
        return found[:count], scores[:count] * np.float32(unit * self._unit)


def _codes(vectors: Floats, most: int, rest: Rest) -> tuple[float, NDArray[np.int16]]:
    """The vectors in whole numbers of at most `most`, and what one of them is worth."""
    parts = list(pieces(len(vectors), max(1, PIECE // max(1, vectors.shape[1]))))
    largest = 0.0
    for part in parts:
        top = float(np.abs(vectors[part]).max(initial=0))
        if not isfinite(top):
            raise GraphUnreadable("a vector holds a number that is not finite")
        largest = max(largest, top)
        rest()
    largest = _or_one(largest)
    codes = np.empty(vectors.shape, np.int16)
    for part in parts:
        codes[part] = _whole(vectors[part], largest, most)
        rest()
    return largest / most, codes.ravel()


def _whole(numbers: Floats, largest: float, most: int) -> Floats:
    """-most..most, in two steps: most over the largest may be more than a float can say."""
    found: Floats = np.rint(numbers * np.float32(1 / largest) * np.float32(most))
    return found


def _or_one(largest: float) -> float:
    """What to divide by: where next to nothing is said, nothing is."""
    return largest if largest > _NEXT_TO_NOTHING else 1.0


if COMPILED:
    from store.loops.compiled import upper_links, walk
