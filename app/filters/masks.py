"""Which items pass a filter, as a mask over the whole catalogue, computed once and kept up with the catalogue."""

from __future__ import annotations

import datetime
import difflib
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from app.filters.language import All, AnyOf, Comparison, Expression, FilterError, Literal, Not, parse_filter
from store.catalogue import Catalogue
from store.columns import Words
from store.records import Ints, Mask

__all__ = ["FIELDS", "Filter", "FilterCache", "FilterError", "compile_filter", "ids_filter"]

Rows: TypeAlias = slice | Ints
Test: TypeAlias = Callable[[Catalogue, Rows], Mask]

FIELDS = ("id", "price", "discount", "published", "brand", "category", "availability", "region")
"""What every item has; any attribute of the shop's own comes beside, as `color` or `attributes.color`."""

ORDER: dict[str, Callable[[NDArray[np.floating], np.floating], Mask]] = {
    "==": np.equal,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}
EVERY_ROW = slice(None)


class Filter:
    """A compiled filter. A comparison with a value an item does not have is false, so `!=` and `not in` are true."""

    def __init__(self, text: str, test: Test) -> None:
        self.text = text
        self._test = test
        self._catalogue: Catalogue | None = None
        self._version = 0
        self._mask: Mask = np.zeros(0, np.bool_)

    def mask(self, catalogue: Catalogue) -> Mask:
        """Which items pass, [catalogue.size]; not to be written to. After a change only changed items are tested."""
        if self._catalogue is catalogue and self._version == catalogue.version:
            return self._mask
        changed = catalogue.changed_since(self._version) if self._catalogue is catalogue else None
        if changed is None:
            mask = self._test(catalogue, EVERY_ROW)
        else:
            mask = np.zeros(catalogue.size, np.bool_)
            mask[: len(self._mask)] = self._mask
            mask[changed] = self._test(catalogue, changed)
        self._catalogue, self._version, self._mask = catalogue, catalogue.version, mask
        return mask

    def rows(self, catalogue: Catalogue, rows: Rows) -> Mask:
        """Which of some rows pass, tested now and not remembered."""
        return self._test(catalogue, rows)


class FilterCache:
    """Compiled filters by their text, the least recently used one dropped at the bound."""

    def __init__(self, bound: int = 256) -> None:
        self.bound = bound
        self._filters: OrderedDict[str, Filter] = OrderedDict()

    def get(self, text: str, catalogue: Catalogue) -> Filter:
        """The filter of a text; raises FilterError, for a field no item of the catalogue has as well."""
        found = self._filters.get(text)
        if found is None:
            found = self._filters[text] = compile_filter(text, catalogue.attributes)
            if len(self._filters) > self.bound:
                self._filters.popitem(last=False)
        else:
            self._filters.move_to_end(text)
        return found


def compile_filter(text: str, attributes: Collection[str] | None = None) -> Filter:
    """Read and check a filter. Raises FilterError pointing at the character.

    With `attributes` (those of the catalogue) other fields are errors; without, an attribute nobody has yet is fine.
    """
    return Filter(text, _Compiler(text, attributes).test(parse_filter(text)))


def ids_filter(text: str, ids: Sequence[str]) -> Filter:
    """The filter of a list of ids; `text` is its name."""
    return Filter(text, _with_ids(ids))


