from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.database import Database, open_database, open_reader
from store.event_log import SqliteEventLog
from store.keys import KeyRing, open_keys
from store.records import VAULT, LoggedEvent, Purchase, Purpose
from store.vault import CATEGORY_NAMES, Entry, Place, Search, VaultStore, open_vault

pytestmark = pytest.mark.anyio
ANNA, BORIS = 11, 12
SHOES = Purchase(3, 1.0, 59.9, 1_790_000_000)
SOCKS = Purchase(4, 2.0, 4.5, 1_790_000_100)
WORDS = Search("red shoes for tuesday", 1_790_000_200)
HOME = Place(52.52437, 13.41053, 1_790_000_300)


@asynccontextmanager
async def vault(folder: Path, most: int = 100) -> AsyncIterator[tuple[VaultStore, KeyRing]]:
    async with (
        open_keys(folder / "keys.db", now=1.0) as keys,
        open_vault(folder / "vault.db", keys, most_entries=most) as store,
    ):
        await keys.ensure_data_keys([ANNA, BORIS])
        yield store, keys


def sealed(store: VaultStore, person: int, category: Purpose, *entries: Entry) -> dict[str, bytes]:
    return {CATEGORY_NAMES[category]: store.seal(person, category, entries)}


def everything_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())


async def test_what_was_kept_comes_back_per_person_and_category(tmp_path: Path) -> None:
    async with vault(tmp_path) as (store, _):
        parts = sealed(store, ANNA, Purpose.PURCHASES, SHOES) | sealed(store, ANNA, Purpose.SEARCHES, WORDS)
        await store.apply("log", [(1, ANNA, parts), (2, BORIS, sealed(store, BORIS, Purpose.LOCATION, HOME))])
        await store.apply("log", [(5, ANNA, sealed(store, ANNA, Purpose.PURCHASES, SOCKS))])
        assert store.read(ANNA, Purpose.PURCHASES, VAULT) == [SHOES, SOCKS]
        assert store.read(ANNA, Purpose.SEARCHES, VAULT) == [WORDS]
        assert store.read(ANNA, Purpose.LOCATION, VAULT) is None
        assert store.read(BORIS, Purpose.LOCATION, VAULT) == [HOME]
        assert store.applied("log") == 5


@given(decision=st.integers(0, 127))
def test_a_category_opens_only_to_its_own_purpose(decision: int) -> None:
    """Without the purpose not even the database is asked: this vault has none."""
    store = VaultStore(None, None, None, 1)  # type: ignore[arg-type]
    for category in (Purpose.PURCHASES, Purpose.SEARCHES, Purpose.LOCATION):
        if decision & category:
            with pytest.raises(AttributeError):
                store.read(ANNA, category, Purpose(decision))
        else:
            assert store.read(ANNA, category, Purpose(decision)) is None


async def test_nothing_readable_is_in_any_file(tmp_path: Path) -> None:
    async with vault(tmp_path) as (store, _):
        await store.apply("log", [(1, ANNA, sealed(store, ANNA, Purpose.SEARCHES, WORDS))])
        assert b"tuesday" not in everything_in(tmp_path)
        assert store.read(ANNA, Purpose.SEARCHES, Purpose.SEARCHES) == [WORDS]


async def test_a_repeated_delivery_counts_once(tmp_path: Path) -> None:
    async with vault(tmp_path) as (store, _):
        one = (1, ANNA, sealed(store, ANNA, Purpose.PURCHASES, SHOES))
        two = (2, ANNA, sealed(store, ANNA, Purpose.PURCHASES, SOCKS))
        assert await store.apply("log", [one]) == 1
        assert await store.apply("log", [two, one]) == 2
        assert await store.apply("log", [one, two]) == 2
        assert store.read(ANNA, Purpose.PURCHASES, VAULT) == [SHOES, SOCKS]


async def test_another_logs_positions_mean_nothing(tmp_path: Path) -> None:
    async with vault(tmp_path) as (store, _):
        await store.apply("old", [(900, ANNA, sealed(store, ANNA, Purpose.PURCHASES, SHOES))])
        assert store.applied("new") == 0
        await store.apply("new", [(1, ANNA, sealed(store, ANNA, Purpose.PURCHASES, SOCKS))])
        assert store.read(ANNA, Purpose.PURCHASES, VAULT) == [SHOES, SOCKS]


