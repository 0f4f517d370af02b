"""The node's secrets: what turns ids into pseudonyms, what encrypts the vault, and who may use the API."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from store.api_keys import ApiKey, ApiKeys, Kind, new_key, row_of
from store.data_keys import NONCE, DataKeys
from store.database import Connection, Database, open_database, open_reader
from store.epochs import Domain, Epochs, domains_of, epochs_of, new_epoch, proved_gone
from store.faults import DatabaseUnreadable, KeysLost

__all__ = ["Domain", "KeyRing", "open_keys"]

_NODE_KEY, _SIGNING_SECRET, _RECEIPT_KEY = 1, 2, 3
_HOUR_MS = 3_600_000


class KeyRing(DataKeys):
    """Every key in force. Epoch keys are random, derived from nothing, so that a destroyed one cannot come back."""

    def __init__(self, database: Database, reader: Connection, tenant: str, first_keys: dict[Kind, str]) -> None:
        self.path = database.path
        self._tenant = tenant
        self._epochs = Epochs(database.path, reader.execute("SELECT id, key, began FROM epoch_keys").fetchall())
        stored: dict[int, bytes] = dict(reader.execute("SELECT id, value FROM secrets").fetchall())
        if not {_NODE_KEY, _SIGNING_SECRET, _RECEIPT_KEY} <= stored.keys():
            raise DatabaseUnreadable(database.path, "lacks the node's own secrets; restore it from a backup")
        super().__init__(database, reader, AESGCM(stored[_NODE_KEY]))
        self._signing_secret = stored[_SIGNING_SECRET]
        self._receipt_key = Ed25519PrivateKey.from_private_bytes(stored[_RECEIPT_KEY])
        self._api_keys = ApiKeys(reader.execute("SELECT * FROM api_keys").fetchall())
        (self.ring,) = reader.execute("SELECT name FROM ring").fetchone()
        """Names this ring of keys."""
        self._unproved: list[bytes] = []  # keys just destroyed, until they are proved to be in no file
        self.first_keys = first_keys
        """API keys made at this very start, to be shown once; empty ever after."""
        self._take_current()

    def _take_current(self) -> None:
        self.epoch = self._epochs.current
        """The current epoch's number; it comes from the keys, never from a clock."""
        before = self.epoch - 1
        self._before = self.key(Domain.PROFILE, before) if before in self.epochs() else None
        self._session_key = self.key(Domain.SESSION)
        self._dedup_key = self.key(Domain.DEDUP)
        self._profile_key = self.key(Domain.PROFILE)

    def key(self, domain: Domain, epoch: int | None = None) -> bytes:
        """32 random bytes; KeyError where that epoch's key is destroyed."""
        return self._epochs.key(domain, self.epoch if epoch is None else epoch)

    def epochs(self, domain: Domain = Domain.PROFILE) -> list[int]:
        """Epochs that still have a key of this domain, newest first: the order in which a person is looked up."""
        return self._epochs.live(domain)

    def began(self, epoch: int | None = None) -> int:
        """When an epoch began (the current one by default), epoch seconds; 0 = unknown."""
        return self._epochs.began(self.epoch if epoch is None else epoch) or 0

    def pseudonym(self, kind: str, name: str, domain: Domain = Domain.PROFILE) -> bytes:
        """HMAC-SHA-256(K_e, tenant|kind|name), 128 bits kept (PRIVACY.md section 2).

        `kind` says what the name is: "anon", "user" or "session".
        """
        key = self._profile_key if domain is Domain.PROFILE else self.key(domain)
        return self._pseudonym(key, kind, name)

    def pseudonyms(self, kind: str, name: str, domain: Domain = Domain.PROFILE) -> list[bytes]:
        """The same person under every live epoch, newest first."""
        return [self._pseudonym(self.key(domain, epoch), kind, name) for epoch in self.epochs(domain)]

    def pseudonym_before(self, kind: str, name: str) -> bytes | None:
        """Under which the same person was known in the previous epoch; None before the first rotation."""
        return None if self._before is None else self._pseudonym(self._before, kind, name)

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

    def event_hash(self, pseudonym: bytes, event_id: str, at_ms: int = 0, epoch: int | None = None) -> int:
        """63 bits that stand for an event id when asking whether it was counted before.

        `at_ms`: the event's time as its sender gave it (equal in every retry). Its hour makes the upper 14 bits, so
        that ids of an hour lie together in the file; 49 keyed bits remain, where of 400,000 events an hour one in
        10⁹ is taken for another's repetition.
        """
        text = pseudonym + event_id.encode("utf-8", "surrogatepass")
        key = self._dedup_key if epoch is None else self.key(Domain.DEDUP, epoch)
        keyed = int.from_bytes(hashlib.blake2b(text, key=key, digest_size=8).digest(), "big")
        return (at_ms // _HOUR_MS & 0x3FFF) << 49 | keyed >> 15

    def check_user(self, user: str, signature: str) -> bool:
        """Whether the shop signed this user id: hex of HMAC-SHA-256(signing secret, user)."""
        expected = hmac.digest(self._signing_secret, user.encode("utf-8", "surrogatepass"), "sha256").hex()
        return hmac.compare_digest(expected.encode(), signature.lower().encode("utf-8", "surrogatepass"))

    @property
    def signing_secret(self) -> str:
        """For the shop's server, which signs user ids with it (the bytes of this very text are the HMAC key)."""
        return self._signing_secret.decode()

    def sign_receipt(self, content: bytes) -> bytes:
        """Ed25519 signature of a receipt's content, 64 bytes."""
        return self._receipt_key.sign(content)

    @property
    def receipt_public_key(self) -> bytes:
        """32 bytes by which anyone can check a receipt of this node."""
        return self._receipt_key.public_key().public_bytes_raw()

    def seal_note(self, about: bytes, plain: bytes) -> bytes:
        """What the node has to remember until something is finished, encrypted under the node key."""
        nonce = secrets.token_bytes(NONCE)
        return nonce + self._node_key.encrypt(nonce, plain, b"note|" + about)

    def open_note(self, about: bytes, sealed: bytes) -> bytes:
        """What `seal_note` sealed under the same heading. Raises DatabaseUnreadable."""
        try:
            return self._node_key.decrypt(sealed[:NONCE], sealed[NONCE:], b"note|" + about)
        except (InvalidTag, ValueError):
            raise DatabaseUnreadable(self._database.path, "does not fit what was sealed with it") from None

    # ---- epochs

    async def add_epoch(self, now: float) -> int:
        """Begin the next epoch: from here on people are written under it, and found under it and the one before."""
        epoch = self.epoch + 1
        rows = new_epoch(epoch, now)
        async with self._database.transaction() as transaction:
            transaction.insert("INSERT INTO epoch_keys(id, key, began)", rows)
            transaction.later(_HISTORY, (int(now), epoch, "began", ""))
            transaction.later("DELETE FROM rotation_asked")
        self._epochs.add(rows)
        self._take_current()
        return epoch

    async def restart_epoch(self, now: float) -> None:
        """Count the current epoch from now on: its beginning was written by a clock that was wrong."""
        async with self._database.transaction() as transaction:
            transaction.later("UPDATE epoch_keys SET began = ? WHERE id / 64 = ?", (int(now), self.epoch))
            transaction.later(_HISTORY, (int(now), self.epoch, "clock corrected", ""))
        self._epochs.add(self._reader.execute("SELECT id, key, began FROM epoch_keys").fetchall())

    async def destroy_outlived(self, now: float, suppression_seconds: float, detail: str = "") -> bool:
        """Destroy the keys older than the previous epoch's; what hung on them has to be deleted before.

        True = the keys' bytes are in no file any more: the write-ahead log is empty and the file was read. False = a
        reader kept the log from being emptied, repeat. Each destroyed epoch gets a line in the history.
        """
        numbers = self._epochs.outlived(now, suppression_seconds)
        if numbers:
            marks = ",".join("?" * len(numbers))
            async with self._database.transaction() as transaction:
                transaction.later(f"DELETE FROM epoch_keys WHERE id IN ({marks})", numbers)
                for epoch in epochs_of(numbers):
                    which = "the suppression key" if domains_of(numbers) == {Domain.SUPPRESSION} else "keys"
                    transaction.later(_HISTORY, (int(now), epoch, f"{which} destroyed", detail))
        self._unproved += self._epochs.remove(numbers)
        if await proved_gone(self._database, self._unproved):
            self._unproved = []
            return True
        return False

    def outlived(self, now: float, suppression_seconds: float) -> bool:
        """Whether any key is still there whose time is over."""
        return bool(self._unproved or self._epochs.outlived(now, suppression_seconds))

    def history(self) -> list[tuple[int, int, str, str]]:
        """(epoch seconds, epoch, what, detail), oldest first."""
        return self._reader.execute("SELECT at, epoch, what, detail FROM key_history ORDER BY id").fetchall()

    async def ask_rotation(self, now: float) -> None:
        """Leave word for the process that serves."""
        await self._database.execute("INSERT OR REPLACE INTO rotation_asked(one, at) VALUES (1, ?)", (int(now),))

    def rotation_asked(self) -> bool:
        """Whether somebody left word."""
        return self._reader.execute("SELECT 1 FROM rotation_asked").fetchone() is not None

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


_HISTORY = "INSERT INTO key_history(at, epoch, what, detail) VALUES (?,?,?,?)"
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
            if beside is not None and _holds_something(beside):
                raise KeysLost(
                    path, f"holds no keys, but {beside.name} was written with some; restore it from a backup"
                )
            first_keys = {kind: new_key(kind) for kind in ("public", "server")}
            async with database.transaction() as transaction:
                transaction.insert("INSERT INTO epoch_keys(id, key, began)", new_epoch(1, now))
                signing = secrets.token_urlsafe(32).encode()
                transaction.insert(
                    "INSERT INTO secrets(id, value)",
                    [
                        (_NODE_KEY, AESGCM.generate_key(256)),
                        (_SIGNING_SECRET, signing),
                        (_RECEIPT_KEY, secrets.token_bytes(32)),
                    ],
                )
                rows = [row_of(kind, text, (), (), now) for kind, text in first_keys.items()]
                transaction.insert(_INSERT_API_KEY, rows)
        reader = open_reader(path, cache_mb=4)
        try:
            yield KeyRing(database, reader, tenant, first_keys)
        finally:
            reader.close()


def stored_receipt_key(path: Path) -> bytes:
    """The public key of a keys.db by which its node's receipts are checked, read beside a running server.

    Raises a StoreFault where there is none.
    """
    reader = open_reader(path, cache_mb=1)
    try:
        found = reader.execute("SELECT value FROM secrets WHERE id = ?", (_RECEIPT_KEY,)).fetchone()
    finally:
        reader.close()
    if found is None:
        raise DatabaseUnreadable(path, "holds no key for receipts; restore it from a backup")
    return Ed25519PrivateKey.from_private_bytes(found[0]).public_key().public_bytes_raw()


def _holds_something(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0
