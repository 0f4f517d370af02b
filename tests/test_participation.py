"""Each person is learned from in a bounded number of windows, and every event in one."""

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.learning.dataset import Dataset
from app.learning.read import read_window
from app.node import Node
from app.privacy.holdings import find_held, tables_of
from app.privacy.rotation import rotate
from store.budget import Window
from store.participation import take_part
from tests.open_shop import ITEMS, batch, event, open_shop, send

pytestmark = pytest.mark.anyio
DAY = 86_400
BEGAN = 1_750_000_000
DP: dict[str, Any] = {"privacy": {"learned": "dp", "windows_per_person": 2}, "node": {"clock": "events"}}
ANN = [("user", "ann")]


async def clicks(node: Node, name: str, *items: str, day: int = 0, buys: str = "") -> None:
    node.clock.observe((BEGAN + day * DAY) * 1000)
    events = [event(node, "view_item", f"{name}-{day}-{place}", item) for place, item in enumerate(items)]
    if buys:
        events.append(event(node, "purchase", f"{name}-{day}", items=[{"item_id": buys, "quantity": 1}]))
    who = {"anon": None, "user": name, "session": f"visit of {name} {day}", "purposes": ["vault.purchases"]}
    await send(node, batch(*events, **who), kind="server")  # type: ignore[arg-type]


async def learned_from(node: Node, window: Window, day: int = 0) -> Dataset:
    nothing = np.zeros(len(ITEMS), np.bool_)
    read = partial(read_window, node.config, node.folder, nothing, window, BEGAN + day * DAY)
    return await asyncio.to_thread(read)


def windows_of(node: Node) -> list[tuple[int, int]]:
    sql = "SELECT learned_windows, learned_last FROM profiles ORDER BY surrogate"
    return [tuple(row) for row in node.reader.execute(sql).fetchall()]


async def test_an_event_is_read_in_one_window_only(tmp_path: Path) -> None:
    async with open_shop(tmp_path, **DP) as node:
        await clicks(node, "ann", "S1", buys="S2")
        first = Window(1, BEGAN, 0.0)
        assert sorted((await learned_from(node, first)).item.tolist()) == [1, 2]
        assert sorted((await learned_from(node, first)).item.tolist()) == [1, 2], "again in the same window"
        await clicks(node, "ann", "S3", day=31, buys="S4")
        next_one = Window(2, BEGAN + 31 * DAY, BEGAN)
        assert sorted((await learned_from(node, next_one, 31)).item.tolist()) == [3, 4]
        assert windows_of(node) == [(2, 2)]


async def test_after_so_many_windows_nothing_more_is_learned_from_a_person(tmp_path: Path) -> None:
    async with open_shop(tmp_path, **DP) as node:
        for number in range(1, 4):
            await clicks(node, "ann", f"S{number}", day=number)
            if number == 3:
                await clicks(node, "bob", "S9", day=3)
            items = (await learned_from(node, Window(number, 0.0, 0.0), number)).item.tolist()
            assert items == (list(range(1, number + 1)) if number < 3 else [9])
        assert sorted(windows_of(node)) == [(1, 3), (2, 2)]


async def test_only_whoever_something_was_collected_of_takes_part(tmp_path: Path) -> None:
    async with open_shop(tmp_path, **DP) as node:
        await clicks(node, "ann", "S1")
        await clicks(node, "bob", "S2", day=31)
        await learned_from(node, Window(1, BEGAN, 0.0))
        assert sorted(windows_of(node)) == [(0, 0), (1, 1)]


async def test_who_took_part_moves_with_a_new_number_and_goes_with_the_person(tmp_path: Path) -> None:
    async with open_shop(tmp_path, **DP) as node:
        await clicks(node, "ann", "S1")
        await learned_from(node, Window(1, BEGAN, 0.0))
        await rotate(node)
        await clicks(node, "ann", "S2", day=1)
        assert windows_of(node) == [(1, 1)]
        held = await find_held(node, ANN)
        (profiles,) = [table for table in tables_of(held) if table.table == "profiles"]
        assert [(row["learned_windows"], row["learned_last"]) for row in profiles.rows] == [(1, 1)]
        await node.erasures.erase(ANN)
        assert windows_of(node) == []


async def test_whoever_is_gone_when_a_training_begins_takes_no_part(tmp_path: Path) -> None:
    async with open_shop(tmp_path, **DP) as node:
        await clicks(node, "ann", "S1")
        (ann,) = node.reader.execute("SELECT surrogate FROM profiles").fetchone()
        assert take_part(tmp_path / "data" / "person.db", [ann, 4711], 1, 12) == {ann}
        assert take_part(tmp_path / "data" / "person.db", [ann, 4711], 1, 12) == {ann}, "harmless when repeated"
        assert windows_of(node) == [(1, 1)]


async def test_a_ledger_begun_anew_does_not_use_anyone_twice(tmp_path: Path) -> None:
    """Windows are numbered from 1 again: who took part in a later one waits until the numbers are past it."""
    async with open_shop(tmp_path, **DP) as node:
        await clicks(node, "ann", "S1")
        await learned_from(node, Window(5, BEGAN, 0.0))
        assert len(await learned_from(node, Window(1, BEGAN, 0.0))) == 0
        assert len(await learned_from(node, Window(6, BEGAN, 0.0))) == 1


async def test_a_guest_who_signs_in_has_taken_part_as_both(tmp_path: Path) -> None:
    async with open_shop(tmp_path, **DP) as node:
        node.clock.observe(BEGAN * 1000)
        who = {"session": "a visit", "purposes": ["vault.purchases"]}
        await send(node, batch(event(node, "view_item", "guest", "S1"), **who), kind="server")  # type: ignore[arg-type]
        await learned_from(node, Window(1, BEGAN, 0.0))
        signed_in = batch(event(node, "view_item", "user", "S2"), user="ann", **who)  # type: ignore[arg-type]
        await send(node, signed_in, kind="server")
        assert windows_of(node) == [(1, 1)], "a user without a row of her own has the guest's"
        await clicks(node, "bob", "S1", day=31)
        await learned_from(node, Window(2, BEGAN, 0.0), 31)
        joined = batch(event(node, "view_item", "more", "S3"), anon="b" * 32, **who)  # type: ignore[arg-type]
        await send(node, joined, kind="server")
        await learned_from(node, Window(3, BEGAN, 0.0), 31)
        assert sorted(windows_of(node)) == [(1, 3), (2, 2), (2, 3)]
        again = batch(event(node, "view_item", "last", "S4"), user="bob", **{**who, "anon": "b" * 32})  # type: ignore[arg-type]
        await send(node, again, kind="server")
        assert sorted(windows_of(node)) == [(2, 2), (3, 3)]
