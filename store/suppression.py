"""Who was erased and must not come back through a late or repeated event."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from store.database import Connection, Transaction

_LOOKUP = 256


class Tombstone(NamedTuple):
    """What is left of an erased person: a keyed hash and two times (epoch milliseconds)."""

    key: int
    erased_ms: int
    lifted_ms: int
    """When the person decided anew; 0 = never."""

    def lets_pass(self, at_ms: int) -> bool:
        """Whether an event of that time may be kept: only one after a decision made after the erasure."""
        return bool(self.lifted_ms) and at_ms >= self.lifted_ms


class Suppression:
    """person.db's list of the erased. Keys come from `KeyRing.suppression_keys`."""

    def __init__(self, reader: Connection) -> None:
        self._reader = reader

    def find(self, keys: Iterable[int]) -> dict[int, Tombstone]:
        """The tombstones among these keys; a few microseconds where nobody was erased."""
        if self._reader.execute("SELECT 1 FROM suppressed LIMIT 1").fetchone() is None:
            return {}
        asked, found = list(dict.fromkeys(keys)), {}
        for start in range(0, len(asked), _LOOKUP):
            part = asked[start : start + _LOOKUP]
            marks = ",".join("?" * len(part))
            sql = f"SELECT key, erased_ms, lifted_ms FROM suppressed WHERE key IN ({marks})"
            found.update({row[0]: Tombstone(*row) for row in self._reader.execute(sql, part)})
        return found

    def all(self) -> list[tuple[Tombstone, int]]:
        """Every tombstone with its end (epoch seconds), for a backup to replay."""
        rows = self._reader.execute("SELECT key, erased_ms, lifted_ms, until FROM suppressed ORDER BY key").fetchall()
        return [(Tombstone(*row[:3]), row[3]) for row in rows]

    def mark(self, transaction: Transaction, keys: Sequence[int], erased_ms: int, until: int) -> None:
        """Queue tombstones; one that is there already takes the later times, and is no longer lifted."""
        transaction.insert(
            "INSERT INTO suppressed(key, erased_ms, lifted_ms, until)",
            [(key, erased_ms, 0, until) for key in sorted(set(keys))],
            "ON CONFLICT(key) DO UPDATE SET erased_ms = max(erased_ms, excluded.erased_ms), lifted_ms = 0,"
            " until = max(until, excluded.until)",
        )

    def lift(self, transaction: Transaction, keys: Sequence[int], decided_ms: int) -> None:
        """Queue that the person decided anew: events from then on are kept, older ones still not."""
        marks = ",".join("?" * len(keys))
        transaction.later(
            f"UPDATE suppressed SET lifted_ms = ? WHERE key IN ({marks}) AND lifted_ms = 0 AND erased_ms < ?",
            (decided_ms, *keys, decided_ms),
        )

    def expire(self, transaction: Transaction, now: float) -> None:
        """Queue the removal of tombstones that nothing can be replayed against any more."""
        transaction.later("DELETE FROM suppressed WHERE until < ?", (int(now),))
