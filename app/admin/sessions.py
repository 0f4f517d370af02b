"""Who is signed in: sessions in memory, known by a digest of their token, over after a while unused and after a day's
work. A restart signs everyone out; nothing of a session is ever in a file."""

from __future__ import annotations

import hmac
import secrets
from collections import OrderedDict
from dataclasses import dataclass

from store.accounts import Account, Role
from store.api_keys import digest_of


@dataclass
class Session:
    """One sign-in. Times are seconds of a clock that never goes back."""

    account: int
    version: int
    name: str
    roles: Role
    csrf: str
    """Sent along by the console's own pages with everything that changes something."""
    started: float
    seen: float
    confirmed: float
    """When the password was last entered."""


class Sessions:
    """At most `most` of them; the longest unused goes first."""

    def __init__(self, *, idle_seconds: float, seconds: float, most: int) -> None:
        self._idle = idle_seconds
        self._longest = seconds
        self._most = most
        self._held: OrderedDict[bytes, Session] = OrderedDict()

    def start(self, account: Account, now: float) -> tuple[str, Session]:
        """A new session and its token (256 random bits), which is only ever in the browser's cookie."""
        token = secrets.token_urlsafe(32)
        session = Session(
            account.id, account.version, account.name, account.roles, secrets.token_urlsafe(24), now, now, now
        )
        self._held[digest_of(token)] = session
        while len(self._held) > self._most:
            self._held.popitem(last=False)
        return token, session

    def find(self, token: str, now: float) -> Session | None:
        """The session, which counts as used now; None = unknown or over."""
        digest = digest_of(token)
        session = self._held.get(digest)
        if session is None:
            return None
        if now - session.seen > self._idle or now - session.started > self._longest:
            del self._held[digest]
            return None
        session.seen = now
        self._held.move_to_end(digest)
        return session

    def end(self, token: str) -> None:
        self._held.pop(digest_of(token), None)

    def __len__(self) -> int:
        return len(self._held)


def same_csrf(session: Session, told: str) -> bool:
    """In constant time."""
    return hmac.compare_digest(session.csrf.encode(), told.encode("utf-8", "surrogatepass"))
