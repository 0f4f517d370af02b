"""Reads whole rows about one person, by the numbers that stand for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from store.database import Connection

_AT_ONCE = 500


def rows_by(connection: Connection, table: str, column: str, values: Sequence[int]) -> list[dict[str, Any]]:
    """The rows of person.db's `table` whose integer `column` is one of these, columns by name."""
    rows: list[dict[str, Any]] = []
    for start in range(0, len(values), _AT_ONCE):
        part = values[start : start + _AT_ONCE]
        marks = ",".join("?" * len(part))
        cursor = connection.execute(f"SELECT * FROM {table} WHERE {column} IN ({marks})", part)
        names = [each[0] for each in cursor.description]
        rows += [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return rows
