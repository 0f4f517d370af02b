"""Columns that grow with the catalogue, and words kept as small codes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from store.records import Ints

Cell = TypeVar("Cell", bound=np.generic)

FIRST_CAPACITY = 64
WAITING_AT_MOST = 10_000
"""Items of which attributes are gathered before they are written."""


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
            self._texts().values[number] = self.words.code(value)
        else:
            self._floats().values[number] = value

    def put_many(self, numbers: Sequence[int], values: Sequence[str | float | bool]) -> None:
        """The same for many items at once, without a Python step per item where the values are of one kind."""
        kinds = set(map(type, values))
        if str not in kinds:
            self._floats().values[numbers] = values
        elif len(kinds) == 1:
            self._texts().values[numbers] = [self.words.code(str(value)) for value in values]
        else:
            for number, value in zip(numbers, values, strict=True):
                self.put(number, value)

    def _texts(self) -> Column[np.int32]:
        if self.codes is None:
            self.codes = Column(np.int32, -1, self._capacity)
        return self.codes

    def _floats(self) -> Column[np.float64]:
        if self.numbers is None:
            self.numbers = Column(np.float64, np.nan, self._capacity)
        return self.numbers

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


class AttributeColumns(dict[str, AttributeColumn]):
    """The attribute columns by name, made when they are first written to."""

    def __init__(self) -> None:
        super().__init__()
        self._capacity = FIRST_CAPACITY
        self._waiting: dict[tuple[str, ...], tuple[list[int], list[tuple[str | float | bool, ...]]]] = {}

    def put(self, number: int, attributes: Mapping[str, str | float | bool]) -> None:
        for name, value in attributes.items():
            self._column(name).put(number, value)

    def put_later(self, number: int, attributes: Mapping[str, str | float | bool]) -> None:
        """To be written with the next `write_waiting`: for loading, where items of a kind have the same attributes."""
        if attributes:
            numbers, rows = self._waiting.setdefault(tuple(attributes), ([], []))
            numbers.append(number)
            rows.append(tuple(attributes.values()))
            if len(numbers) == WAITING_AT_MOST:
                self.write_waiting()

    def write_waiting(self) -> None:
        for names, (numbers, rows) in self._waiting.items():
            for name, values in zip(names, zip(*rows, strict=True), strict=True):
                self._column(name).put_many(numbers, values)
        self._waiting.clear()

    def grow(self, capacity: int) -> None:
        self._capacity = capacity
        for column in self.values():
            column.grow(capacity)

    def clear_row(self, number: int) -> None:
        for column in self.values():
            column.clear(number)

    def _column(self, name: str) -> AttributeColumn:
        found = self.get(name)
        if found is None:
            found = self[name] = AttributeColumn(self._capacity)
        return found
