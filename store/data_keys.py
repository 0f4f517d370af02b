"""The key of each person, wrapped by the node's: whoever has none can be neither sealed nor read."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from store.database import Connection, Database
from store.faults import DatabaseUnreadable
from store.removal import remove_rows

NONCE = 12
_PERSON_LOOKUP = 512


class DataKeys:
    """The part of keys.db that belongs to people: a random key each, destroyed with what it opens."""

    def __init__(self, database: Database, reader: Connection, node_key: AESGCM) -> None:
        self._database = database
        self._reader = reader
        self._node_key = node_key
        self.lent: dict[int, int] = {}
        """Person -> who holds that person's data key until a move is finished (store/moves.py)."""

    async def ensure_data_keys(self, people: Iterable[int]) -> None:
        """Make missing data keys, durable on return: call before anything sealed under them is committed."""
        asked = sorted(set(people))
        known: set[int] = set()
        for start in range(0, len(asked), _PERSON_LOOKUP):
            part = asked[start : start + _PERSON_LOOKUP]
            marks = ",".join("?" * len(part))
            rows = self._reader.execute(f"SELECT person FROM person_keys WHERE person IN ({marks})", part).fetchall()
            known.update(person for (person,) in rows)
        known.update(person for person in asked if person in self.lent and self.holds_data_key(self.lent[person]))
        rows = [(person, self._wrap(person, AESGCM.generate_key(256))) for person in asked if person not in known]
        if rows:
            async with self._database.transaction() as transaction:
                transaction.insert("INSERT OR IGNORE INTO person_keys(person, wrapped)", rows)

    async def destroy_data_keys(self, people: Sequence[int]) -> bool:
        """What was sealed under these people's keys can never be read again, in old copies of vault.db neither.

        False = deleted, but a reader kept the write-ahead log from being emptied: the wrapped keys' bytes are still in
        it until the next `checkpoint_truncate` says True.
        """
        holders = {*people, *(holder for person in people for holder in self._holders(person))}
        await self.drop_data_keys(sorted(holders))
        return await self._database.checkpoint_truncate()

    async def erase_data_keys(self, people: Sequence[int]) -> int:
        """Destroy these people's keys so that not even the person's number stays in the file; how many there were."""
        holders = {*people, *(holder for person in people for holder in self._holders(person))}
        async with self._database.transaction() as transaction:
            return await transaction.run(
                lambda connection: remove_rows(connection, "person_keys", "person", sorted(holders))
            )

    def wrapped_keys(self, people: Sequence[int]) -> list[bytes]:
        """These people's keys as they lie in the file: what to look for after they were destroyed."""
        marks = ",".join("?" * len(people))
        rows = self._reader.execute(f"SELECT wrapped FROM person_keys WHERE person IN ({marks})", people).fetchall()
        return [wrapped for (wrapped,) in rows]

    @property
    def database(self) -> Database:
        """keys.db itself, for maintenance of the file."""
        return self._database

    def data_key(self, person: int) -> AESGCM | None:
        """A person's cipher; None = never made or destroyed. Read anew each time: a cache would survive an erasure."""
        key = self._unwrapped(person)
        return None if key is None else AESGCM(key)

    def holds_data_key(self, person: int) -> bool:
        """Whether anything may be sealed for this person."""
        found = self._reader.execute("SELECT 1 FROM person_keys WHERE person = ?", (person,)).fetchone()
        return found is not None or (person in self.lent and self.holds_data_key(self.lent[person]))

    def with_data_key(self, people: Sequence[int]) -> list[int]:
        """Those of a few hundred people who have a key of their own."""
        marks = ",".join("?" * len(people))
        rows = self._reader.execute(f"SELECT person FROM person_keys WHERE person IN ({marks})", people).fetchall()
        return [person for (person,) in rows]

    async def copy_data_keys(self, moves: Iterable[tuple[int, int]]) -> None:
        """Each (from, to): the second person gets the first one's data key, unless there is one; durable on return."""
        rows = [(new, self._wrap(new, key)) for old, new in moves if (key := self._unwrapped(old)) is not None]
        if rows:
            async with self._database.transaction() as transaction:
                transaction.insert("INSERT OR IGNORE INTO person_keys(person, wrapped)", rows)

    async def drop_data_keys(self, people: Sequence[int]) -> None:
        """Delete keys that were moved; the bytes go with the next truncation, as what they open is still held."""
        marks = ",".join("?" * len(people))
        await self._database.execute(f"DELETE FROM person_keys WHERE person IN ({marks})", people)

    def _holders(self, person: int) -> list[int]:
        """Whose key a person's is as long as a move is unfinished: destroying one means destroying it there."""
        holders: list[int] = []
        while (holder := self.lent.get(person)) is not None and holder not in holders:
            holders.append(holder)
            person = holder
        return holders

    def _unwrapped(self, person: int) -> bytes | None:
        found = self._reader.execute("SELECT wrapped FROM person_keys WHERE person = ?", (person,)).fetchone()
        if found is None:
            holder = self.lent.get(person)
            return None if holder is None else self._unwrapped(holder)
        wrapped: bytes = found[0]
        try:
            return self._node_key.decrypt(wrapped[:NONCE], wrapped[NONCE:], _person_bytes(person))
        except (InvalidTag, ValueError):
            raise DatabaseUnreadable(self._database.path, "a person's key does not fit the node key") from None

    def _wrap(self, person: int, key: bytes) -> bytes:
        nonce = secrets.token_bytes(NONCE)
        return nonce + self._node_key.encrypt(nonce, key, _person_bytes(person))


def _person_bytes(person: int) -> bytes:
    return person.to_bytes(8, "big")
