"""The keys that come and go with the epochs: which there are, which are live, and whether a destroyed one is gone."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from enum import IntEnum
from pathlib import Path

from store.database import Database, Row
from store.faults import DatabaseUnreadable


class Domain(IntEnum):
    """What a key is for. Separate keys keep what one domain reveals from helping in another; never renumber."""

    PROFILE = 0
    EVENTS = 1
    CONSENT = 2
    SUPPRESSION = 3
    EXPERIMENTS = 4
    TRAINING = 5
    RATE = 6
    TOKEN = 7
    SESSION = 8
    DEDUP = 9


_DOMAINS = 64
LIVE = 2
"""Epochs under which people are looked up: the current and the previous one."""


class Epochs:
    """Random keys per epoch and domain, derived from nothing, so that a destroyed one cannot come back.

    `rows` are keys.db's (id, key, began). Raises DatabaseUnreadable where a key is missing that has to be there.
    """

    def __init__(self, path: Path, rows: Iterable[tuple[int, bytes, int]]) -> None:
        self._path = path
        self._keys: dict[int, bytes] = {}
        self._began: dict[int, int] = {}
        self.add(rows)
        missing = [
            f"{domain.name.lower()} of epoch {epoch}"
            for epoch in self.live() or [1]
            for domain in Domain
            if epoch * _DOMAINS + domain not in self._keys
        ]
        if missing:
            raise DatabaseUnreadable(path, f"lacks keys ({', '.join(missing[:3])}); restore it from a backup")

    def add(self, rows: Iterable[tuple[int, bytes, int]]) -> None:
        """Take stored rows over."""
        for number, key, began in rows:
            self._keys[number] = key
            self._began[number // _DOMAINS] = began

    @property
    def current(self) -> int:
        """The number of the epoch in force; it comes from the keys, never from a clock."""
        return max(self._keys) // _DOMAINS

    def began(self, epoch: int) -> int | None:
        """Epoch seconds; None where nothing of that epoch is left."""
        return self._began.get(epoch)

    def key(self, domain: Domain, epoch: int) -> bytes:
        """32 random bytes; KeyError where that epoch's key is destroyed."""
        return self._keys[epoch * _DOMAINS + domain]

    def live(self, domain: Domain = Domain.PROFILE) -> list[int]:
        """Epochs that still have a key of this domain, newest first."""
        return sorted((number // _DOMAINS for number in self._keys if number % _DOMAINS == domain), reverse=True)

    def outlived(self, now: float, suppression_seconds: float) -> list[int]:
        """Ids of the keys whose time is over: all older than the previous epoch's.

        The suppression key lives on for as long as an erased person's events may still be replayed: a tombstone can
        have been made under it until the epoch left the ring, which is when the second epoch after it began.
        """
        over: list[int] = []
        for number in self._keys:
            epoch, domain = divmod(number, _DOMAINS)
            if epoch > self.current - LIVE:
                continue
            left = self._began.get(epoch + LIVE)
            if domain == Domain.SUPPRESSION and left is not None and now < left + suppression_seconds:
                continue
            over.append(number)
        return sorted(over)

    def remove(self, numbers: Iterable[int]) -> list[bytes]:
        """Forget keys; what they were is returned, for the proof that they are in no file."""
        removed = [self._keys.pop(number) for number in numbers]
        epochs = {number // _DOMAINS for number in self._keys}
        self._began = {epoch: began for epoch, began in self._began.items() if epoch in epochs}
        return removed


def new_epoch(epoch: int, now: float) -> list[Row]:
    """Rows of epoch_keys: a random key for every domain."""
    return [(epoch * _DOMAINS + domain, secrets.token_bytes(32), int(now)) for domain in Domain]


def epochs_of(numbers: Iterable[int]) -> list[int]:
    """The epochs that keys with these ids belong to, oldest first."""
    return sorted({number // _DOMAINS for number in numbers})


def domains_of(numbers: Iterable[int]) -> set[Domain]:
    """The domains that keys with these ids belong to."""
    return {Domain(number % _DOMAINS) for number in numbers}


async def proved_gone(database: Database, secret: Sequence[bytes]) -> bool:
    """Whether none of these bytes is left in the database's file or its write-ahead log.

    The log is emptied first; where stale bytes lie in the file all the same, it is written anew (VACUUM) and read
    again. False = a reader kept the log from being emptied: ask again later.
    """
    clean = await database.checkpoint_truncate()
    if _found(database.path, secret) and clean:
        await database.run(lambda connection: connection.execute("VACUUM").close())
        clean = await database.checkpoint_truncate()
    return clean and not _found(database.path, secret)


def _found(path: Path, secret: Sequence[bytes]) -> bool:
    """keys.db is small (100 bytes a person with a vault), and rotations are rare: read it whole."""
    for file in (path, path.with_name(path.name + "-wal")):
        content = file.read_bytes() if file.exists() else b""
        if any(needle in content for needle in secret):
            return True
    return False
