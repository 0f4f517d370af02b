"""The ledger of consent: a chain in which any change shows; who decided it tells only the holder of the key."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store.consent_ledger import (
    REMEMBERED,
    ConsentLedger,
    Decided,
    LedgerLink,
    open_entry,
    read_link,
    verify_ledger,
    write_link,
)
from store.database import Connection, Database, Transaction, open_database, open_reader

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def ledger_in(folder: Path) -> AsyncIterator[tuple[ConsentLedger, Database, Connection]]:
    async with open_database(folder / "person.db", "person") as database:
        reader = open_reader(folder / "person.db")
        try:
            yield ConsentLedger(reader), database, reader
        finally:
            reader.close()


async def write(ledger: ConsentLedger, database: Database, *decisions: tuple[LedgerLink, Decided]) -> None:
    for decision in decisions:
        async with database.transaction() as transaction:
            ledger.append(transaction, [decision])


async def broken_off(ledger: ConsentLedger, database: Database) -> None:
    with suppress(ZeroDivisionError):
        async with database.transaction() as transaction:
            ledger.append(transaction, [(read_link(None), Decided(1, 1))])
            raise ZeroDivisionError


async def test_decisions_chain_and_only_the_persons_own_key_opens_them(tmp_path: Path) -> None:
    ana, ben = read_link(None), read_link(None)
    async with ledger_in(tmp_path) as (ledger, database, reader):
        await write(ledger, database, (ana, Decided(10, 3, version="v1")), (ben, Decided(11, 0)), (ana, Decided(12, 1)))
        assert verify_ledger(reader)[:2] == (3, 1)
        assert verify_ledger(reader).broken_at is None
        assert [decided.purposes for _, decided in ledger.decisions(ana)] == [3, 1]
        entry = ledger.entry(1)
        assert entry is not None
        assert open_entry(ben.key, entry) is None
        assert open_entry(ana.key, entry) == Decided(10, 3, version="v1")
        assert read_link(write_link(ana)) == ana


async def test_a_rolled_back_decision_leaves_no_gap(tmp_path: Path) -> None:
    link = read_link(None)
    async with ledger_in(tmp_path) as (ledger, database, reader):
        await broken_off(ledger, database)
        await write(ledger, database, (link, Decided(2, 1)))
        assert link.entries == [1]
        assert verify_ledger(reader).broken_at is None


@pytest.mark.parametrize("column", ["seq", "at", "commitment", "body", "hash"])
async def test_a_change_in_any_column_of_any_row_is_found(tmp_path: Path, column: str) -> None:
    link = read_link(None)
    async with ledger_in(tmp_path) as (ledger, database, reader):
        await write(ledger, database, *((link, Decided(at, 1)) for at in range(5)))
        change = "= 99" if column in ("seq", "at") else f"= zeroblob(length({column}))"
        await database.execute(f"UPDATE consent_ledger SET {column} {change} WHERE seq = 3")
        broken = verify_ledger(reader).broken_at
        assert broken == (4 if column == "seq" else 3)


async def test_a_row_taken_out_of_the_middle_is_missed(tmp_path: Path) -> None:
    async with ledger_in(tmp_path) as (ledger, database, reader):
        await write(ledger, database, *((read_link(None), Decided(at, 1)) for at in range(4)))
        await database.execute("DELETE FROM consent_ledger WHERE seq = 2")
        assert verify_ledger(reader).broken_at == 3


async def test_old_rows_expire_from_the_front_and_the_rest_still_chains(tmp_path: Path) -> None:
    link = read_link(None)
    async with ledger_in(tmp_path) as (ledger, database, reader):
        await write(ledger, database, *((link, Decided(at, 1)) for at in range(10)))
        async with database.transaction() as transaction:
            assert await ledger.expire(transaction, 4, 3) == 3
        async with database.transaction() as transaction:
            assert await ledger.expire(transaction, 4, 3) == 1
        report = verify_ledger(reader)
        assert (report.entries, report.first, report.broken_at) == (6, 5, None)
        assert [entry.seq for entry, _ in ledger.decisions(link)] == [5, 6, 7, 8, 9, 10]
        await write(ledger, database, (link, Decided(99, 1)))
        assert verify_ledger(reader).broken_at is None


async def test_a_person_remembers_a_bounded_number_of_decisions(tmp_path: Path) -> None:
    link = read_link(None)
    async with ledger_in(tmp_path) as (ledger, database, _):
        async with database.transaction() as transaction:
            ledger.append(transaction, [(link, Decided(at, 1)) for at in range(REMEMBERED + 5)])
        assert len(link.entries) == REMEMBERED
        assert link.entries[-1] == REMEMBERED + 5


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_flipped_byte_of_the_rows_breaks_the_chain(data: st.DataObject) -> None:
    connection = sqlite3.connect(":memory:")
    connection.executescript(
        "CREATE TABLE consent_ledger(seq INTEGER PRIMARY KEY, at, commitment, body, hash);"
        "CREATE TABLE ledger_start(seq, hash); INSERT INTO ledger_start VALUES (0, zeroblob(32));"
    )
    straight = cast(Transaction, _Straight(connection))
    rows = ConsentLedger(connection).append(straight, [(read_link(None), Decided(at, at % 128)) for at in range(6)])
    row = data.draw(st.sampled_from(rows))
    column = data.draw(st.sampled_from(["commitment", "body", "hash"]))
    value = bytearray(getattr(row, column))
    value[data.draw(st.integers(0, len(value) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    connection.execute(f"UPDATE consent_ledger SET {column} = ? WHERE seq = ?", (bytes(value), row.seq))
    assert verify_ledger(connection).broken_at in (row.seq, row.seq + 1)
    connection.close()


class _Straight:
    """Writes at once what a transaction would queue."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def insert(self, head: str, rows: list[tuple[object, ...]]) -> None:
        marks = ",".join("?" * len(rows[0]))
        self._connection.executemany(f"{head} VALUES ({marks})", rows)
