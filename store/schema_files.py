"""The numbered schema files of a database, applied in order, each exactly once."""

from __future__ import annotations

import sqlite3
import zlib
from pathlib import Path

from store.faults import DatabaseNewer, DatabaseUnreadable

FOLDER = Path(__file__).parent / "schema"


def scripts(schema: str) -> list[str]:
    """The SQL of store/schema/<schema>/001.sql, 002.sql …, in order, without gaps."""
    paths = sorted((FOLDER / schema).glob("[0-9][0-9][0-9].sql"))
    expected = [f"{number:03}.sql" for number in range(1, len(paths) + 1)]
    if not paths or [path.name for path in paths] != expected:
        raise FileNotFoundError(f"{FOLDER / schema}: expected 001.sql, 002.sql … without gaps")
    return [path.read_text("utf-8") for path in paths]


def mark_of(schema: str) -> int:
    """SQLite's application_id by which a file says which of our databases it is."""
    return zlib.crc32(f"personalize:{schema}".encode()) & 0x7FFFFFFF


def migrate(connection: sqlite3.Connection, path: Path, schema: str) -> None:
    """Bring a database up to date, a transaction per step; refuse newer files and files of another kind."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (mark,) = connection.execute("PRAGMA application_id").fetchone()
    steps = scripts(schema)
    if version > len(steps):
        raise DatabaseNewer(
            path,
            f"was written by a newer version (schema {version}, this program knows {len(steps)}); update the program",
        )
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if mark != mark_of(schema) and (tables or version):
        raise DatabaseUnreadable(
            path, f"is not a '{schema}' database of personalize; move it away or restore the right one"
        )
    for number, script in enumerate(steps[version:], version + 1):
        try:
            connection.executescript(
                f"BEGIN IMMEDIATE;\n{script};\nPRAGMA application_id = {mark_of(schema)};\n"
                f"PRAGMA user_version = {number};\nCOMMIT;"
            )
        except sqlite3.Error:
            if connection.in_transaction:
                connection.rollback()
            raise
