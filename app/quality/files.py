"""Reads the two formats of public data sets, line by line, and says which line is wrong and what would be right.

Interactions: a line is `user item item …`, ids of any kind without spaces. Sessions: tab-separated columns under a
header that names SessionId, ItemId and Time.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from store.records import Ints

COLUMNS = ("SessionId", "ItemId", "Time")
SORTED = 0.95
"""Rows in the order of their ids, from which share on the order says nothing about time."""


class FileUnreadable(Exception):
    """A file of a data set is not what it should be; the message names the line."""


@dataclass
class Vocabulary:
    """Numbers of ids in the order they were first met."""

    numbers: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.numbers)

    def number(self, name: str) -> int:
        return self.numbers.setdefault(name, len(self.numbers))


@dataclass(frozen=True)
class Interactions:
    """People × items, ones, with sorted columns; people of the test file alone have empty rows in `train`, items of
    the test file alone are columns of `test` beyond those of `train`."""

    train: csr_matrix
    test: csr_matrix
    """Rows as in `train`; without what the person had in train already."""
    order: NDArray[np.int64] | None
    """[train.nnz] the place in its line, where lines are not merely sorted by id; else None."""
    unknown_people: int
    """Users of the test file that train does not have: they are shown what is popular."""
    unknown_items: int
    """Interactions of the test file with items that train does not have; they count as missed."""


def read_interactions(train: Path, test: Path) -> Interactions:
    """Both files. Raises FileUnreadable."""
    people, items = Vocabulary(), Vocabulary()
    person, item, sorted_lines = _lines(train, people, items)
    known_people, known_items = len(people), len(items)
    test_person, test_item, _ = _lines(test, people, items)
    if not len(person):
        raise FileUnreadable(f"{train}: no interactions; a line is 'user item item …'")
    if not len(test_person):
        raise FileUnreadable(f"{test}: no interactions; a line is 'user item item …'")
    known, place = _table(person, item, (len(people), len(items)))
    wanted, _ = _table(test_person, test_item, known.shape)
    wanted = _without(wanted, known)
    counts = np.diff(wanted.indptr)
    return Interactions(
        train=known[:, :known_items],
        test=wanted,
        order=None if sorted_lines >= SORTED else place,
        unknown_people=int((counts[known_people:] > 0).sum()),
        unknown_items=int((wanted.indices >= known_items).sum()),
    )


def _lines(file: Path, people: Vocabulary, items: Vocabulary) -> tuple[Ints, Ints, float]:
    """Person and item of every interaction, and which share of the longer lines is sorted by id."""
    person, item = array("i"), array("i")
    longer = ordered = 0
    for number, line in enumerate(_text_lines(file), start=1):
        words = line.split()
        if not words:
            continue
        if len(words) == 1 and any(mark in line for mark in ",;|:"):
            raise FileUnreadable(
                f"{file}, line {number}: expected 'user item item …' with spaces between (it is {line.strip()[:60]!r})"
            )
        who, bought = people.number(words[0]), words[1:]
        person.extend([who] * len(bought))
        item.extend([items.number(name) for name in bought])
        if len(bought) >= 5:
            longer += 1
            keys = [int(name) for name in bought] if all(map(str.isdecimal, bought)) else bought
            ordered += keys == sorted(keys)
    columns = np.frombuffer(person, np.int32), np.frombuffer(item, np.int32)
    return *columns, ordered / longer if longer else 1.0


def _table(person: Ints, item: Ints, shape: tuple[int, int]) -> tuple[csr_matrix, NDArray[np.int64]]:
    """Ones, repeated pairs once, and the place of each pair's first mention in the file."""
    keys, first = np.unique(person.astype(np.int64) * shape[1] + item, return_index=True)
    rows, columns = np.divmod(keys, shape[1])
    starts = np.searchsorted(rows, np.arange(shape[0] + 1))
    ones = np.ones(len(keys), np.float32)
    return csr_matrix((ones, columns.astype(np.int32), starts), shape=shape), first


def _without(wanted: csr_matrix, known: csr_matrix) -> csr_matrix:
    """What a person has already cannot be recommended as new."""
    left = csr_matrix(wanted - wanted.multiply(known))
    left.eliminate_zeros()
    left.sort_indices()
    return left


@dataclass(frozen=True)
class Clicks:
    """Parallel columns in the order of (session, time), ids as numbers."""

    session: NDArray[np.int64]
    item: Ints
    time: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.item)

    def visits(self) -> list[Ints]:
        """Item numbers of each session in the order they were clicked."""
        if not len(self):
            return []
        return np.split(self.item, np.flatnonzero(np.diff(self.session)) + 1)


def read_clicks(file: Path, items: Vocabulary) -> Clicks:
    """One file of clicks; `items` learns its ids. Raises FileUnreadable."""
    lines = _text_lines(file)
    header = next(lines, "").rstrip("\r\n").split("\t")
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        raise FileUnreadable(
            f"{file}, line 1: expected a tab-separated header with {', '.join(COLUMNS)} (it has {', '.join(header)})"
        )
    places = [header.index(name) for name in COLUMNS]
    sessions = Vocabulary()
    session, item, time = array("q"), array("i"), array("d")
    for number, line in enumerate(lines, start=2):
        if not line.strip():
            continue
        cells = line.rstrip("\r\n").split("\t")
        if len(cells) != len(header):
            raise FileUnreadable(f"{file}, line {number}: expected {len(header)} columns (it has {len(cells)})")
        name, what, when = (cells[place].strip() for place in places)
        if not name or not what:
            raise FileUnreadable(f"{file}, line {number}: SessionId and ItemId may not be empty")
        session.append(sessions.number(name))
        item.append(items.number(what))
        time.append(_seconds(when, file, number))
    if not len(item):
        raise FileUnreadable(f"{file}: no clicks below the header")
    columns = np.frombuffer(session, np.int64), np.frombuffer(item, np.int32), np.frombuffer(time, np.float64)
    order = np.lexsort((columns[2], columns[0]))
    return Clicks(columns[0][order], columns[1][order], columns[2][order])


def _seconds(text: str, file: Path, number: int) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = float("nan")
    if not np.isfinite(seconds):
        raise FileUnreadable(f"{file}, line {number}: Time: expected seconds since 1970 (it is {text[:40]!r})")
    return seconds


def _text_lines(file: Path) -> Iterator[str]:
    """The lines of a text file; what cannot be read is named."""
    try:
        with file.open(encoding="utf-8-sig", newline=None) as lines:
            yield from lines
    except OSError as error:
        raise FileUnreadable(f"{file}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise FileUnreadable(f"{file}: not UTF-8 text ({error.reason} at byte {error.start})") from error
