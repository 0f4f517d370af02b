"""What can go wrong with the files, named for what one can do about it."""

from __future__ import annotations

import sqlite3
from pathlib import Path


class StoreFault(Exception):
    """Something about a file of the data directory; `path` says which, the text says what would help."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(f"{path}: {what}")
        self.path = path
        self.what = what


class DatabaseFull(StoreFault):
    """No room: nothing of the transaction was kept; make room (or raise the bound) and try again."""


class DatabaseReadOnly(StoreFault):
    """The file or its folder may not be written: mend the permissions."""


class DatabaseUnreadable(StoreFault):
    """Corrupt, or not a database of this program: restore it from a backup."""


class DatabaseNewer(StoreFault):
    """Written by a newer version of the program: use that version."""


class DatabaseBusy(StoreFault):
    """Another process holds the file: stop it, or try again."""


class KeysLost(StoreFault):
    """The keys are gone though data made with them exists: restore keys.db, or start over in an empty folder."""


class LedgerLost(StoreFault):
    """Something was released and nobody knows any more what it cost: restore budget.db, or forget what was released."""


class GenerationUnreadable(StoreFault):
    """A learned generation is incomplete or damaged: the previous one keeps serving."""


_READ_ONLY = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM}
_UNREADABLE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_WRITE_FAILED = {
    sqlite3.SQLITE_IOERR_WRITE,
    sqlite3.SQLITE_IOERR_FSYNC,
    sqlite3.SQLITE_IOERR_TRUNCATE,
    sqlite3.SQLITE_IOERR_SHMSIZE,
}


def fault_of(path: Path, error: sqlite3.Error) -> StoreFault | None:
    """The fault an SQLite error stands for; None where it is a mistake in our own SQL."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    primary = code & 0xFF
    if primary == sqlite3.SQLITE_FULL or code in _WRITE_FAILED:
        return DatabaseFull(path, f"cannot grow ({error}); make room on the disk or raise its bound, then try again")
    if primary in _READ_ONLY:
        return DatabaseReadOnly(path, f"is read-only ({error}); make the data directory writable for this user")
    if primary in _UNREADABLE:
        return DatabaseUnreadable(path, f"is damaged or not a database ({error}); restore it from a backup")
    if primary in _BUSY:
        return DatabaseBusy(path, f"is in use by another process ({error}); stop it first")
    if primary == sqlite3.SQLITE_CANTOPEN:
        return DatabaseReadOnly(path, f"cannot be opened ({error}); its folder must exist and be writable")
    if primary == sqlite3.SQLITE_IOERR:
        return DatabaseUnreadable(path, f"cannot be read ({error}); check the disk")
    return None
