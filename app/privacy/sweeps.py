"""When the retention sweep last ran, what it did, when it runs next, and whether it stands still."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from time import perf_counter

import msgspec

from app.metrics import Metrics
from store.database import Connection, Transaction

_GRACE_SECONDS = 60.0


class Swept(msgspec.Struct, frozen=True):
    """What the sweeps did to one kind of data so far."""

    removed: int = 0
    last_removed: int = 0
    ended: int = 0
    """Epoch seconds of the last whole sweep; 0 = none yet."""
    oldest: int | None = None
    """Epoch seconds of the oldest of its kind that stayed; None = nothing stayed."""


class Sweeps:
    """What a node knows of its sweeps; numbers per kind are kept in person.db across restarts."""

    def __init__(self, minutes: float, metrics: Metrics, monotonic: Callable[[], float] = perf_counter) -> None:
        self._allowed = 2 * minutes * 60 + _GRACE_SECONDS
        self._minutes = minutes
        self._metrics = metrics
        self._monotonic = monotonic
        self._moved = monotonic()
        self.running = False
        self.next_at = 0.0
        """Epoch seconds of the next sweep; 0 = at once."""
        self.vault_at = float("-inf")
        """When the vault was last looked through."""
        self.experiments: set[int] | None = None
        """The experiments that ran when people's rows were last looked through for ended ones; None: not since the
        start."""
        self.ids_day = -1
        """The day on which the counted ids were last looked through from end to end."""
        self._slices = metrics.histogram("retention_slice_seconds", "How long a slice of the sweep worked.")

    def moved(self, seconds: float | None = None) -> None:
        """A slice is done, after so long."""
        self._moved = self._monotonic()
        if seconds is not None:
            self._slices.observe(seconds)

    def problem(self) -> str:
        """A sentence where no slice was done for longer than two sweeps lie apart; empty = all is well."""
        idle = self._monotonic() - self._moved
        if idle <= self._allowed:
            return ""
        return f"the retention sweep stands still for {idle / 60:.0f} minutes: what has expired is still there"

    def removed(self, removed: Mapping[str, int]) -> None:
        """So much is gone, by kind, also where the sweep broke off."""
        counter = self._metrics.counter("retention_removed", "What retention removed, by kind.", ["kind"])
        for kind, count in removed.items():
            counter.labels(kind).inc(count)

    def ended(self, now: float, oldest: Mapping[str, int | None]) -> None:
        """A whole sweep is done, at `now` (epoch seconds)."""
        self.moved()
        self.next_at = now + self._minutes * 60
        gauge = self._metrics.gauge
        gauge("retention_last_sweep", "When the last whole sweep ended, epoch seconds.").set(now)
        gauge("retention_next_sweep", "When the next sweep begins, epoch seconds.").set(self.next_at)
        ages = gauge("retention_oldest", "Time of the oldest of a kind that stayed, epoch seconds; 0: none.", ["kind"])
        for kind, at in oldest.items():
            ages.labels(kind).set(at or 0)


def note_sweep(
    transaction: Transaction, now: float, kinds: Mapping[str, int | None], removed: Counter[str], looked_at: set[str]
) -> None:
    """Queue what a sweep did: `kinds` -> oldest that stayed. `looked_at`: whose oldest is known anew."""
    for kind, oldest in kinds.items():
        keep = "excluded.oldest" if kind in looked_at else "oldest"
        transaction.later(
            "INSERT INTO sweeps(kind, removed, last_removed, ended, oldest) VALUES (?1, ?2, ?2, ?3, ?4)"
            " ON CONFLICT(kind) DO UPDATE SET removed = removed + excluded.removed,"
            f" last_removed = excluded.last_removed, ended = excluded.ended, oldest = {keep}",
            (kind, removed[kind], int(now), oldest),
        )


def read_sweeps(reader: Connection) -> dict[str, Swept]:
    """Kind -> what was done to it."""
    rows = reader.execute("SELECT kind, removed, last_removed, ended, oldest FROM sweeps").fetchall()
    return {kind: Swept(*row) for kind, *row in rows}
