"""Columns that grow with the catalogue, and words kept as small codes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from store.records import Ints

Cell = TypeVar("Cell", bound=np.generic)

FIRST_CAPACITY = 64


class Column(Generic[Cell]):
    """One value per item, addressed by item number. `values` has room to spare: cut it to the size in use."""

    def __init__(self, kind: type[Cell], empty: float, capacity: int = FIRST_CAPACITY) -> None:
        self.empty = empty
        self.values: NDArray[Cell] = np.full(capacity, empty, kind)

    def grow(self, capacity: int) -> None:
        """Make room. Views handed out before keep showing the old values."""
        larger = np.full(capacity, self.empty, self.values.dtype)
        larger[: len(self.values)] = self.values
        self.values = larger

    def clear(self, number: int) -> None:
        self.values[number] = self.empty


class Words:
    """Distinct texts with dense codes in the order they came; -1 stands for none."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._codes: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def code(self, name: str) -> int:
        """The code of a text, a new one if it is new; -1 for the empty text."""
        if not name:
            return -1
        found = self._codes.get(name)
        if found is None:
            found = self._codes[name] = len(self.names)
            self.names.append(name)
        return found

    def find(self, name: str) -> int:
        """The code of a text, -1 where it was never seen."""
        return self._codes.get(name, -1)


class AttributeColumn:
    """One attribute of the shop's own (colour, waterproof, heel height): text as codes, numbers and yes/no as floats.

    `codes` is -1 and `numbers` nan where an item does not have it; `words.names[code]` is the text. Both are made
    at the first value of their kind, so a text attribute costs no floats.
    """

    def __init__(self, capacity: int) -> None:
        self.words = Words()
        self.codes: Column[np.int32] | None = None
        self.numbers: Column[np.float64] | None = None
        self._capacity = capacity

    def put(self, number: int, value: str | float | bool) -> None:
        if isinstance(value, str):
            if self.codes is None:
                self.codes = Column(np.int32, -1, self._capacity)
            self.codes.values[number] = self.words.code(value)
        else:
            if self.numbers is None:
                self.numbers = Column(np.float64, np.nan, self._capacity)
            self.numbers.values[number] = value

    def clear(self, number: int) -> None:
        if self.codes is not None:
            self.codes.values[number] = -1
        if self.numbers is not None:
            self.numbers.values[number] = np.nan

    def code_cells(self, size: int) -> Ints:
        """Codes of the first `size` items, -1 where an item has no text here."""
        return np.full(size, -1, np.int32) if self.codes is None else self.codes.values[:size]

    def number_cells(self, size: int) -> NDArray[np.float64]:
        """Numbers (yes is 1, no is 0) of the first `size` items, nan where an item has none here."""
        return np.full(size, np.nan) if self.numbers is None else self.numbers.values[:size]

    def grow(self, capacity: int) -> None:
        self._capacity = capacity
        for column in (self.codes, self.numbers):
            if column is not None:
                column.grow(capacity)
