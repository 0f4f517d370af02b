"""The ledger of consent: every decision anyone made, appended only, and a chain that shows if a byte of it was changed.

A row says who decided only to whoever has that person's own key, which lies in the person's row and goes with it: the
ledger stays whole after an erasure, and nothing in it leads to the erased person any more.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from store.database import Connection, Transaction

_NONCE = 12
REMEMBERED = 100
"""Decisions a person's own list leads to; older ones stay in the ledger."""


class Decided(msgspec.Struct, frozen=True, array_like=True):
    """One decision, as the ledger keeps it."""

    at: int
    """Epoch seconds."""
    purposes: int
    """Granted by it, as a set of `Purpose`; 0 is a no to everything."""
    objected: int = 0
    restricted: bool = False
    withdrawn: int = 0
    """What had been granted before and is no longer."""
    version: str = ""
    """Of the policy text that the person saw."""
    region: str = ""
    source: str = ""
    """`beacon`, `server`, `visitor` or what the shop called it."""
    language: str = ""


class LedgerLink(msgspec.Struct, array_like=True):
    """What a person's row holds of the ledger: the key, and where the newest decisions are."""

    key: bytes
    entries: list[int] = []


class LedgerEntry(NamedTuple):
    """One row of the ledger."""

    seq: int
    at: int
    commitment: bytes
    body: bytes
    hash: bytes


class LedgerReport(NamedTuple):
    """What a check of the whole chain found."""

    entries: int
    first: int
    head: bytes
    broken_at: int | None
    """Sequence number of the first row that does not follow from the one before; None: the chain is whole."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Decided).decode
_decode_link = msgspec.msgpack.Decoder(LedgerLink).decode


def read_link(body: bytes | None) -> LedgerLink:
    """The person's link as stored, or a new one with a random key."""
    try:
        return _decode_link(body) if body else LedgerLink(secrets.token_bytes(32))
    except msgspec.DecodeError:
        return LedgerLink(secrets.token_bytes(32))


def write_link(link: LedgerLink) -> bytes:
    return _encode(link)


def commitment_of(key: bytes) -> bytes:
    """Stands for the person in the ledger and on receipts; says nothing to anyone without the key."""
    return hmac.digest(key, b"consent ledger: who", "sha256")[:16]


class ConsentLedger:
    """person.db's ledger. Appends belong to the one writer's turn, where the committed state is the newest there is."""

    def __init__(self, reader: Connection) -> None:
        self._reader = reader

    def append(self, transaction: Transaction, decisions: Sequence[tuple[LedgerLink, Decided]]) -> list[LedgerEntry]:
        """Queue a row per decision, in order; each link learns where its row is. Call once per transaction."""
        if not decisions:
            return []
        seq, previous = self.head()
        entries: list[LedgerEntry] = []
        for link, decided in decisions:
            seq += 1
            commitment = commitment_of(link.key)
            nonce = secrets.token_bytes(_NONCE)
            body = nonce + _cipher(link.key).encrypt(nonce, _encode(decided), commitment)
            entry = LedgerEntry(seq, decided.at, commitment, body, b"")
            entry = entry._replace(hash=chained(previous, entry))
            previous = entry.hash
            link.entries = [*link.entries, seq][-REMEMBERED:]
            entries.append(entry)
        transaction.insert("INSERT INTO consent_ledger(seq, at, commitment, body, hash)", entries)
        return entries

    def head(self) -> tuple[int, bytes]:
        """Sequence number and hash of the newest row (of the chain's start where there is none)."""
        found = self._reader.execute("SELECT seq, hash FROM consent_ledger ORDER BY seq DESC LIMIT 1").fetchone()
        return found or _start(self._reader)

    def entry(self, seq: int) -> LedgerEntry | None:
        """One row; None where it never was or has expired."""
        sql = "SELECT seq, at, commitment, body, hash FROM consent_ledger WHERE seq = ?"
        found = self._reader.execute(sql, (seq,)).fetchone()
        return None if found is None else LedgerEntry(*found)

    def decisions(self, link: LedgerLink) -> list[tuple[LedgerEntry, Decided]]:
        """What the ledger says about the person with this link, oldest first."""
        found = []
        for seq in link.entries:
            entry = self.entry(seq)
            decided = None if entry is None else open_entry(link.key, entry)
            if entry is not None and decided is not None:
                found.append((entry, decided))
        return found

    async def expire(self, transaction: Transaction, before: float, rows: int) -> int:
        """Queue the removal of up to `rows` of the oldest rows, as far as they are older than `before` (epoch
        seconds); the chain then begins after them. How many go."""
        first = await transaction.fetch("SELECT seq, at, hash FROM consent_ledger ORDER BY seq LIMIT ?", (rows,))
        going: list[tuple[int, bytes]] = []
        for seq, at, digest in first:
            if at >= before:
                break
            going.append((seq, digest))
        if going:
            transaction.later("DELETE FROM consent_ledger WHERE seq <= ?", (going[-1][0],))
            transaction.later("UPDATE ledger_start SET seq = ?, hash = ? WHERE one = 1", going[-1])
        return len(going)


def open_entry(key: bytes, entry: LedgerEntry) -> Decided | None:
    """What a row says; None where it is not this person's."""
    try:
        plain = _cipher(key).decrypt(entry.body[:_NONCE], entry.body[_NONCE:], entry.commitment)
        return _decode(plain)
    except (InvalidTag, ValueError, msgspec.DecodeError):
        return None


def chained(previous: bytes, entry: LedgerEntry) -> bytes:
    """SHA-256 over the hash before and everything in the row, each with its length."""
    digest = hashlib.sha256(previous)
    digest.update(entry.seq.to_bytes(8, "big") + entry.at.to_bytes(8, "big", signed=True))
    for part in (entry.commitment, entry.body):
        digest.update(len(part).to_bytes(4, "big") + part)
    return digest.digest()


def verify_ledger(connection: Connection) -> LedgerReport:
    """Follow the whole chain. Reads every row; about a second for a million."""
    seq, previous = _start(connection)
    first, count = seq + 1, 0
    rows = connection.execute("SELECT seq, at, commitment, body, hash FROM consent_ledger ORDER BY seq")
    for entry in map(LedgerEntry._make, rows):
        seq += 1
        if entry.seq != seq or not _whole(entry) or chained(previous, entry) != entry.hash:
            return LedgerReport(count, first, previous, entry.seq)
        previous, count = entry.hash, count + 1
    return LedgerReport(count, first, previous, None)


def _whole(entry: LedgerEntry) -> bool:
    """A changed byte may have made something else of a column than what belongs there."""
    kinds = (int, int, bytes, bytes, bytes)
    return all(isinstance(value, kind) for value, kind in zip(entry, kinds, strict=True)) and abs(entry.at) < 1 << 62


def _start(connection: Connection) -> tuple[int, bytes]:
    seq, digest = connection.execute("SELECT seq, hash FROM ledger_start").fetchone()
    return int(seq), bytes(digest)


def _cipher(key: bytes) -> AESGCM:
    return AESGCM(hmac.digest(key, b"consent ledger: what", "sha256"))
