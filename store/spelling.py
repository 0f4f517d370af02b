"""Finds the words of the catalogue that are one slip of the finger away from what was typed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from store.records import Ints
from store.search_words import LONGEST_WORD

SHORTEST = 3
"""Shorter words have too many neighbours to guess."""


class Spelling:
    """Words as rows of characters, by length; one query compares a few thousand rows in numpy, no index to keep."""

    def __init__(self, words: Sequence[str]) -> None:
        codes: dict[int, list[int]] = {}
        for code, word in enumerate(words):
            if SHORTEST - 1 <= len(word) <= LONGEST_WORD and word.isalpha():
                codes.setdefault(len(word), []).append(code)
        self._codes = {length: np.array(some, np.int32) for length, some in codes.items()}
        self._rows = {length: _rows([words[code] for code in some], length) for length, some in codes.items()}

    def near(self, word: str) -> Ints:
        """Codes of words one insertion, deletion, substitution or swap of neighbours away, the word itself left out."""
        length = len(word)
        if not SHORTEST <= length <= LONGEST_WORD or not word.isalpha():
            return np.empty(0, np.int32)
        typed = _rows([word], length)[0]
        found = [
            self._codes[other][_one_edit_away(self._rows[other], typed)]
            for other in (length - 1, length, length + 1)
            if other in self._codes
        ]
        return np.concatenate(found) if found else np.empty(0, np.int32)


def _rows(words: Sequence[str], length: int) -> NDArray[np.uint32]:
    joined = "".join(words).encode("utf-32-le")
    return np.frombuffer(joined, np.uint32).reshape(len(words), length)


def _common_start(rows: NDArray[np.uint32], typed: NDArray[np.uint32]) -> NDArray[np.intp]:
    """How many first characters agree, per row."""
    width = min(rows.shape[1], len(typed))
    differ = np.ones((len(rows), width + 1), np.bool_)
    np.not_equal(rows[:, :width], typed[:width], out=differ[:, :width])
    agree: NDArray[np.intp] = differ.argmax(axis=1)
    return agree


def _one_edit_away(rows: NDArray[np.uint32], typed: NDArray[np.uint32]) -> NDArray[np.intp]:
    """Rows at Damerau-Levenshtein distance 1: all but one edit's characters are common start and common end."""
    start = _common_start(rows, typed)
    end = _common_start(rows[:, ::-1], typed[::-1])
    shorter = min(rows.shape[1], len(typed))
    if rows.shape[1] != len(typed):
        longer: NDArray[np.intp] = np.flatnonzero(start + end >= shorter)
        return longer
    same = start == shorter
    swapped = np.flatnonzero(start + end == shorter - 2)
    at = start[swapped]
    crossed = (rows[swapped, at] == typed[at + 1]) & (rows[swapped, at + 1] == typed[at])
    return np.concatenate([np.flatnonzero((start + end >= shorter - 1) & ~same), swapped[crossed]])