async def test_each_list_is_bounded_and_the_oldest_go_first(tmp_path: Path) -> None:
    async with vault(tmp_path, most=3) as (store, _):
        bought = [Purchase(number, 1.0, None, number) for number in range(5)]
        for number, purchase in enumerate(bought, 1):
            await store.apply("log", [(number, ANNA, sealed(store, ANNA, Purpose.PURCHASES, purchase))])
        assert store.read(ANNA, Purpose.PURCHASES, VAULT) == bought[2:]


async def test_ciphertext_of_another_person_or_category_does_not_open(tmp_path: Path) -> None:
    async with vault(tmp_path) as (store, keys):
        body = store.seal(ANNA, Purpose.PURCHASES, [SHOES])
        assert store.open(ANNA, Purpose.PURCHASES, body) == [SHOES]
        assert store.open(BORIS, Purpose.PURCHASES, body) is None
        assert store.open(ANNA, Purpose.SEARCHES, body) is None
        assert store.open(ANNA, Purpose.PURCHASES, body[:-1] + bytes([body[-1] ^ 1])) is None
        assert store.open(ANNA, Purpose.PURCHASES, b"") is None
        # The same entries twice do not look the same.
        assert store.seal(ANNA, Purpose.PURCHASES, [SHOES]) != body
        assert keys.data_key(ANNA) is not None


async def test_without_its_key_a_row_is_noise_and_stops_nobody_else(tmp_path: Path) -> None:
    async with vault(tmp_path) as (store, _):
        late = (2, ANNA, sealed(store, ANNA, Purpose.PURCHASES, SOCKS))
        await store.apply("log", [(1, ANNA, sealed(store, ANNA, Purpose.PURCHASES, SHOES))])
        async with open_database(tmp_path / "keys.db", "keys") as database:
            await database.execute("DELETE FROM person_keys WHERE person = ?", (ANNA,))
        assert store.read(ANNA, Purpose.PURCHASES, VAULT) is None
        with pytest.raises(KeyError):
            store.seal(ANNA, Purpose.PURCHASES, [SHOES])
        await store.apply("log", [late, (3, BORIS, sealed(store, BORIS, Purpose.PURCHASES, SOCKS))])
        assert store.read(BORIS, Purpose.PURCHASES, VAULT) == [SOCKS]


async def test_people_removed_leave_no_row_and_the_others_stay(tmp_path: Path) -> None:
    async with vault(tmp_path) as (store, _):
        await store.apply("log", [(1, ANNA, sealed(store, ANNA, Purpose.PURCHASES, SHOES))])
        await store.apply("log", [(2, ANNA, sealed(store, ANNA, Purpose.SEARCHES, WORDS))])
        await store.apply("log", [(3, BORIS, sealed(store, BORIS, Purpose.PURCHASES, SOCKS))])
        await store.remove([ANNA])
        assert store.read(ANNA, Purpose.PURCHASES, VAULT) is None
        assert store.read(ANNA, Purpose.SEARCHES, VAULT) is None
        assert store.read(BORIS, Purpose.PURCHASES, VAULT) == [SOCKS]


async def keep(log: SqliteEventLog, people: Database, store: VaultStore, *entries: Purchase) -> None:
    async with people.transaction() as transaction:
        events = [
            LoggedEvent(ANNA, 1, 0, "purchase", 7, sealed=sealed(store, ANNA, Purpose.PURCHASES, entry))
            for entry in entries
        ]
        await log.append(transaction, events)


async def test_the_vault_catches_up_with_the_log_after_a_crash_between_the_two_commits(tmp_path: Path) -> None:
    async with open_database(tmp_path / "person.db", "person") as people:
        reader = open_reader(tmp_path / "person.db")
        log = SqliteEventLog(reader)
        async with vault(tmp_path) as (store, _):
            await keep(log, people, store, SHOES, SOCKS)
        async with vault(tmp_path) as (store, _):  # the process died before the vault heard of it
            assert await store.catch_up(log, group=1) == 2
            async with people.transaction() as transaction:
                log.release(transaction, store.applied(log.epoch()))
            await keep(log, people, store, SHOES)
        async with vault(tmp_path) as (store, _):
            assert await store.catch_up(log) == 3
            assert await store.catch_up(log) == 3
            assert store.read(ANNA, Purpose.PURCHASES, VAULT) == [SHOES, SOCKS, SHOES]
        reader.close()
