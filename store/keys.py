"""The node's secrets: what turns ids into pseudonyms, what encrypts the vault, and who may use the API."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from enum import IntEnum
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from store.api_keys import ApiKey, ApiKeys, Kind, new_key, row_of
from store.database import Connection, Database, Row, open_database, open_reader
from store.faults import DatabaseUnreadable, KeysLost


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
_NODE_KEY, _SIGNING_SECRET = 1, 2
_NONCE = 12
_HOUR_MS = 3_600_000
_PERSON_LOOKUP = 512


class KeyRing:
    """Every key in force. Epoch keys are random, derived from nothing, so that a destroyed one cannot come back."""

    def __init__(self, database: Database, reader: Connection, tenant: str, first_keys: dict[Kind, str]) -> None:
        self._database = database
        self._reader = reader
        self._tenant = tenant
        self._epoch_keys: dict[int, bytes] = dict(reader.execute("SELECT id, key FROM epoch_keys").fetchall())
        stored: dict[int, bytes] = dict(reader.execute("SELECT id, value FROM secrets").fetchall())
        self._node_key = AESGCM(stored[_NODE_KEY])
        self._signing_secret = stored[_SIGNING_SECRET]
        self._api_keys = ApiKeys(reader.execute("SELECT * FROM api_keys").fetchall())
        self.epoch = max(self._epoch_keys) // _DOMAINS
        """The current epoch's number; it comes from the keys, never from a clock."""
        self.first_keys = first_keys
        """API keys made at this very start, to be shown once; empty ever after."""
        self._session_key = self.key(Domain.SESSION)
        self._dedup_key = self.key(Domain.DEDUP)
        self._profile_key = self.key(Domain.PROFILE)

    def key(self, domain: Domain, epoch: int | None = None) -> bytes:
        """32 random bytes; KeyError where that epoch's key is destroyed."""
        return self._epoch_keys[(self.epoch if epoch is None else epoch) * _DOMAINS + domain]

    def epochs(self) -> list[int]:
        """Epochs that still have keys, newest first: the order in which a person is looked up."""
        return sorted({number // _DOMAINS for number in self._epoch_keys}, reverse=True)

    def pseudonym(self, kind: str, name: str, domain: Domain = Domain.PROFILE) -> bytes:
        """HMAC-SHA-256(K_e, tenant|kind|name), 128 bits kept (PRIVACY.md section 2).

        `kind` says what the name is: "anon", "user" or "session".
        """
        key = self._profile_key if domain is Domain.PROFILE else self.key(domain)
        return self._pseudonym(key, kind, name)

    def pseudonyms(self, kind: str, name: str, domain: Domain = Domain.PROFILE) -> list[bytes]:
        """The same person under every live epoch, newest first."""
        return [self._pseudonym(self.key(domain, epoch), kind, name) for epoch in self.epochs()]

    def _pseudonym(self, key: bytes, kind: str, name: str) -> bytes:
        return hmac.digest(key, f"{self._tenant}|{kind}|{name}".encode("utf-8", "surrogatepass"), "sha256")[:16]

    def suppression_keys(self, kind: str, name: str) -> list[int]:
        """Under which numbers an erased person is remembered, one for every live epoch, newest first."""
        pseudonyms = self.pseudonyms(kind, name, Domain.SUPPRESSION)
        return [int.from_bytes(pseudonym[:8], "big") >> 1 for pseudonym in pseudonyms]

    def session_hash(self, session: str) -> int:
        """63 bits that stand for a visit in the log; keyed BLAKE2b."""
        text = session.encode("utf-8", "surrogatepass")
        return int.from_bytes(hashlib.blake2b(text, key=self._session_key, digest_size=8).digest(), "big") >> 1

    def event_hash(self, pseudonym: bytes, event_id: str, at_ms: int = 0) -> int:
        """63 bits that stand for an event id when asking whether it was counted before.

        `at_ms`: the event's time as its sender gave it (equal in every retry). Its hour makes the upper 14 bits, so
        that ids of an hour lie together in the file; 49 keyed bits remain, where of 400,000 events an hour one in
        10⁹ is taken for another's repetition.
        """
        text = pseudonym + event_id.encode("utf-8", "surrogatepass")
        keyed = int.from_bytes(hashlib.blake2b(text, key=self._dedup_key, digest_size=8).digest(), "big")
        return (at_ms // _HOUR_MS & 0x3FFF) << 49 | keyed >> 15

    def check_user(self, user: str, signature: str) -> bool:
        """Whether the shop signed this user id: hex of HMAC-SHA-256(signing secret, user)."""
        expected = hmac.digest(self._signing_secret, user.encode("utf-8", "surrogatepass"), "sha256").hex()
        return hmac.compare_digest(expected.encode(), signature.lower().encode("utf-8", "surrogatepass"))

    @property
    def signing_secret(self) -> str:
        """For the shop's server, which signs user ids with it (the bytes of this very text are the HMAC key)."""
        return self._signing_secret.decode()

    # ---- keys of people: whoever has none can be neither sealed nor read

    async def ensure_data_keys(self, people: Iterable[int]) -> None:
        """Make missing data keys, durable on return: call before anything sealed under them is committed."""
        asked = sorted(set(people))
        known: set[int] = set()
        for start in range(0, len(asked), _PERSON_LOOKUP):
            part = asked[start : start + _PERSON_LOOKUP]
            marks = ",".join("?" * len(part))
            rows = self._reader.execute(f"SELECT person FROM person_keys WHERE person IN ({marks})", part).fetchall()
            known.update(person for (person,) in rows)
        rows = [(person, self._wrap(person, AESGCM.generate_key(256))) for person in asked if person not in known]
        if rows:
            async with self._database.transaction() as transaction:
                transaction.insert("INSERT OR IGNORE INTO person_keys(person, wrapped)", rows)

    async def destroy_data_keys(self, people: Sequence[int]) -> bool:
        """What was sealed under these people's keys can never be read again, in old copies of vault.db neither.

        False = deleted, but a reader kept the write-ahead log from being emptied: the wrapped keys' bytes are still in
        it until the next `checkpoint_truncate` says True.
        """
        marks = ",".join("?" * len(people))
        await self._database.execute(f"DELETE FROM person_keys WHERE person IN ({marks})", people)
        return await self._database.checkpoint_truncate()

    def data_key(self, person: int) -> AESGCM | None:
        """A person's cipher; None = never made or destroyed. Read anew each time: a cache would survive an erasure."""
        found = self._reader.execute("SELECT wrapped FROM person_keys WHERE person = ?", (person,)).fetchone()
        if found is None:
            return None
        wrapped: bytes = found[0]
        try:
            return AESGCM(self._node_key.decrypt(wrapped[:_NONCE], wrapped[_NONCE:], _person_bytes(person)))
        except (InvalidTag, ValueError):
            raise DatabaseUnreadable(self._database.path, "a person's key does not fit the node key") from None

    def _wrap(self, person: int, key: bytes) -> bytes:
        nonce = secrets.token_bytes(_NONCE)
        return nonce + self._node_key.encrypt(nonce, key, _person_bytes(person))

    # ---- keys of the API

    def check(self, text: str) -> ApiKey | None:
        """What a presented API key may do; None = unknown. In memory, in constant time."""
        return self._api_keys.check(text)

    def api_keys(self) -> list[ApiKey]:
        """All of them, oldest first; public keys with their text."""
        return self._api_keys.all()

    async def create_api_key(
        self, kind: Kind, origins: Iterable[str] = (), events: Iterable[str] = (), *, now: float
    ) -> str:
        """A new key's text, in force at once. A server key is never shown again."""
        text = new_key(kind)
        async with self._database.transaction() as transaction:
            row = row_of(kind, text, origins, events, now)
            kept = await transaction.fetch(f"{_INSERT_API_KEY} VALUES (?,?,?,?,?,?) RETURNING *", row)
        self._api_keys.add(kept[0])
        return text

    async def revoke_api_key(self, number: int) -> None:
        """Refused from now on."""
        await self._database.execute("DELETE FROM api_keys WHERE id = ?", (number,))
        self._api_keys.remove(number)


_INSERT_API_KEY = "INSERT INTO api_keys(kind, digest, shown, origins, events, created)"


@asynccontextmanager
async def open_keys(
    path: Path, *, now: float, beside: Path | None = None, tenant: str = "shop", max_pages: int = 0
) -> AsyncIterator[KeyRing]:
    """Open keys.db; the first start makes every key, and one API key of each kind (`first_keys`).

    `beside` is person.db: where it holds data and keys.db is gone, KeysLost is raised, as new keys would silently cut
    everyone from their data.
    """
    if beside is not None and _holds_something(beside) and not _holds_something(path):
        raise KeysLost(
            path,
            f"is missing, but {beside.name} was written with its keys; restore it from a backup,"
            " or start over in an empty data directory",
        )
    async with open_database(path, "keys", max_pages=max_pages, cache_mb=4) as database:
        first_keys: dict[Kind, str] = {}
        if not await database.fetch("SELECT 1 FROM epoch_keys LIMIT 1"):
            first_keys = {kind: new_key(kind) for kind in ("public", "server")}
            async with database.transaction() as transaction:
                transaction.insert("INSERT INTO epoch_keys(id, key, began)", _new_epoch(1, now))
                signing = secrets.token_urlsafe(32).encode()
                transaction.insert(
                    "INSERT INTO secrets(id, value)",
                    [(_NODE_KEY, AESGCM.generate_key(256)), (_SIGNING_SECRET, signing)],
                )
                rows = [row_of(kind, text, (), (), now) for kind, text in first_keys.items()]
                transaction.insert(_INSERT_API_KEY, rows)
        reader = open_reader(path, cache_mb=4)
        try:
            yield KeyRing(database, reader, tenant, first_keys)
        finally:
            reader.close()


def _holds_something(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def _new_epoch(epoch: int, now: float) -> list[Row]:
    return [(epoch * _DOMAINS + domain, secrets.token_bytes(32), int(now)) for domain in Domain]


def _person_bytes(person: int) -> bytes:
    return person.to_bytes(8, "big")
