import subprocess
import sys
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from store.catalogue import CatalogueFull
from store.faults import DatabaseFull
from store.item_rules import item_problems
from store.records import Item
from store.shop import open_shop, read_catalogue

NOW = 1_790_000_000.0


def item(number: int, **changes: object) -> Item:
    return Item(**({"id": f"SKU{number}", "title": f"Lamp {number}", "published": 5.0} | changes))  # type: ignore[arg-type]


@pytest.mark.anyio
async def test_what_was_put_is_there_after_a_restart(tmp_path: Path) -> None:
    async with open_shop(tmp_path / "shop.db") as shop:
        assert await shop.put_items([item(1), item(2)], NOW) == [0, 1]
        assert await shop.put_items([item(2, title="Lantern"), item(3)], NOW) == [1, 2]
    async with open_shop(tmp_path / "shop.db") as shop:
        assert [entry.title for _, entry in shop.list(-1, 10)] == ["Lamp 1", "Lantern", "Lamp 3"]
        assert shop.search.matches("lantern").items.tolist() == [1]
        assert shop.search.matches("lamp").items.tolist() == [0, 2]
    assert read_catalogue(tmp_path / "shop.db").ids == ["SKU1", "SKU2", "SKU3"]


@pytest.mark.anyio
async def test_a_deleted_item_is_gone_and_gets_its_own_number_back(tmp_path: Path) -> None:
    async with open_shop(tmp_path / "shop.db") as shop:
        await shop.put_items([item(1), item(2)], NOW)
        assert await shop.delete("SKU1", NOW)
        assert not await shop.delete("SKU1", NOW)
        assert shop.get("SKU1") is None
        assert shop.search.matches("lamp").items.tolist() == [1]
        assert await shop.put_items([item(3)], NOW) == [2]
    async with open_shop(tmp_path / "shop.db") as shop:
        assert shop.get("SKU1") is None
        assert shop.catalogue.servable.tolist() == [False, True, True]
        assert await shop.put_items([item(4), item(1)], NOW) == [3, 0]
        assert shop.get("SKU1") == item(1)


@pytest.mark.anyio
async def test_sold_out_items_are_not_servable_from_the_moment_they_are_put(tmp_path: Path) -> None:
    async with open_shop(tmp_path / "shop.db") as shop:
        await shop.put_items([item(1)], NOW)
        await shop.put_items([item(1, availability="out_of_stock")], NOW)
        assert not shop.catalogue.servable[0]


@pytest.mark.anyio
async def test_of_equal_ids_in_one_batch_the_last_counts(tmp_path: Path) -> None:
    async with open_shop(tmp_path / "shop.db") as shop:
        assert await shop.put_items([item(1), item(1, title="Lantern")], NOW) == [0, 0]
        assert shop.get("SKU1") == item(1, title="Lantern")


@pytest.mark.anyio
async def test_an_item_is_as_old_as_it_says_or_as_its_first_put(tmp_path: Path) -> None:
    async with open_shop(tmp_path / "shop.db") as shop:
        await shop.put_items([item(1, published=0.0), item(2)], NOW)
        await shop.put_items([item(1, published=0.0, title="Lantern")], NOW + 100)
        assert shop.catalogue.published.tolist() == [NOW, 5.0]


@pytest.mark.anyio
async def test_a_full_catalogue_or_disk_changes_nothing(tmp_path: Path) -> None:
    async with open_shop(tmp_path / "shop.db", items_at_most=2, max_pages=40) as shop:
        await shop.put_items([item(1)], NOW)
        with pytest.raises(CatalogueFull, match="1 of at most 2"):
            await shop.put_items([item(2), item(3)], NOW)
        with pytest.raises(DatabaseFull):
            await shop.put_items([item(2, description="x" * 200_000)], NOW)
        assert shop.catalogue.size == 1
        assert shop.search.matches("lamp").items.tolist() == [0]
        assert await shop.put_items([item(2)], NOW) == [1]


@pytest.mark.anyio
async def test_pages_follow_each_other(tmp_path: Path) -> None:
    async with open_shop(tmp_path / "shop.db") as shop:
        await shop.put_items([item(number) for number in range(5)], NOW)
        await shop.delete("SKU1", NOW)
        assert [number for number, _ in shop.list(-1, 2)] == [0, 2]
        assert [number for number, _ in shop.list(2, 9)] == [3, 4]


PUT_UNTIL_KILLED = """
import asyncio, sys
from pathlib import Path
from store.records import Item
from store.shop import open_shop

async def main():
    async with open_shop(Path(sys.argv[1])) as shop:
        for number in range(100_000):
            await shop.put_items([Item(id=f"i{number}", title="Lamp")], 1.0)
            print(number, flush=True)

asyncio.run(main())
"""


def put_until_killed(file: Path, after: int) -> int:
    """Kill a process that puts items one by one after so many acknowledgements; the last item acknowledged."""
    command = [sys.executable, "-c", PUT_UNTIL_KILLED, str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent.parent) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(after)]
        process.kill()
        lines += process.stdout.readlines()
    return max(int(line) for line in lines if line.endswith("\n"))


@pytest.mark.anyio
async def test_an_acknowledged_item_survives_kill_9(tmp_path: Path) -> None:
    last = await anyio.to_thread.run_sync(put_until_killed, tmp_path / "shop.db", 50)
    async with open_shop(tmp_path / "shop.db") as shop:
        assert [entry.id for _, entry in shop.list(-1, last + 1)] == [f"i{number}" for number in range(last + 1)]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"id": ""}, "/id"),
        ({"id": "a\n"}, "/id"),
        ({"id": "x" * 129}, "/id"),
        ({"title": " "}, "/title"),
        ({"url": "javascript:alert(1)"}, "/url"),
        ({"image": "//elsewhere.example/i.png"}, "/image"),
        ({"price": -1.0}, "/price"),
        ({"price": float("nan")}, "/price"),
        ({"sale_price": float("inf")}, "/sale_price"),
        ({"availability": "sold"}, "/availability"),
        ({"published": -1.0}, "/published"),
        ({"category": ("a/b",)}, "/category"),
        ({"category": ("",)}, "/category"),
        ({"category": tuple("abcdefghi")}, "/category"),
        ({"regions": ("",)}, "/regions"),
        ({"attributes": {"`": 1.0}}, "/attributes"),
        ({"attributes": {"color": "x" * 201}}, "/attributes/color"),
        ({"attributes": {f"a{n}": 1.0 for n in range(65)}}, "/attributes"),
    ],
)
def test_what_is_wrong_with_an_item_is_said_where_it_is(changes: dict[str, object], pointer: str) -> None:
    assert item_problems(item(1)) == []
    assert [where for where, _ in item_problems(item(1, **changes))] == [pointer]
