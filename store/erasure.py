"""Finds and deletes everything person.db holds of somebody, by references that are bounded, never by searching it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from store.database import Connection, Transaction
from store.event_log import Numbered
from store.fields import FIELDS
from store.person import WINDOW, key_of
from store.records import LoggedEvent
from store.removal import SUBTREE, close_up, remove_rows
from store.trace import Run, read_trace

_NUMBERS = ("person", "old", "new")
"""What columns that hold a person's number are called, but for those of `people` and `profiles`."""
_decode = msgspec.msgpack.Decoder(LoggedEvent).decode

DELETIONS = ("people", "profiles", "events", "event ids", "person tables")
"""What `erase_person` deletes, by the names that `personalize prove` switches off one by one."""


class Known(NamedTuple):
    """A way from a pseudonym to a person."""

    key: int
    surrogate: int
    trace: bytes | None


def find_people(connection: Connection, pseudonyms: Iterable[bytes]) -> list[Known]:
    """Everyone these pseudonyms lead to."""
    sql = f"""
        SELECT p.key, p.surrogate, f.trace FROM people AS p LEFT JOIN profiles AS f ON f.surrogate = p.surrogate
        WHERE p.key BETWEEN ?1 AND ?1 + {WINDOW - 1} AND p.pseudonym = ?2"""
    return [
        Known(*row)
        for pseudonym in pseudonyms
        for row in connection.execute(sql, (key_of(pseudonym), pseudonym)).fetchall()
    ]


def former_numbers(connection: Connection, people: Sequence[int]) -> list[int]:
    """Numbers these people had before, as long as what lies in other files has not been moved to the new one."""
    if not _exists(connection, "moves"):
        return []
    found = list(people)
    for person in found:
        rows = connection.execute("SELECT old FROM moves WHERE new = ?", (person,)).fetchall()
        found += [old for (old,) in rows if old not in found]
    return found[len(people) :]


def events_of(connection: Connection, people: Collection[int], runs: Iterable[Run]) -> list[Numbered]:
    """The rows of the log that belong to these people, along their traces."""
    marks = ",".join("?" * len(people))
    found: list[Numbered] = []
    for run in runs:
        table = day_table(run.day)
        if _exists(connection, table):
            sql = f"SELECT seq, body FROM {table} WHERE seq BETWEEN ? AND ? AND person IN ({marks}) ORDER BY seq"
            rows = connection.execute(sql, (run.first, run.last, *people)).fetchall()
            found += [(seq, _decode(body)) for seq, body in rows]
    return found


def erase_person(
    connection: Connection, known: Sequence[Known], people: Sequence[int], without: Collection[str] = ()
) -> Counter[str]:
    """Delete all there is about these people, inside the caller's transaction; what was deleted, by kind.

    `people` are all numbers they have or had. `without` leaves deletions out, to prove that the proof notices.
    """
    counts: Counter[str] = Counter()
    runs = [run for each in known for run in read_trace(each.trace)]
    if "event ids" not in without:
        ids = [event.counted for _, event in events_of(connection, people, runs) if event.counted]
        counts["event ids"] = _delete_in(connection, "DELETE FROM seen WHERE id IN", ids)
    if "events" not in without:
        counts["events"] = sum(_delete_events(connection, people, run) for run in runs)
    if "person tables" not in without:
        for table, column, primary in person_tables(connection):
            if primary:
                counts[table] += remove_rows(connection, table, column, people)
            else:
                counts[table] += _delete_in(connection, f"DELETE FROM {table} WHERE {column} IN", people)
    if "profiles" not in without:
        counts["profiles"] = remove_rows(connection, "profiles", "surrogate", people)
    if "people" not in without:
        counts["people"] = remove_rows(connection, "people", "key", [each.key for each in known])
    return counts


def person_tables(connection: Connection) -> list[tuple[str, str, bool]]:
    """(table, column, is it the key) of each other table of person.db that knows people by number, by the registry."""
    found = []
    for field in FIELDS:
        numbers = field.file == "person.db" and field.category == "identifier" and field.column in _NUMBERS
        if numbers and not field.table.endswith("*") and _exists(connection, field.table):
            keys = connection.execute("SELECT name FROM pragma_table_info(?) WHERE pk", (field.table,)).fetchall()
            found.append((field.table, field.column, keys == [(field.column,)]))
    return found


def write_keys_anew(connection: Connection, keys: Iterable[int], people: Iterable[int]) -> None:
    """Rewrite what lies around rows that are gone, wide enough for pages high up in the tree to forget their keys."""
    for key in keys:
        close_up(connection, "people", "key", key, SUBTREE)
    for person in people:
        close_up(connection, "profiles", "surrogate", person, SUBTREE)


def day_table(day: int) -> str:
    """The log's table of a day since 1970."""
    return f"events_{datetime.fromtimestamp(day * 86_400, UTC):%Y%m%d}"


def _delete_events(connection: Connection, people: Sequence[int], run: Run) -> int:
    table, marks = day_table(run.day), ",".join("?" * len(people))
    if not _exists(connection, table):
        return 0
    sql = f"DELETE FROM {table} WHERE seq BETWEEN ? AND ? AND person IN ({marks})"
    return connection.execute(sql, (run.first, run.last, *people)).rowcount


def _delete_in(connection: Connection, sql: str, values: Sequence[int]) -> int:
    removed = 0
    for start in range(0, len(values), 500):
        part = values[start : start + 500]
        removed += connection.execute(f"{sql} ({','.join('?' * len(part))})", part).rowcount
    return removed


def _exists(connection: Connection, table: str) -> bool:
    found = connection.execute("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?", (table,)).fetchone()
    return found is not None


class SagaRow(NamedTuple):
    """Work across files that is not finished."""

    id: int
    kind: str
    step: str
    began: int
    state: bytes


class Sagas:
    """person.db's list of what has to be finished after any crash. `state` is sealed by whoever writes it."""

    def __init__(self, reader: Connection) -> None:
        self._reader = reader

    def open(self, kind: str) -> list[SagaRow]:
        """Those of a kind, oldest first."""
        sql = "SELECT id, kind, step, began, state FROM sagas WHERE kind = ? ORDER BY began, id"
        return [SagaRow(*row) for row in self._reader.execute(sql, (kind,)).fetchall()]

    def save(self, transaction: Transaction, saga: SagaRow) -> None:
        """Queue how far it has come."""
        transaction.later("INSERT OR REPLACE INTO sagas(id, kind, step, began, state) VALUES (?,?,?,?,?)", saga)

    def end(self, transaction: Transaction, number: int) -> None:
        """Queue that it is finished; nothing of its state stays."""
        transaction.later("DELETE FROM sagas WHERE id = ?", (number,))
