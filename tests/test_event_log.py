from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path

import msgspec
import pytest

from store.database import Database, open_database, open_reader
from store.event_log import EventLog, SqliteEventLog
from store.records import Line, LoggedEvent

pytestmark = pytest.mark.anyio
DAY_MS = 86_400_000
MONDAY = date(2026, 11, 16)
MONDAY_MS = 20_773 * DAY_MS


def event(day: int = 0, person: int = 1, sealed: dict[str, bytes] | None = None) -> LoggedEvent:
    at_ms = MONDAY_MS + day * DAY_MS + 1_000
    return LoggedEvent(
        person, 5, at_ms, "view_item", 35, (Line(3, 2.0, 9.5),), {"brand:Alder": 0.5}, sealed=sealed or {}
    )


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[tuple[SqliteEventLog, Database]]:
    async with open_database(folder / "person.db", "person", synchronous="OFF") as database:
        reader = open_reader(folder / "person.db")
        yield SqliteEventLog(reader), database
        reader.close()


async def append(log: EventLog, database: Database, events: Sequence[LoggedEvent]) -> int:
    async with database.transaction() as transaction:
        return await log.append(transaction, events)


async def test_events_come_back_in_the_order_they_came_in_whatever_their_day(tmp_path: Path) -> None:
    async with opened(tmp_path) as (log, database):
        events = [event(day, person) for person, day in enumerate([0, 3, 1, 0, 3, 2, -40, 0])]
        assert await append(log, database, events[:5]) == 5
        assert await append(log, database, events[5:]) == 8
        assert await log.read_from(0, 100) == list(enumerate(events, 1))
        assert await log.read_from(3, 2) == [(4, events[3]), (5, events[4])]
        assert await log.read_from(8, 100) == []
        assert (log.first(), log.head()) == (1, 8)


async def test_a_day_is_the_utc_day_of_the_event(tmp_path: Path) -> None:
    async with opened(tmp_path) as (log, database):
        edges = [MONDAY_MS - 1, MONDAY_MS, MONDAY_MS + DAY_MS - 1, MONDAY_MS + DAY_MS]
        await append(log, database, [msgspec.structs.replace(event(), at_ms=at_ms) for at_ms in edges])
        assert [(await database.fetch(f"SELECT count(*) FROM events_202611{day}"))[0][0] for day in (15, 16, 17)] == [
            1,
            2,
            1,
        ]


async def test_numbers_go_on_after_a_restart_even_when_every_day_is_gone(tmp_path: Path) -> None:
    async with opened(tmp_path) as (log, database):
        await append(log, database, [event(), event()])
        epoch = log.epoch()
        assert log.latest_ms() == event().at_ms
        async with database.transaction() as transaction:
            assert await log.drop_days(transaction, date(2027, 1, 1), passed=2) == [MONDAY]
        assert (log.days(), log.first(), log.head(), log.latest_ms()) == ([], 0, 2, 0)
        assert await append(log, database, [event()]) == 3
    async with opened(tmp_path) as (log, database):
        assert log.epoch() == epoch
        assert await append(log, database, [event()]) == 4


async def test_a_failed_append_is_not_there_and_its_numbers_are_not_used_again(tmp_path: Path) -> None:
    async with opened(tmp_path) as (log, database):
        async with database.transaction() as transaction:
            await log.append(transaction, [event(5), event(5)])
            await transaction.rollback()
        assert (log.head(), log.days(), await log.read_from(0, 10)) == (0, [], [])
        assert await append(log, database, [event(5)]) == 3
        assert await log.read_from(0, 10) == [(3, event(5))]


async def test_days_are_dropped_whole_but_none_that_a_consumer_still_needs(tmp_path: Path) -> None:
    async with opened(tmp_path) as (log, database):
        await append(log, database, [event(0), event(1), event(2), event(0)])
        async with database.transaction() as transaction:
            assert await log.drop_days(transaction, date(2026, 11, 18), passed=3) == [date(2026, 11, 17)]
        assert [seq for seq, _ in await log.read_from(0, 10)] == [1, 3, 4]
        async with database.transaction() as transaction:
            assert await log.drop_days(transaction, date(2026, 11, 18), passed=4) == [MONDAY]
        assert log.days() == [date(2026, 11, 18)]
        assert log.first() == 3


async def test_training_scans_the_days_it_wants(tmp_path: Path) -> None:
    async with opened(tmp_path) as (log, database):
        await append(log, database, [event(0, 1), event(1, 2), event(0, 3)])
        assert log.latest_ms() == event(1).at_ms
        reader = open_reader(tmp_path / "person.db")
        scanned = SqliteEventLog(reader)
        assert [found.person for _, found in scanned.scan()] == [1, 3, 2]
        assert [found.person for _, found in scanned.scan([date(2026, 11, 17)])] == [2]
        reader.close()


async def test_what_is_sealed_waits_apart_and_leaves_when_the_vault_has_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as (log, database):
        secret = event(0, 7, {"vault.purchases": b"ciphertext"})
        await append(log, database, [event(), secret, event(), secret])
        assert await log.read_from(0, 10) == [(1, event()), (2, secret), (3, event()), (4, secret)]
        assert log.waiting(0, 10) == [(2, 7, secret.sealed), (4, 7, secret.sealed)]
        ((bodies,),) = await database.fetch("SELECT group_concat(hex(body)) FROM events_20261116")
        assert b"ciphertext".hex().upper() not in bodies
        async with database.transaction() as transaction:
            log.release(transaction, 2)
        assert log.waiting(0, 10) == [(4, 7, secret.sealed)]
        assert (await log.read_from(1, 1))[0][1].sealed == {}
