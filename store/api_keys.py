"""Keys with which browsers and the shop's server use the API; what is secret is stored only as a digest."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from store.database import Row

Kind = Literal["public", "server"]
PREFIXES: dict[Kind, str] = {"public": "pk_", "server": "sk_"}


@dataclass(frozen=True)
class ApiKey:
    """What a presented key may do. `public` keys stand in every page: they may write events from their origins and
    read answers; `server` keys may also write the catalogue and name users."""

    id: int
    kind: Kind
    origins: tuple[str, ...] = ()
    """Origins a browser may use it from ("https://shop.example"); empty = any."""
    events: tuple[str, ...] = ()
    """Event names it may send; empty = any."""
    shown: str = ""
    """A public key in full, of a server key only its first letters."""
    created: int = 0


def new_key(kind: Kind) -> str:
    """192 random bits, too many to guess, so that a plain digest is safe to store."""
    return PREFIXES[kind] + secrets.token_urlsafe(24)


def digest_of(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def row_of(kind: Kind, text: str, origins: Iterable[str], events: Iterable[str], now: float) -> Row:
    """The database's row, but for its id."""
    shown = text if kind == "public" else text[:7] + "…"
    return (kind, digest_of(text), shown, "\n".join(origins), "\n".join(events), int(now))


class ApiKeys:
    """The keys in memory, found by their digest."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._keys: dict[bytes, tuple[bytes, ApiKey]] = {}
        for row in rows:
            self.add(row)

    def add(self, row: Row) -> ApiKey:
        number, kind, digest, shown, origins, events, created = row
        key = ApiKey(number, kind, tuple(origins.split()), tuple(events.split()), shown, created)
        self._keys[digest[:8]] = (digest, key)
        return key

    def remove(self, number: int) -> None:
        self._keys = {start: entry for start, entry in self._keys.items() if entry[1].id != number}

    def check(self, text: str) -> ApiKey | None:
        """The key, or None. Looking a guess up by its digest tells timing nothing about the key."""
        if not 20 <= len(text) <= 100:
            return None
        digest = digest_of(text)
        found = self._keys.get(digest[:8])
        return found[1] if found is not None and hmac.compare_digest(found[0], digest) else None

    def all(self) -> list[ApiKey]:
        return sorted((key for _, key in self._keys.values()), key=lambda key: key.id)
