"""Finds products by words: which items match a query, how well, and what a misspelt one probably meant.

An inverted index in arrays, in memory beside the columns (docs/decisions/search-index.md: why not FTS5). Items changed
since it was built lie in a small overlay until `compact` folds them in.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from store import loops
from store.catalogue import Catalogue
from store.postings import (
    ATTRIBUTE,
    DESCRIPTION,
    FIELD_WEIGHTS,
    GROUP,
    TITLE,
    Keys,
    Postings,
    fields_of,
    items_in,
    keys_of_codes,
    keys_of_texts,
    postings_of,
)
from store.records import Floats, Ints, Item, Mask
from store.search_words import raw_words, singular
from store.vocabulary import Vocabulary

AT_ONCE, SLICE = 20_000, 50
"""Descriptions read while opening, and then between two other things."""
WORDS_AT_MOST = 10
PREFIXES_AT_MOST = 40
GUESSES_AT_MOST = 4
SURE = 0.5
"""A word found with this weight or more stands where it counts (title, category, brand, attribute) and was meant."""
PREFIX, GUESS = 0.9, 0.85
UNLIKELY = 0.4
"""Weight of longer words where the typed one exists, and of all guesses but the best."""
COMMON = 0.4
"""A word in more than this part of the catalogue is a bonus where it stands, not a condition."""
ENOUGH = 10
"""With fewer complete matches, items with only some of the words follow."""


@dataclass(frozen=True)
class Matches:
    """Matching items in the order of their numbers: `relevance` from 0 to 1; `tier` 2 = every word where it counts,
    1 = every word somewhere or by a guess, 0 = only some of the words. All [n]."""

    items: Ints
    relevance: Floats
    tier: Ints
    corrected: Mapping[str, str] = field(default_factory=dict)
    """Typed word -> the word searched instead."""

    def __len__(self) -> int:
        return len(self.items)


class SearchIndex:
    """The index of one catalogue; `ShopStore` keeps it up to date."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.vocabulary = Vocabulary()
        self._boards = loops.Boards(0)
        self._unread: dict[int, str] = {}
        self._read: list[Keys] = []
        """Descriptions still to be read, and the ones read but not yet folded in."""
        self._stale: Mask = np.zeros(0, np.bool_)
        self._take_over(postings_of(np.empty(0, np.int64), 0))

    # ---- keeping up

    def build(self, titles: Mapping[int, str], descriptions: Mapping[int, str]) -> None:
        """Index the whole catalogue; its titles and descriptions by item number.

        Reading a hundred thousand descriptions takes a second: a larger catalogue is searched by the rest at once, and
        by descriptions after `read_descriptions`.
        """
        catalogue, vocabulary = self.catalogue, self.vocabulary
        at_once = len(descriptions) <= AT_ONCE
        parts = [
            keys_of_texts(vocabulary, titles, TITLE),
            keys_of_texts(vocabulary, descriptions if at_once else {}, DESCRIPTION),
            keys_of_codes(vocabulary, catalogue.category_names, catalogue.category, GROUP),
            keys_of_codes(vocabulary, catalogue.brand_names, catalogue.brand, GROUP),
        ]
        for column in catalogue.attributes.values():
            codes = column.code_cells(catalogue.size)
            parts.append(keys_of_codes(vocabulary, column.words.names, codes, ATTRIBUTE))
        vocabulary.settle()
        self._take_over(postings_of(np.concatenate(parts), len(vocabulary)))
        self._unread = {} if at_once else dict(descriptions)

    @property
    def keys(self) -> Keys:
        """Every occurrence of every word, but for what changed since."""
        return self._postings.keys

    @property
    def whole(self) -> bool:
        """Whether all there is to index lies in `keys`."""
        return not (self._unread or self._read or self._words_of or self._any_stale)

    def restore(self, words: list[str], spellings: dict[str, int], keys: Keys) -> None:
        """Fill an empty index with what was kept (store/catalogue_cache.py)."""
        self.vocabulary.restore(words, spellings)
        self._take_over(postings_of(keys, len(words)))

    async def read_descriptions(self) -> None:
        """Read what `build` left, a millisecond at a time; what changes meanwhile is not lost."""
        texts, parts = list(self._unread.items()), []
        for start in range(0, len(texts), SLICE):
            parts.append(keys_of_texts(self.vocabulary, dict(texts[start : start + SLICE]), DESCRIPTION))
            await asyncio.sleep(0)
        self._read = parts

    def put(self, number: int, item: Item) -> None:
        """Index an item that is new or whose words changed."""
        self.remove(number)
        words = self._words_of[number] = fields_of(self.vocabulary, searched_fields(item))
        for word, where in words.items():
            self._fresh.setdefault(word, {})[number] = float(FIELD_WEIGHTS[where])

    def remove(self, number: int) -> None:
        for word in self._words_of.pop(number, ()):
            del self._fresh[word][number]
        if number >= len(self._stale):
            self._stale = np.append(self._stale, np.zeros(number + 64, np.bool_))
        self._stale[number] = True
        self._any_stale = True

    async def compact(self, *, whole: bool = False) -> None:
        """Fold the overlay into the arrays once a tenth of the catalogue is in it (`whole`: whatever is in it): in a
        thread, while searches go on and changes wait (the caller's part). Some 0.3 s for 100,000 items."""
        grown = not self._unread and len(self._words_of) > max(1_000, self.catalogue.size // 10)
        if self._read or grown or (whole and not self._unread and not self.whole):
            self._take_over(await asyncio.to_thread(self._folded))

    def _folded(self) -> Postings:
        known = np.concatenate([self._postings.keys, *self._read])
        kept = known[~self._stale[items_in(known)]]
        fresh = [
            (word << 35) | (number << 3) | where
            for number, words in self._words_of.items()
            for word, where in words.items()
        ]
        self.vocabulary.settle()
        return postings_of(np.concatenate([kept, np.array(fresh, np.int64)]), len(self.vocabulary))

    def _take_over(self, postings: Postings) -> None:
        self._postings = postings
        if self._read:
            self._read, self._unread = [], {}
        self._stale = np.zeros(max(64, self.catalogue.size), np.bool_)
        self._any_stale = False
        self._fresh: dict[int, dict[int, float]] = {}
        self._words_of: dict[int, dict[int, int]] = {}

    # ---- searching

    def matches(self, query: str, *, partly: bool = True) -> Matches:
        """What a query finds in the catalogue, sold-out and hidden items included: the caller knows what may be shown.

        All words must match; a word nobody has stands for the words it begins, or for those one slip away. Where
        fewer than ENOUGH items match, misspelling is assumed of the other words too, then items with some of the words
        follow, unless `partly` is False. The query is not kept anywhere.
        """
        words = list(dict.fromkeys(raw_words(query)))[:WORDS_AT_MOST]
        if not words:
            return Matches(np.empty(0, np.int32), np.empty(0, np.float32), np.empty(0, np.int32))
        meanings = [self._meaning(word, word == words[-1], guess=False) for word in words]
        found = self._matching(meanings, partly=False)
        if len(found) == 0:
            meanings = [self._meaning(word, word == words[-1], guess=True) for word in words]
            found = self._matching(meanings, partly=False)
        if partly and len(found) < ENOUGH and len(words) > 1:
            found = self._matching(meanings, partly=True)
        return Matches(found.items, found.relevance, found.tier, self._corrections(words, meanings))

    def _corrections(self, typed: Sequence[str], meanings: Sequence[Mapping[int, float]]) -> dict[str, str]:
        """What was searched instead of words nobody has."""
        instead = {}
        for word, meaning in zip(typed, meanings, strict=True):
            best = max(meaning, key=meaning.__getitem__, default=-1)
            if best >= 0 and meaning[best] == GUESS:
                instead[word] = self.vocabulary.words[best]
        return instead

    def _meaning(self, typed: str, last: bool, *, guess: bool) -> dict[int, float]:
        """The catalogue's words a typed one may stand for, with weights from 0 to 1."""
        exact = self.vocabulary.find(singular(typed))
        known = exact >= 0 and self._weight(exact) > 0
        found: dict[int, float] = {}
        if not known or guess:
            guesses = [(self._likelihood(typed, code), code) for code in self.vocabulary.near(typed)]
            for rank, (likelihood, code) in enumerate(sorted(guesses, reverse=True)[:GUESSES_AT_MOST]):
                if likelihood > 0:
                    found[code] = UNLIKELY if rank or known else GUESS
        if last and len(typed) > 1:
            for code in self.vocabulary.starting_with(typed, PREFIXES_AT_MOST):
                found[code] = UNLIKELY if known else PREFIX
        if known:
            found[exact] = 1.0
        return found

    def _weight(self, word: int) -> float:
        """How much of the catalogue a word is about: its items, those that only mention it counted little."""
        told = self._postings.told
        return (float(told[word]) if word < len(told) else 0.0) + len(self._fresh.get(word, ()))

    def _likelihood(self, typed: str, code: int) -> float:
        """How probable it is that this word was meant: frequent ones are, and first letters are seldom mistyped."""
        return self._weight(code) * (4.0 if self.vocabulary.words[code][0] == typed[0] else 1.0)

    def _occurrences(self, word: int) -> tuple[Ints, Floats]:
        items, weights = self._postings.of(word)
        if self._any_stale:
            current = ~self._stale[items]
            items, weights = items[current], weights[current]
            fresh = self._fresh.get(word)
            if fresh:
                items = np.concatenate([items, np.fromiter(fresh, np.int32, len(fresh))])
                weights = np.concatenate([weights, np.fromiter(fresh.values(), np.float32, len(fresh))])
        return items, weights

    def _matching(self, meanings: Sequence[Mapping[int, float]], *, partly: bool) -> Matches:
        """Items that match every meaning, or, `partly`, any. Words most items have ("for") are not insisted on."""
        size = self.catalogue.size
        words: list[loops.Word] = []
        counts = []
        for place, meaning in enumerate(meanings):
            begun = len(words)
            words += [loops.Word(place, weight, *self._occurrences(word)) for word, weight in meaning.items()]
            counts.append(sum(len(word.items) for word in words[begun:]))
        rarities = [math.log1p(size / (count + 1)) for count in counts]
        rare = [count <= COMMON * size for count in counts]
        asked = rare if any(rare) else [True] * len(rare)
        items, relevance, certain = loops.matched(words, rarities, asked, partly, self._boards_of(size))
        tier = (certain >= SURE).astype(np.int32) + (certain > 0)
        return Matches(items, relevance / np.float32(sum(rarities)), tier)

    def _boards_of(self, size: int) -> loops.Boards:
        if len(self._boards.hits) < size:
            self._boards = loops.Boards(size + size // 4)
        return self._boards


def searched_fields(item: Item) -> list[tuple[int, Sequence[str]]]:
    """The texts of an item that are searched, by field, the weightiest first."""
    words = [value for value in item.attributes.values() if isinstance(value, str)]
    return [
        (TITLE, [item.title]),
        (GROUP, [*item.category, item.brand]),
        (ATTRIBUTE, words),
        (DESCRIPTION, [item.description]),
    ]
