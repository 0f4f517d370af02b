"""The words of a catalogue: their codes, the ones that begin alike, and the ones a misspelt word may have meant."""

from __future__ import annotations

import bisect
from collections.abc import Sequence

import numpy as np

from store.records import Ints
from store.search_words import bulk_words, singular
from store.spelling import Spelling

_PIECE = 200
_NEW_AT_MOST = 1_000
_END = -1


class Vocabulary:
    """Words have dense codes in the order they came; every spelling met is remembered with the word it stands for."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self._codes: dict[str, int] = {}
        self._spellings = {"\n": _END}
        self._written: list[str] = []
        self._sorted: list[str] = []
        self._near = Spelling(())
        self._near_new = Spelling(())
        self._sorted_count = self._settled = 0

    def __len__(self) -> int:
        return len(self.words)

    def find(self, word: str) -> int:
        """The code of a folded word, -1 where it never came."""
        return self._codes.get(word, -1)

    def learn(self, raw: str) -> int:
        """The code of a word as written, a new one if it is new."""
        code = self._spellings.get(raw)
        if code is None:
            word = singular(raw)
            code = self._codes.get(word)
            if code is None:
                code = self._codes[word] = len(self.words)
                self.words.append(word)
            self._spellings[raw] = code
            self._written.append(raw)
        return code

    def learn_all(self, texts: Sequence[str]) -> tuple[Ints, Ints]:
        """Many texts: (index of the text, word code), an entry per occurrence. In pieces, which spares the caches."""
        pieces = [np.empty(0, np.int32)]
        for start in range(0, len(texts), _PIECE):
            words = bulk_words(texts[start : start + _PIECE])
            for word in words:
                if word not in self._spellings:
                    self.learn(word)
            pieces.append(np.fromiter(map(self._spellings.__getitem__, words), np.int32, len(words)))
        found = np.concatenate(pieces)
        ends = found == _END
        places = np.cumsum(ends, dtype=np.int32)
        return places[~ends], found[~ends]

    def spellings(self) -> dict[str, int]:
        """Every spelling met, in the order they came, with the code of its word."""
        return {raw: self._spellings[raw] for raw in self._written}

    def restore(self, words: list[str], spellings: dict[str, int]) -> None:
        """Take over the words and spellings of another vocabulary."""
        self.words = words
        self._codes = {word: code for code, word in enumerate(words)}
        self._written = list(spellings)
        self._spellings = {"\n": _END} | spellings
        self.settle()

    def settle(self) -> None:
        """Make the look-ups below for all words known now; those learned later are looked up beside them."""
        self._sorted = sorted(self.words)
        self._near_new, self._near = Spelling(()), Spelling(self._written)
        self._sorted_count, self._settled = len(self.words), len(self._written)

    def starting_with(self, start: str, limit: int) -> list[int]:
        """Codes of up to `limit` words that begin so, in the order of the alphabet."""
        self._learn_new()
        at = bisect.bisect_left(self._sorted, start)
        found = []
        for word in self._sorted[at : at + limit]:
            if not word.startswith(start):
                break
            found.append(self._codes[word])
        return found

    def near(self, raw: str) -> set[int]:
        """Codes of words of which some spelling is one slip away from what was written (`Spelling.near`)."""
        self._learn_new()
        places = [*self._near.near(raw).tolist(), *(self._near_new.near(raw) + self._settled).tolist()]
        return {self._spellings[self._written[place]] for place in places}

    def _learn_new(self) -> None:
        new = self.words[self._sorted_count :]
        if not new or len(new) > _NEW_AT_MOST:  # so many at once are being read in: `settle` follows
            return
        for word in new:
            bisect.insort(self._sorted, word)
        self._near_new = Spelling(self._written[self._settled :])
        self._sorted_count = len(self.words)
