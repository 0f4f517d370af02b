import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store.database import Database, open_database, open_reader
from store.person import PersonStore, new_surrogate
from store.records import PersonRow, Purpose

pytestmark = pytest.mark.anyio
ALL = Purpose.SESSION | Purpose.PROFILE


@asynccontextmanager
async def people(folder: Path) -> AsyncIterator[tuple[PersonStore, Database]]:
    async with open_database(folder / "person.db", "person", synchronous="OFF") as database:
        reader = open_reader(folder / "person.db")
        yield PersonStore(reader), database
        reader.close()


def person(consent: int = 3) -> PersonRow:
    return PersonRow(new_surrogate(), consent, "2026-11", 10, 20, b"visit", b"features")


@pytest.mark.parametrize("consent", range(4))
@pytest.mark.parametrize("wanted", range(4))
async def test_only_what_is_consented_and_wanted_leaves_the_row(tmp_path: Path, consent: int, wanted: int) -> None:
    async with people(tmp_path) as (store, database):
        pseudonym = os.urandom(16)
        async with database.transaction() as transaction:
            row = person(consent)
            store.save(transaction, [row], {pseudonym: row.surrogate}, epoch=1)
        found = store.read(pseudonym, Purpose(wanted))
        assert found is not None
        assert (found.session is not None) == bool(consent & wanted & Purpose.SESSION)
        assert (found.profile is not None) == bool(consent & wanted & Purpose.PROFILE)
        assert (found.consent, found.consent_version, found.consent_at, found.seen) == (consent, "2026-11", 10, 20)


async def test_a_stranger_has_no_row(tmp_path: Path) -> None:
    async with people(tmp_path) as (store, _):
        assert store.read(os.urandom(16), ALL) is None
        assert await store.resolve([os.urandom(16) for _ in range(5)]) == {}


async def test_a_group_of_people_is_read_and_saved_whole(tmp_path: Path) -> None:
    async with people(tmp_path) as (store, database):
        rows = {os.urandom(16): person(consent) for consent in range(100)}
        async with database.transaction() as transaction:
            new = {pseudonym: row.surrogate for pseudonym, row in rows.items()}
            store.save(transaction, list(rows.values()), new, epoch=1)
        assert await store.resolve([*rows, os.urandom(16)]) == rows
        assert {row.surrogate: row.consent for row in store.consents()} == {
            row.surrogate: row.consent for row in rows.values()
        }
        for row in rows.values():
            row.session, row.seen = None, 99
        async with database.transaction() as transaction:
            store.save(transaction, list(rows.values()), {}, epoch=1)
        assert await store.resolve(rows) == rows


@settings(max_examples=20, deadline=None)
@given(
    starts=st.lists(st.sampled_from([0, 2, 4, 1 << 40, (1 << 64) - 1, (1 << 64) - 3]), min_size=1, max_size=4),
    split=st.integers(0, 4),
)
def test_people_whose_pseudonyms_begin_alike_stay_apart(starts: list[int], split: int) -> None:
    """Four may share their first 63 bits, come in one group or in two, and stand at the end of the key space."""
    pseudonyms = [start.to_bytes(8, "big") + number.to_bytes(8, "big") for number, start in enumerate(starts)]

    async def check(folder: Path) -> None:
        async with people(folder) as (store, database):
            rows = {pseudonym: person() for pseudonym in pseudonyms}
            for part in (pseudonyms[:split], pseudonyms[split:]):
                async with database.transaction() as transaction:
                    store.save(transaction, [rows[p] for p in part], {p: rows[p].surrogate for p in part}, epoch=1)
            for pseudonym in pseudonyms:
                found = store.read(pseudonym, ALL)
                assert found == rows[pseudonym]
            assert await store.resolve(pseudonyms) == rows

    with TemporaryDirectory() as name:
        asyncio.run(check(Path(name)))


async def test_a_broken_pseudonym_key_is_noticed(tmp_path: Path) -> None:
    async with people(tmp_path) as (store, database):
        alike = {bytes(8) + number.to_bytes(8, "big"): new_surrogate() for number in range(5)}
        with pytest.raises(OverflowError, match="share their first 63 bits"):
            async with database.transaction() as transaction:
                store.save(transaction, [], alike, epoch=1)


@pytest.mark.parametrize("count", [0, 1, 3, 1_500])
async def test_an_event_id_is_fresh_once(tmp_path: Path, count: int) -> None:
    async with people(tmp_path) as (store, database):
        ids = [number * 977 for number in range(count)]
        async with database.transaction() as transaction:
            assert await store.fresh(transaction, ids + ids, 20_000) == set(ids)
        async with database.transaction() as transaction:
            assert await store.fresh(transaction, [*ids, 1], 20_001) == {1}


async def test_an_id_whose_transaction_failed_is_fresh_again(tmp_path: Path) -> None:
    async with people(tmp_path) as (store, database):
        async with database.transaction() as transaction:
            await store.fresh(transaction, [5], 20_000)
            await transaction.rollback()
        async with database.transaction() as transaction:
            assert await store.fresh(transaction, [5], 20_000) == {5}


async def test_positions_and_imports_go_on_where_they_stopped(tmp_path: Path) -> None:
    async with people(tmp_path) as (store, database):
        assert store.position("features") == 0
        assert store.imported("online-retail") == 0
        for step in (3, 8):
            async with database.transaction() as transaction:
                store.advance(transaction, "features", step)
                store.note_import(transaction, "online-retail", step * 10, 1.5)
        assert store.position("features") == 8
        assert store.imported("online-retail") == 80


async def test_no_pseudonym_lies_in_an_index(tmp_path: Path) -> None:
    """SQLite leaves stale copies of index entries behind, so only integer primary keys may find a person."""
    async with people(tmp_path) as (_, database):
        assert await database.fetch("SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL") == []
        automatic = await database.fetch("SELECT tbl_name FROM sqlite_schema WHERE type = 'index' ORDER BY tbl_name")
        assert automatic == [("imports",), ("positions",), ("published",), ("sweeps",)], "none of these holds a person"
