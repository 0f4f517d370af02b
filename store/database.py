"""Opens the databases: one file, one writing connection, settings that are checked and not hoped for."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import lru_cache
from itertools import chain
from pathlib import Path
from time import thread_time
from typing import Any, TypeVar

import aiosqlite

from store.faults import DatabaseUnreadable, StoreFault, fault_of
from store.schema_files import migrate

Connection = sqlite3.Connection
Row = tuple[Any, ...]
T = TypeVar("T")
Settings = dict[str, tuple[str | int, int]]
"""PRAGMA -> (what we set, what SQLite then reports)."""

# aiosqlite writes bound parameters into its DEBUG log; a log must not hold what erasure cannot reach.
logging.getLogger("aiosqlite").setLevel(logging.WARNING)

_VARIABLES = 16_384
"""Bound parameters per statement, half of SQLite's default limit."""
_ROWS = 512
"""Rows per INSERT: larger statements are no faster and hold more memory prepared."""


@lru_cache(maxsize=256)
def _values(head: str, columns: int, rows: int, tail: str) -> str:
    row = "(" + ",".join("?" * columns) + ")"
    return f"{head} VALUES {','.join([row] * rows)} {tail}"


def in_few_statements(head: str, rows: Sequence[Sequence[Any]], tail: str = "") -> list[tuple[str, Sequence[Any]]]:
    """`INSERT INTO t(a, b)` with many rows, as few statements of 2ⁿ rows each.

    The interpreter lock is taken again after every SQLite step, so a row per step waits for a busy event loop each
    time; powers of two keep the number of distinct statements to prepare small.
    """
    statements: list[tuple[str, Sequence[Any]]] = []
    columns = len(rows[0]) if rows else 1
    most = min(_ROWS, 1 << ((_VARIABLES // columns).bit_length() - 1))
    start = 0
    while start < len(rows):
        count = min(most, 1 << ((len(rows) - start).bit_length() - 1))
        part = rows[start : start + count]
        statements.append((_values(head, columns, count, tail), list(chain.from_iterable(part))))
        start += count
    return statements


class Transaction:
    """Everything between BEGIN IMMEDIATE and COMMIT; it begins with its first statement.

    A hop to the database's thread costs about 0.1 ms, so what needs no answer is queued by `later` and `insert` and
    runs together with the COMMIT.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._queued: list[tuple[str, Sequence[Any]]] = []
        self._begun = False
        self.commit_seconds = 0.0
        """Processor time of the COMMIT, and of the checkpoint SQLite makes with some of them."""

    def later(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        """Queue a statement; it runs before the next `run`, or with the COMMIT."""
        self._queued.append((sql, parameters))

    def insert(self, head: str, rows: Sequence[Sequence[Any]], tail: str = "") -> None:
        """Queue `INSERT INTO t(a, b)` (without VALUES) for many rows of equal length, as few statements."""
        self._queued.extend(in_few_statements(head, rows, tail))

    async def run(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in the database's thread inside this transaction, after what was queued."""

        def after_queued(connection: Connection) -> T:
            self._flush(connection)
            return work(connection)

        return await self._database.in_thread(after_queued)

    async def fetch(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """All rows of one statement."""
        return await self.run(lambda connection: connection.execute(sql, parameters).fetchall())

    async def commit(self) -> None:
        """Run what is queued and make it durable; nothing happens where nothing was asked for."""
        if self._begun or self._queued:
            await self._database.in_thread(self._commit)

    async def rollback(self) -> None:
        """Forget everything so far; what follows begins anew."""
        self._queued.clear()
        self._begun = False
        await self._database.in_thread(_rollback)

    def _flush(self, connection: Connection) -> None:
        if not self._begun:
            connection.execute("BEGIN IMMEDIATE")
            self._begun = True
        for sql, parameters in self._queued:
            connection.execute(sql, parameters)
        self._queued.clear()

    def _commit(self, connection: Connection) -> None:
        self._flush(connection)
        began = thread_time()
        connection.execute("COMMIT")
        self.commit_seconds = thread_time() - began
        self._database.ahead += self.commit_seconds


def _rollback(connection: Connection) -> None:
    if connection.in_transaction:
        connection.execute("ROLLBACK")


class Database:
    """One file's writing connection, in its own thread (aiosqlite). Made by `open_database`."""

    def __init__(self, path: Path, connection: aiosqlite.Connection) -> None:
        self.path = path
        self._connection = connection
        self._lock = asyncio.Lock()
        self.ahead = 0.0
        """Processor seconds of the commits that are not folded into the file yet: some 5 µs a page."""

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """One at a time; commits at the end, rolls back on any exception.

        Raises a `StoreFault` (DatabaseFull, DatabaseReadOnly, DatabaseUnreadable …): nothing of it was kept.
        """
        async with self._lock:
            transaction = Transaction(self)
            try:
                yield transaction
                await transaction.commit()
            except BaseException:
                await transaction.rollback()
                raise

    async def run(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in the database's thread, outside any transaction of ours."""
        async with self._lock:
            return await self.in_thread(work)

    async def fetch(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """All rows of one statement."""
        return await self.run(lambda connection: connection.execute(sql, parameters).fetchall())

    async def execute(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        """One statement, committed on return."""
        await self.run(lambda connection: connection.execute(sql, parameters).close())

    async def in_thread(self, work: Callable[[Connection], T]) -> T:
        """Without waiting for a transaction to end: for `Transaction`; everyone else calls `run`."""
        try:
            return await self._connection._execute(work, self._connection._conn)  # type: ignore[no-untyped-call, no-any-return]
        except sqlite3.Error as error:
            raise fault_of(self.path, error) or error from error

    async def checkpoint_truncate(self) -> bool:
        """Fold the write-ahead log into the file and empty it. False = a reader was open: bytes may remain, repeat."""

        def work(connection: Connection) -> bool:
            # Waiting for a reader would keep every write waiting with it.
            (patience,) = connection.execute("PRAGMA busy_timeout").fetchone()
            connection.execute("PRAGMA busy_timeout = 20").close()
            try:
                (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            finally:
                connection.execute(f"PRAGMA busy_timeout = {int(patience)}").close()
            return not busy

        return await self.run(work)

    async def checkpoint(self) -> float:
        """Fold the write-ahead log into the file, as far as no reader is in the way; the processor seconds it took.

        SQLite does so itself, for a thousand pages at once, with the commit that made them so many.
        """

        return await self.run(self._fold)

    async def checkpoint_beside(self) -> None:
        """The same, while a transaction is prepared that has not asked for anything yet. Where it has, or the disk is
        full, SQLite does it with a later commit."""
        with contextlib.suppress(StoreFault, sqlite3.Error):
            await self.in_thread(lambda connection: 0.0 if connection.in_transaction else self._fold(connection))

    def _fold(self, connection: Connection) -> float:
        began = thread_time()
        self.ahead = 0.0
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").close()
        return thread_time() - began

    async def vacuum(self) -> None:
        """Write the whole file anew, so that no page keeps anything stale; takes its size in memory and a second per
        100 MB, in which nothing can be written."""
        await self.run(lambda connection: connection.execute("VACUUM").close())

    async def problems(self) -> list[str]:
        """What SQLite's quick_check finds wrong with the file; reads all of it."""
        rows = await self.fetch("PRAGMA quick_check")
        return [text for (text,) in rows if text != "ok"]

    async def close(self) -> None:
        await self._connection.close()


@asynccontextmanager
async def open_database(
    path: Path,
    schema: str,
    *,
    synchronous: str = "FULL",
    cache_mb: int = 16,
    max_pages: int = 0,
    busy_timeout_ms: int = 5_000,
    ahead_pages: int = 1_000,
) -> AsyncIterator[Database]:
    """Open (or make) a database file and bring its schema (store/schema/<schema>/NNN.sql) up to date.

    `max_pages` bounds the file (4 KiB each, 0 = the disk's end): beyond it every write is `DatabaseFull`.
    `ahead_pages`: a commit that leaves so many in the write-ahead log folds them into the file.
    Raises DatabaseNewer, DatabaseUnreadable, DatabaseReadOnly, DatabaseBusy, DatabaseFull.
    """
    settings: Settings = {
        "secure_delete": (1, 1),
        "temp_store": ("MEMORY", 2),
        "foreign_keys": (1, 1),
        "synchronous": (synchronous, {"OFF": 0, "NORMAL": 1, "FULL": 2, "EXTRA": 3}[synchronous]),
        "cache_size": (-1024 * cache_mb, -1024 * cache_mb),
    }

    def prepare(connection: Connection) -> None:
        if max_pages:
            connection.execute(f"PRAGMA max_page_count = {max_pages}")
        if connection.execute("PRAGMA journal_mode = WAL").fetchone() != ("wal",):
            raise DatabaseUnreadable(path, "its disk cannot hold a write-ahead log; use a local disk")
        connection.execute(f"PRAGMA journal_size_limit = {16 << 20}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {ahead_pages}").close()
        _set_and_assert(connection, path, settings)
        migrate(connection, path, schema)

    try:
        # SQLite gives the -wal and -shm files the mode of the database itself.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise fault_of(path, _cannot_open(error)) or error from error
    connection = aiosqlite.connect(
        path, isolation_level=None, timeout=busy_timeout_ms / 1000, cached_statements=128, check_same_thread=False
    )
    database = Database(path, await connection)
    try:
        await database.in_thread(prepare)
        yield database
    finally:
        await database.close()


def open_writer(path: Path, schema: str, *, busy_timeout_ms: int = 5_000) -> Connection:
    """A writing connection without a thread of its own, for a program that serves nobody meanwhile: a training.

    Every commit is on disk when it returns. Raises what `open_database` raises.
    """
    settings: Settings = {
        "secure_delete": (1, 1),
        "temp_store": ("MEMORY", 2),
        "foreign_keys": (1, 1),
        "synchronous": ("FULL", 2),
    }
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise fault_of(path, _cannot_open(error)) or error from error
    connection = sqlite3.connect(path, isolation_level=None, timeout=busy_timeout_ms / 1000)
    try:
        with faults_of(path):
            if connection.execute("PRAGMA journal_mode = WAL").fetchone() != ("wal",):
                raise DatabaseUnreadable(path, "its disk cannot hold a write-ahead log; use a local disk")
            _set_and_assert(connection, path, settings)
            migrate(connection, path, schema)
    except BaseException:
        connection.close()
        raise
    return connection


def open_reader(path: Path, *, cache_mb: int = 16) -> Connection:
    """A read-only connection for point reads on the event loop (~17 µs, no thread hop); sees every commit at once.

    Ask one row or read to the end: an unfinished statement keeps a checkpoint from truncating the log.
    """
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, cached_statements=256
        )
        settings: Settings = {
            "secure_delete": (1, 1),
            "temp_store": ("MEMORY", 2),
            "query_only": (1, 1),
            "cache_size": (-1024 * cache_mb, -1024 * cache_mb),
        }
        _set_and_assert(connection, path, settings)
    except sqlite3.Error as error:
        raise fault_of(path, error) or error from error
    return connection


@contextmanager
def faults_of(path: Path) -> Iterator[None]:
    """What goes wrong while a reader of this file is used is raised as a StoreFault."""
    try:
        yield
    except sqlite3.Error as error:
        raise fault_of(path, error) or error from error


def _set_and_assert(connection: Connection, path: Path, settings: Settings) -> None:
    for name, (value, expected) in settings.items():
        connection.execute(f"PRAGMA {name} = {value}").close()
        found = connection.execute(f"PRAGMA {name}").fetchone()
        if found != (expected,):
            raise DatabaseUnreadable(path, f"SQLite did not accept {name} = {value} (it says {found})")


def _cannot_open(error: OSError) -> sqlite3.Error:
    failure = sqlite3.OperationalError(error.strerror)
    failure.sqlite_errorcode = sqlite3.SQLITE_FULL if error.errno == 28 else sqlite3.SQLITE_CANTOPEN
    return failure
