"""Signing in and out: who may, how often one may try, and until when a session holds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import perf_counter
from typing import TypeVar

from app.admin.options import AdminOptions
from app.admin.passwords import MOST_LETTERS, fits, generate, stored
from app.admin.sessions import Session, Sessions
from app.ingest.rate import RateLimit
from store.accounts import EVERY_ROLE, Account, Accounts
from store.admin import AdminStore
from store.audit import AuditLog
from store.clock import Clock

T = TypeVar("T")
_WAITING = 8
"""Passwords being checked or waiting for it; each takes 32 MiB and some tenths of a second."""


class TryLater(Exception):
    """Too many passwords were tried; `seconds` until the next may be."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"wait {seconds:.0f} seconds")
        self.seconds = seconds


class Staff:
    """Everyone who operates the node. `elapsed` is a clock that never goes back, in seconds."""

    FIRST_NAME = "admin"

    def __init__(self, store: AdminStore, options: AdminOptions, elapsed: Callable[[], float] = perf_counter) -> None:
        self.accounts: Accounts = store.accounts
        self.audit: AuditLog = store.audit
        self.options = options
        self.first_password = ""
        """Of the account made at this very start, to be shown once."""
        self._elapsed = elapsed
        self._wall = Clock()
        self._sessions = Sessions(
            idle_seconds=options.idle_minutes * 60, seconds=options.session_hours * 3600, most=options.sessions
        )
        self._by_prefix = RateLimit(per_minute=options.attempts_per_minute, prefixes=10_000)
        self._by_account = RateLimit(per_minute=options.attempts_per_minute, prefixes=1_000)
        self._one_at_a_time = asyncio.Lock()
        self._waiting = 0

    async def ensure_first_account(self) -> None:
        """Where nobody can sign in yet, make `admin` with every role and a generated password: there is no default."""
        if not self.accounts.all():
            password = generate()
            await self.accounts.add(self.FIRST_NAME, EVERY_ROLE, stored(password, generated=True), self._wall.now())
            self.first_password = password

    async def sign_in(self, name: str, password: str, address: str) -> tuple[str, Session] | None:
        """A session and its token; None = wrong name or password, which take equally long. Raises TryLater."""
        account = self.accounts.get(name)
        if not await self._right(account, password, address):
            # What was typed as a name may be a password in the wrong field.
            await self.note(account.name if account else "(unknown)", "login", "", "wrong name or password")
            return None
        assert account is not None
        await self.note(account.name, "login", "", "done")
        return self._sessions.start(account, self._elapsed())

    async def confirm(self, session: Session, password: str, address: str) -> bool:
        """The password entered again, for what is not to be done from a screen left open. Raises TryLater."""
        right = await self._right(self.accounts.by_id(session.account), password, address)
        await self.note(session.name, "password entered again", "", "done" if right else "wrong password")
        if right:
            session.confirmed = self._elapsed()
        return right

    def session(self, token: str) -> Session | None:
        """The session of a token, as long as it holds and its account is as it was."""
        found = self._sessions.find(token, self._elapsed()) if token else None
        if found is None:
            return None
        account = self.accounts.by_id(found.account)
        if account is None or account.version != found.version:
            self._sessions.end(token)
            return None
        return found

    def confirmed(self, session: Session) -> bool:
        """Whether the password was entered just now."""
        return self._elapsed() - session.confirmed <= self.options.confirm_minutes * 60

    def start_session(self, account: Account) -> tuple[str, Session]:
        """A session for someone who proved otherwise who they are."""
        return self._sessions.start(account, self._elapsed())

    def sign_out(self, token: str) -> None:
        self._sessions.end(token)

    def now(self) -> float:
        """The wall's time, whatever the shop's clock says: staff live today."""
        return self._wall.now()

    async def note(self, actor: str, action: str, target: str, outcome: str = "done") -> None:
        """A line in the book of what was done."""
        await self.audit.note(actor, action, target, outcome, self.now())

    async def forget_old(self) -> int:
        """Remove lines that are too old from the book."""
        return await self.audit.forget(self._wall.now() - self.options.audit_days * 86_400)

    async def stored(self, password: str) -> str:
        """What may be kept of a chosen password."""
        return await self._in_turn(lambda: stored(password))

    async def _right(self, account: Account | None, password: str, address: str) -> bool:
        now = self._elapsed()
        wait = self._by_prefix.wait(address, now)
        if not wait and account is not None:
            wait = self._by_account.wait_named(account.id.to_bytes(8, "big"), now)
        if wait:
            raise TryLater(wait)
        kept = account.password if account else None
        if len(password) > MOST_LETTERS:
            kept, password = None, ""
        return await self._in_turn(lambda: fits(password, kept))

    async def _in_turn(self, work: Callable[[], T]) -> T:
        """In a thread, one at a time, so that tries fill neither the processor nor the memory. Raises TryLater."""
        if self._waiting >= _WAITING:
            raise TryLater(5)
        self._waiting += 1
        try:
            async with self._one_at_a_time:
                return await asyncio.to_thread(work)
        finally:
            self._waiting -= 1