class _Compiler:
    def __init__(self, text: str, attributes: Collection[str] | None) -> None:
        self.text = text
        self.attributes = attributes

    def test(self, expression: Expression) -> Test:
        match expression:
            case Not(term):
                inner = self.test(term)
                return lambda catalogue, rows: ~inner(catalogue, rows)
            case All(terms):
                every = [self.test(term) for term in terms]
                return lambda catalogue, rows: np.logical_and.reduce([test(catalogue, rows) for test in every])
            case AnyOf(terms):
                some = [self.test(term) for term in terms]
                return lambda catalogue, rows: np.logical_or.reduce([test(catalogue, rows) for test in some])
        return self._comparison(expression)

    def _comparison(self, told: Comparison) -> Test:
        if told.operator == "contains":
            self._want(told.values, str, "a text in quotes")
        match told.field:
            case "price":
                self._allow(told, "==", "<", "<=", ">", ">=", "in")
                self._want(told.values, float, "a number")
                return _numbers(told, lambda catalogue: catalogue.price)
            case "discount":
                self._allow(told, "==", "<", "<=", ">", ">=", "in")
                self._want(told.values, float, "a number, of percent")
                return _numbers(told, lambda catalogue: catalogue.discount)
            case "published":
                self._allow(told, "==", "<", "<=", ">", ">=", "in")
                return _numbers(self._dates(told), lambda catalogue: catalogue.published)
            case "id":
                return self._ids(told)
            case "region":
                self._allow(told, "==", "in")
                return self._regions(told)
            case "category" | "brand" | "availability":
                self._allow(told, "==", "in", "contains")
                self._want(told.values, str, "a text in quotes")
                return _coded(told)
        return self._attribute(told)

    def _allow(self, told: Comparison, *operators: str) -> None:
        if told.operator not in operators:
            names = ", ".join(operators)
            raise FilterError(self.text, told.at, f"{told.field} can be compared by {names}, not by {told.operator}")

    def _want(self, values: tuple[Literal, ...], kind: type[str | float], what: str) -> None:
        for literal in values:
            if not isinstance(literal.value, kind) or isinstance(literal.value, bool):
                raise FilterError(self.text, literal.at, f"expected {what}")

    def _dates(self, told: Comparison) -> Comparison:
        def seconds(literal: Literal) -> Literal:
            if isinstance(literal.value, str):
                try:
                    date = datetime.datetime.fromisoformat(literal.value)
                except ValueError:
                    raise FilterError(self.text, literal.at, 'expected a date such as "2026-11-30"') from None
                aware = date if date.tzinfo else date.replace(tzinfo=datetime.UTC)
                return Literal(aware.timestamp(), literal.at)
            return literal

        values = tuple(map(seconds, told.values))
        self._want(values, float, 'a date such as "2026-11-30" or epoch seconds')
        return Comparison(told.field, told.operator, values, told.at)

    def _ids(self, told: Comparison) -> Test:
        self._allow(told, "==", "in")
        self._want(told.values, str, "an item id in quotes")
        return _with_ids([str(literal.value) for literal in told.values])

    def _regions(self, told: Comparison) -> Test:
        self._want(told.values, str, "a region in quotes")
        names = [str(literal.value) for literal in told.values]

        def test(catalogue: Catalogue, rows: Rows) -> Mask:
            bits = np.bitwise_or.reduce([catalogue.region_bit(name) for name in names])
            allowed: Mask = (catalogue.regions[rows] & bits) != 0
            return allowed

        return test

    def _attribute(self, told: Comparison) -> Test:
        name = told.field.removeprefix("attributes.")
        if self.attributes is not None and name not in self.attributes:
            known = [*FIELDS, *self.attributes]
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else f"; known here: {', '.join(sorted(known)[:20])}"
            raise FilterError(self.text, told.at, f"unknown field '{told.field}'{hint}")
        if told.operator in ("<", "<=", ">", ">="):
            self._want(told.values, float, "a number")
        by_number = _attribute_numbers(name, told)
        by_text = _attribute_text(name, told)
        return lambda catalogue, rows: by_number(catalogue, rows) | by_text(catalogue, rows)


def _numbers(told: Comparison, column: Callable[[Catalogue], NDArray[np.floating]]) -> Test:
    compare = ORDER.get(told.operator, np.equal)
    # In the column's own precision: a price of 19.9 equals the number 19.9 that was written.
    values = [float(literal.value) for literal in told.values if not isinstance(literal.value, str)]

    def test(catalogue: Catalogue, rows: Rows) -> Mask:
        cells = column(catalogue)[rows]
        found = np.zeros(len(cells), np.bool_)
        for value in values:
            found |= compare(cells, cells.dtype.type(value))
        return found

    return test


def _with_ids(ids: Sequence[str]) -> Test:
    def test(catalogue: Catalogue, rows: Rows) -> Mask:
        mask = np.zeros(catalogue.size, np.bool_)
        mask[[number for number in map(catalogue.number, ids) if number is not None]] = True
        return mask[rows]

    return test


def _codes(told: Comparison, words: list[str]) -> list[int]:
    """Codes of the words a text comparison means."""
    wanted = {literal.value for literal in told.values if isinstance(literal.value, str)}
    if told.operator == "contains":
        parts = [part.casefold() for part in wanted]
        return [code for code, word in enumerate(words) if all(part in word.casefold() for part in parts)]
    return [code for code, word in enumerate(words) if word in wanted]


def _among(cells: Ints, codes: list[int] | Ints, count: int) -> Mask:
    """Which cells hold one of these codes; code -1 meets the board's last cell, which is never set."""
    board = np.zeros(count + 1, np.bool_)
    board[codes] = True
    return board[cells]


def _coded(told: Comparison) -> Test:
    def test(catalogue: Catalogue, rows: Rows) -> Mask:
        match told.field:
            case "category":
                return _among(catalogue.category[rows], _category_codes(told, catalogue), len(catalogue.category_names))
            case "brand":
                return _among(catalogue.brand[rows], _codes(told, catalogue.brand_names), len(catalogue.brand_names))
        names = catalogue.availability_names
        return _among(catalogue.availability[rows], _codes(told, names), len(names))

    return test


def _category_codes(told: Comparison, catalogue: Catalogue) -> list[int] | Ints:
    if told.operator == "contains":
        return _codes(told, catalogue.category_names)
    paths = [str(literal.value).replace(" > ", "/") for literal in told.values]
    return np.concatenate([catalogue.categories_below(path) for path in paths])


def _attribute_numbers(name: str, told: Comparison) -> Test:
    compare = _numbers(told, lambda catalogue: catalogue.attributes[name].number_cells(catalogue.size))

    def test(catalogue: Catalogue, rows: Rows) -> Mask:
        column = catalogue.attributes.get(name)
        if column is None or column.numbers is None or told.operator == "contains":
            return np.zeros(len(catalogue.brand[rows]), np.bool_)
        return compare(catalogue, rows)

    return test


def _attribute_text(name: str, told: Comparison) -> Test:
    def test(catalogue: Catalogue, rows: Rows) -> Mask:
        column = catalogue.attributes.get(name)
        if column is None or column.codes is None:
            return np.zeros(len(catalogue.brand[rows]), np.bool_)
        words: Words = column.words
        return _among(column.codes.values[: catalogue.size][rows], _codes(told, words.names), len(words))

    return test
