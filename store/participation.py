"""Who was learned from in how many windows of the privacy budget: noted before anything is learned, and bounded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from store.database import Connection, Transaction, faults_of, open_writer

AT_ONCE = 500
"""People noted in one transaction, a few milliseconds: a server beside waits no longer for its turn."""

_NOTE = """
    UPDATE profiles SET learned_windows = learned_windows + 1, learned_last = ?
    WHERE surrogate IN ({marks}) AND learned_last < ? AND learned_windows < ?"""
_TAKE_PART = "SELECT surrogate FROM profiles WHERE surrogate IN ({marks}) AND learned_last = ?"


def take_part(path: Path, people: Sequence[int], window: int, at_most: int) -> set[int]:
    """Note in person.db that these people are learned from in a window; who may be: those who still are there, and
    were learned from in fewer than `at_most` windows before. Harmless when repeated. Raises a StoreFault."""
    taking_part: set[int] = set()
    with closing(open_writer(path, "person")) as connection, faults_of(path):
        for part in _portions(people):
            taking_part |= _note(connection, part, window, at_most)
    return taking_part


def _note(connection: Connection, people: Sequence[int], window: int, at_most: int) -> set[int]:
    marks = ",".join("?" * len(people))
    connection.execute("BEGIN IMMEDIATE").close()
    try:
        connection.execute(_NOTE.format(marks=marks), (window, *people, window, at_most)).close()
        rows = connection.execute(_TAKE_PART.format(marks=marks), (*people, window)).fetchall()
        connection.execute("COMMIT").close()
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK").close()
        raise
    return {surrogate for (surrogate,) in rows}


def join_participation(transaction: Transaction, old: int, new: int) -> None:
    """Queue that whoever was `old` is `new` from now on, in every window either was learned from.

    Call before the row of `old` is given up. Where `new` has no row yet it begins with this; who saves it fills it.
    """
    transaction.later(
        "INSERT INTO profiles(surrogate, consent, consent_version, consent_at, seen, learned_windows, learned_last)"
        " SELECT ?, 0, '', 0, seen, learned_windows, learned_last FROM profiles WHERE surrogate = ?"
        " ON CONFLICT(surrogate) DO UPDATE SET learned_windows = learned_windows + excluded.learned_windows,"
        " learned_last = max(learned_last, excluded.learned_last)",
        (new, old),
    )


def _portions(people: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(people), AT_ONCE):
        yield people[start : start + AT_ONCE]
