import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import chain
from pathlib import Path

import pytest

from store.database import Database, Transaction, open_database
from store.faults import DatabaseFull
from store.writer import GroupWriter, QueueFull, WriterClosed

pytestmark = pytest.mark.anyio
Numbers = GroupWriter[int, int]


class Counting:
    """Stores each number; remembers the groups it was given."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []

    async def __call__(self, transaction: Transaction, works: Sequence[int]) -> list[int | Exception]:
        self.groups.append(list(works))
        if 13 in works:
            raise ArithmeticError("13 is a bad number")
        transaction.insert("INSERT INTO seen(id, day)", [(work, 0) for work in works])
        return [ValueError("7 is not welcome") if work == 7 else work * 2 for work in works]


@asynccontextmanager
async def writing(
    path: Path, apply: Counting, *, bound: int = 1_000, group_max: int = 100, max_pages: int = 0
) -> AsyncIterator[tuple[Numbers, Database]]:
    async with open_database(path / "person.db", "person", max_pages=max_pages) as database:
        writer = Numbers(database, apply, bound=bound, group_max=group_max)
        async with asyncio.TaskGroup() as group:
            group.create_task(writer.run())
            yield writer, database
            writer.close()


async def stored(database: Database) -> list[int]:
    return [number for (number,) in await database.fetch("SELECT id FROM seen ORDER BY id")]


async def test_what_waits_goes_into_one_commit(tmp_path: Path) -> None:
    apply = Counting()
    async with writing(tmp_path, apply) as (writer, database):
        assert await asyncio.gather(*(writer.submit(number) for number in range(20, 70))) == list(range(40, 140, 2))
        assert len(apply.groups) == 1
        assert await stored(database) == list(range(20, 70))


async def test_what_commits_write_ahead_is_folded_in_behind_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.writer._MUCH_AHEAD", 0.0)
    async with open_database(tmp_path / "person.db", "person", ahead_pages=1_000_000) as database:
        writer = Numbers(database, Counting(), bound=1_000)
        async with asyncio.TaskGroup() as group:
            group.create_task(writer.run())
            assert await writer.submit(20) == 40
            assert await writer.submit(21) == 42
            writer.close()
        assert database.ahead == 0.0
        alone = tmp_path / "alone.db"
        alone.write_bytes((tmp_path / "person.db").read_bytes())
        async with open_database(alone, "person") as copy:
            assert await stored(copy) == [20, 21]


async def test_a_transaction_that_has_begun_is_not_disturbed_by_folding_in(tmp_path: Path) -> None:
    async with open_database(tmp_path / "person.db", "person") as database:
        await database.checkpoint()
        async with database.transaction() as transaction:
            await transaction.fetch("INSERT INTO seen(id, day) VALUES (1, 1) RETURNING id")
            await database.checkpoint_beside()
            await transaction.fetch("INSERT INTO seen(id, day) VALUES (2, 1) RETURNING id")
        assert await stored(database) == [1, 2]
        assert database.ahead > 0


async def test_a_group_is_bounded(tmp_path: Path) -> None:
    apply = Counting()
    async with writing(tmp_path, apply, group_max=16) as (writer, _):
        await asyncio.gather(*(writer.submit(number) for number in range(20, 70)))
    assert max(map(len, apply.groups)) == 16
    assert list(chain.from_iterable(apply.groups)) == list(range(20, 70))


async def test_a_full_queue_refuses_and_recovers(tmp_path: Path) -> None:
    async with writing(tmp_path, Counting(), bound=3) as (writer, database):
        results = await asyncio.gather(*(writer.submit(number) for number in range(20, 30)), return_exceptions=True)
        assert [type(result) for result in results] == [int] * 3 + [QueueFull] * 7
        assert await writer.submit(50) == 100
        assert await stored(database) == [20, 21, 22, 50]


async def test_one_refused_work_does_not_touch_the_others(tmp_path: Path) -> None:
    async with writing(tmp_path, Counting()) as (writer, _):
        results = await asyncio.gather(*map(writer.submit, (6, 7, 8)), return_exceptions=True)
        assert [str(result) for result in results] == ["12", "7 is not welcome", "16"]


async def test_a_poisonous_work_fails_alone(tmp_path: Path) -> None:
    async with writing(tmp_path, Counting()) as (writer, database):
        results = await asyncio.gather(*map(writer.submit, (12, 13, 14)), return_exceptions=True)
        assert [str(result) for result in results] == ["24", "13 is a bad number", "28"]
        assert await stored(database) == [12, 14]


async def test_a_full_disk_fails_exactly_its_group_and_the_writer_lives_on(tmp_path: Path) -> None:
    async with writing(tmp_path, Counting(), max_pages=60, group_max=50_000, bound=100_000) as (writer, database):
        assert await writer.submit(1) == 2
        results = await asyncio.gather(
            *(writer.submit(number) for number in range(100, 40_000)), return_exceptions=True
        )
        assert {type(result) for result in results} == {DatabaseFull}
        assert await writer.submit(2) == 4
        assert await stored(database) == [1, 2]


async def test_maintenance_takes_its_turn(tmp_path: Path) -> None:
    async def count(transaction: Transaction) -> int:
        ((number,),) = await transaction.fetch("SELECT count(*) FROM seen")
        return int(number)

    async with writing(tmp_path, Counting()) as (writer, _):
        async with asyncio.TaskGroup() as group:
            group.create_task(writer.submit(1))
            group.create_task(writer.submit(2))
            counted = group.create_task(writer.exclusive(count))
            group.create_task(writer.submit(3))
        assert counted.result() == 2
        assert await writer.exclusive(count) == 3


async def test_failed_maintenance_is_undone_and_told(tmp_path: Path) -> None:
    async def fail(transaction: Transaction) -> None:
        await transaction.fetch("INSERT INTO seen(id, day) VALUES (1, 1) RETURNING id")
        raise LookupError("no such person")

    async with writing(tmp_path, Counting()) as (writer, database):
        with pytest.raises(LookupError, match="no such person"):
            await writer.exclusive(fail)
        assert await stored(database) == []
        assert await writer.submit(5) == 10


async def test_closing_finishes_what_was_taken_and_refuses_the_rest(tmp_path: Path) -> None:
    async with open_database(tmp_path / "person.db", "person") as database:
        writer = Numbers(database, Counting(), bound=100, group_max=2)
        async with asyncio.TaskGroup() as group:
            waiting = [group.create_task(writer.submit(number)) for number in range(20, 30)]
            await asyncio.sleep(0)
            writer.close()
            group.create_task(writer.run())
        assert [task.result() for task in waiting] == list(range(40, 60, 2))
        assert await stored(database) == list(range(20, 30))
        with pytest.raises(WriterClosed):
            await writer.submit(1)


async def test_a_stopped_writer_leaves_nobody_waiting(tmp_path: Path) -> None:
    async with open_database(tmp_path / "person.db", "person") as database:
        writer = Numbers(database, Counting(), bound=100)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(writer.run())
            await asyncio.sleep(0)
            waiting = asyncio.gather(*(writer.submit(number) for number in range(5)), return_exceptions=True)
            await asyncio.sleep(0)
            running.cancel()
        assert {type(result) for result in await waiting} == {WriterClosed}


async def test_someone_who_went_away_is_not_written_for(tmp_path: Path) -> None:
    async with open_database(tmp_path / "person.db", "person") as database:
        writer = Numbers(database, Counting(), bound=100)
        async with asyncio.TaskGroup() as group:
            gone = group.create_task(writer.submit(1))
            stays = group.create_task(writer.submit(2))
            await asyncio.sleep(0)
            gone.cancel()
            await asyncio.sleep(0)
            group.create_task(writer.run())
            await stays
            writer.close()
        assert await stored(database) == [2]
