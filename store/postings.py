"""Which items hold which word, and where: an inverted index as three arrays.

While it is made, an occurrence is one integer: word << 35 | item << 3 | field. Sorting these numbers is all the work.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from store.records import Floats, Ints
from store.search_words import raw_words
from store.vocabulary import Vocabulary

Keys = NDArray[np.int64]

TITLE, GROUP, ATTRIBUTE, DESCRIPTION = range(4)
"""Fields: GROUP is category and brand."""
FIELD_WEIGHTS = np.array([1.0, 0.8, 0.6, 0.3], np.float32)


@dataclass(frozen=True)
class Postings:
    """`items[starts[w] : starts[w + 1]]` hold word w, each once, with `weights` of the best field it stands in."""

    starts: NDArray[np.int64]
    items: Ints
    weights: Floats
    told: Floats
    """Per word: in how many items it stands elsewhere than in the description, a little for those too, [words]."""
    keys: Keys

    def of(self, word: int) -> tuple[Ints, Floats]:
        """Items and weights of a word; empty for one that came later."""
        if word + 1 >= len(self.starts):
            return self.items[:0], self.weights[:0]
        part = slice(self.starts[word], self.starts[word + 1])
        return self.items[part], self.weights[part]


def postings_of(keys: Keys, words: int) -> Postings:
    """Sort occurrences of `words` distinct words; of a word's places in one item the weightiest stays."""
    keys = np.sort(keys)
    places = keys >> 3
    first = np.ones(len(keys), np.bool_)
    np.not_equal(places[1:], places[:-1], out=first[1:])
    keys = keys[first]
    starts = np.searchsorted(keys, np.arange(words + 1, dtype=np.int64) << 35)
    fields = keys & 7
    elsewhere = np.where(fields == DESCRIPTION, np.float32(0.02), np.float32(1))
    told = np.bincount(keys >> 35, elsewhere, minlength=words).astype(np.float32)
    return Postings(starts, items_in(keys), FIELD_WEIGHTS[fields], told, keys)


def items_in(keys: Keys) -> Ints:
    return ((keys >> 3) & 0xFFFF_FFFF).astype(np.int32)


def keys_of(words: Ints, items: Ints, field: int) -> Keys:
    return (words.astype(np.int64) << 35) | (items.astype(np.int64) << 3) | field


def keys_of_texts(vocabulary: Vocabulary, texts: Mapping[int, str], field: int) -> Keys:
    """Occurrences in {item: text}."""
    places, words = vocabulary.learn_all(list(texts.values()))
    return keys_of(words, np.fromiter(texts, np.int32, len(texts))[places], field)


def keys_of_codes(vocabulary: Vocabulary, names: Sequence[str], codes: Ints, field: int) -> Keys:
    """Occurrences where items have codes of names: each name is read once, whatever number of items has it."""
    places, words = vocabulary.learn_all(names)
    counts = np.bincount(places, minlength=len(names))
    starts = np.concatenate(([0], np.cumsum(counts)))
    items = np.flatnonzero(codes >= 0).astype(np.int32)
    of_items = counts[codes[items]]
    inner = np.arange(of_items.sum()) - np.repeat(np.cumsum(of_items) - of_items, of_items)
    return keys_of(words[np.repeat(starts[codes[items]], of_items) + inner], np.repeat(items, of_items), field)


def fields_of(vocabulary: Vocabulary, fields: Sequence[tuple[int, Sequence[str]]]) -> dict[int, int]:
    """One item's words: {word code: weightiest field}."""
    found: dict[int, int] = {}
    for field, texts in fields:
        for raw in chain.from_iterable(map(raw_words, texts)):
            found.setdefault(vocabulary.learn(raw), field)
    return found
