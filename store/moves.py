"""People who change their number: found under the previous epoch's pseudonym, or known by another id before a login.

Profile and consent change hands in one transaction of person.db. What lies in the vault follows as a saga, because
files do not commit together: a row in `moves` is written with that transaction, and goes when the rest is done. Every
step can be repeated after a crash: copy the data key, move the vault's rows, drop the old key, forget the move.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from store.database import Connection, Transaction
from store.event_log import table_of
from store.faults import KeysLost
from store.keys import KeyRing
from store.person import WINDOW, key_of
from store.records import VAULT, LoggedEvent
from store.trace import Run
from store.vault import VaultStore

_EVERY_CATEGORY = int(VAULT)
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(LoggedEvent).decode


class Move(NamedTuple):
    """What `old` kept in the vault belongs to `new`, as far as `categories` (a purpose set) go; the rest is deleted."""

    old: int
    new: int
    categories: int = _EVERY_CATEGORY
    id: int = 0


def leave(transaction: Transaction, pseudonym: bytes) -> None:
    """Queue that nothing is found under this pseudonym any more."""
    key = key_of(pseudonym)
    transaction.later(
        f"DELETE FROM people WHERE key BETWEEN ? AND ? + {WINDOW - 1} AND pseudonym = ?", (key, key, pseudonym)
    )


def renumber(transaction: Transaction, old: int, new: int) -> None:
    """Queue that a person's whole row of `profiles`, whatever columns there are, goes on under a new number.

    Raw events keep the old one and expire; so the trace that leads to them stays behind as well.
    """
    transaction.later("UPDATE profiles SET surrogate = ?, trace = NULL WHERE surrogate = ?", (new, old))
    transaction.later("UPDATE withdrawals SET person = ? WHERE person = ?", (new, old))


def give_up(transaction: Transaction, surrogate: int) -> None:
    """Queue the deletion of a row that was joined to another person's."""
    transaction.later("DELETE FROM profiles WHERE surrogate = ?", (surrogate,))


def begin_moves(transaction: Transaction, moves: Sequence[Move]) -> None:
    """Queue the moves, to be finished by `finish_moves`, after any crash as well."""
    rows = [(move.old, move.new, move.categories) for move in moves]
    transaction.insert("INSERT INTO moves(old, new, categories)", rows)


class Moves:
    """What is still to be carried over, and the carrying. One task at a time calls `finish`."""

    def __init__(self, reader: Connection, keys: KeyRing, vault: VaultStore) -> None:
        self._reader = reader
        self._keys = keys
        self._vault = vault
        keys.lent = dict(reader.execute("SELECT new, old FROM moves ORDER BY id DESC").fetchall())

    def pending(self, limit: int = 256) -> list[Move]:
        """The oldest that are not finished; never two of one list that reach the same person."""
        sql = "SELECT old, new, categories, id FROM moves ORDER BY id LIMIT ?"
        moves: list[Move] = []
        reached: set[int] = set()
        for row in self._reader.execute(sql, (limit,)).fetchall():
            move = Move(*row)
            if move.old in reached or move.new in reached:
                break
            reached.add(move.new)
            moves.append(move)
        return moves

    async def carry_over(self, moves: Sequence[Move]) -> None:
        """The steps outside person.db, each durable before the next and harmless when repeated.

        The vault has to have come as far in the log as it was when the moves were read. What the new number does not
        allow by now, and what was somebody's who is erased by now, is not carried over but destroyed.
        """
        allowed = self._allowed(moves)
        lost = [move.old for move in moves if move.new not in allowed]
        if lost:
            await self._keys.destroy_data_keys(lost)
            await self._vault.remove(lost)
        going = [move for move in moves if move.new in allowed]
        if going:
            await self._keys.copy_data_keys([(move.old, move.new) for move in going])
            await self._vault.rehome([(move.old, move.new, move.categories & allowed[move.new]) for move in going])
            await self._keys.drop_data_keys([move.old for move in going])

    def _allowed(self, moves: Sequence[Move]) -> dict[int, int]:
        marks = ",".join("?" * len(moves))
        sql = f"SELECT surrogate, consent | restricted FROM profiles WHERE surrogate IN ({marks})"
        return dict(self._reader.execute(sql, [move.new for move in moves]).fetchall())

    def forget(self, transaction: Transaction, moves: Sequence[Move]) -> None:
        """Queue the end of these moves."""
        marks = ",".join("?" * len(moves))
        transaction.later(f"DELETE FROM moves WHERE id IN ({marks})", [move.id for move in moves])

    def settle(self) -> None:
        """Who holds whose key, read anew; in the writer's turn only, when no group is under way."""
        self._keys.lent = dict(self._reader.execute("SELECT new, old FROM moves ORDER BY id DESC").fetchall())


async def reattribute(transaction: Transaction, runs: Sequence[Run], old: int, new: int) -> None:
    """Whose events these are from now on: rows of `old` within the runs of its trace become `new`'s."""

    def work(connection: Connection) -> None:
        known = connection.execute("SELECT name FROM sqlite_schema WHERE name GLOB 'events_[0-9]*'").fetchall()
        days = {name for (name,) in known}
        for run in runs:
            table = table_of(run.day)
            if table not in days:
                continue
            sql = f"SELECT seq, body FROM {table} WHERE seq BETWEEN ? AND ? AND person = ?"
            rows = connection.execute(sql, (run.first, run.last, old)).fetchall()
            renamed = [(new, _encode(msgspec.structs.replace(_decode(body), person=new)), seq) for seq, body in rows]
            connection.executemany(f"UPDATE {table} SET person = ?, body = ? WHERE seq = ?", renamed)

    await transaction.run(work)


def check_ring(reader: Connection, keys: KeyRing) -> None:
    """Refuse keys that are not those this person.db was written with. Raises KeysLost."""
    found = reader.execute("SELECT ring, epoch FROM written_with").fetchone()
    if found is None:
        return
    ring, epoch = found
    if ring != keys.ring:
        raise KeysLost(keys.path, "belongs to another data directory; restore the keys.db of this one")
    if epoch > keys.epoch:
        raise KeysLost(
            keys.path,
            f"ends with epoch {keys.epoch}, but people were written under epoch {epoch}; restore a newer backup of it",
        )


def note_ring(transaction: Transaction, keys: KeyRing) -> None:
    """Queue which keys this person.db is written with."""
    transaction.later(
        "INSERT INTO written_with(one, ring, epoch) VALUES (1, ?, ?)"
        " ON CONFLICT(one) DO UPDATE SET ring = excluded.ring, epoch = excluded.epoch",
        (keys.ring, keys.epoch),
    )
