"""What people no longer agree to keep in the vault, noted with their decision until the other file has forgotten it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from store.database import Connection, Transaction
from store.records import VAULT


class Withdrawal(NamedTuple):
    """Categories (a purpose set) of one person to be emptied once the vault has come to `position` in the log."""

    person: int
    categories: int
    position: int


def note_withdrawals(transaction: Transaction, withdrawn: Mapping[int, int], position: int) -> None:
    """Queue them, in the transaction that holds the decisions."""
    transaction.insert(
        "INSERT INTO withdrawals(person, categories, position)",
        [(person, categories, position) for person, categories in sorted(withdrawn.items())],
        "ON CONFLICT(person) DO UPDATE SET categories = categories | excluded.categories,"
        " position = max(position, excluded.position)",
    )


def pending_withdrawals(reader: Connection, limit: int = 100) -> list[Withdrawal]:
    """Some of those that are not done."""
    rows = reader.execute("SELECT person, categories, position FROM withdrawals LIMIT ?", (limit,)).fetchall()
    return [Withdrawal(*row) for row in rows]


def on_their_way(reader: Connection, withdrawal: Withdrawal) -> bool:
    """Whether something of the person still waits in the log for the vault, from before the withdrawal."""
    sql = "SELECT 1 FROM sealed WHERE seq <= ? AND person = ? LIMIT 1"
    return reader.execute(sql, (withdrawal.position, withdrawal.person)).fetchone() is not None


def agrees_to_vault(reader: Connection, person: int) -> bool:
    """Whether the person still agrees to any category, be it suspended."""
    sql = f"SELECT (consent | restricted) & {int(VAULT)} FROM profiles WHERE surrogate = ?"
    found = reader.execute(sql, (person,)).fetchone()
    return found is not None and bool(found[0])


def done(transaction: Transaction, withdrawal: Withdrawal) -> None:
    """Queue that it is emptied; one that grew in between stays."""
    transaction.later(
        "DELETE FROM withdrawals WHERE person = ? AND categories = ? AND position = ?",
        (withdrawal.person, withdrawal.categories, withdrawal.position),
    )
