"""Opens admin.db: the accounts of those who operate the node, and the book of what they did."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from store.accounts import Accounts
from store.audit import AuditLog
from store.database import open_database, open_reader


class AdminStore(NamedTuple):
    """What lies in admin.db."""

    accounts: Accounts
    audit: AuditLog


@asynccontextmanager
async def open_admin(path: Path, *, max_pages: int = 0) -> AsyncIterator[AdminStore]:
    """Open (or make) the file. Raises a StoreFault."""
    async with open_database(path, "admin", max_pages=max_pages, cache_mb=1) as database:
        reader = open_reader(path, cache_mb=1)
        try:
            yield AdminStore(Accounts(database, reader), AuditLog(database, reader))
        finally:
            reader.close()
