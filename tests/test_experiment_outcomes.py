"""What people in experiments do, from their beacons to the results: credited by token, under consent, told of many."""

import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.experiments.reports import tell_all, told
from app.node import Node
from app.privacy.holdings import find_held, tables_of
from app.privacy.retention import sweep
from app.routes import create_app
from store.experiment_sums import ArmSums
from store.parts import Part, read_parts
from tests.open_shop import ANON, batch, event, open_shop, outcomes, row, send
from tests.signed_in import headers_of
from tests.test_experiments_routes import DESIGN, Desk, anons

pytestmark = pytest.mark.anyio


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with open_shop(tmp_path, pseudonyms={"epoch_days": 40}) as node:
        transport = httpx.ASGITransport(create_app(node))
        async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
            yield Desk(node, client, await headers_of(node, "marketer"))


def of_list(node: Node, name: str, shelf: dict[str, Any], *, seed: str = "", token: str = "") -> dict[str, Any]:
    """An event about the first item of a list."""
    first = {"item_id": "S1", "token": token or shelf["token"]}
    return event(node, name, seed or secrets.token_hex(4), "S1", items=[first])


async def does(desk: Desk, anon: str, *names: str, consent: str = "granted", token: str = "") -> dict[str, Any]:
    """Get a list and do these things with it; the list."""
    shelf = await desk.list_for(anon, consent=consent)
    events = [of_list(desk.node, name, shelf, token=token) for name in names]
    said = await send(desk.node, batch(*events, anon=anon, session=f"visit-{anon}", consent=consent))
    assert outcomes(said) == ["accepted"] * len(events)
    return shelf


def sums(desk: Desk, key: str = "home") -> list[ArmSums]:
    experiment = desk.node.experiments.get(key)
    assert experiment is not None
    return desk.node.sums.read(experiment.number, len(experiment.design.arms))


def part(desk: Desk, anon: str = ANON) -> Part:
    found = row(desk.node, name=anon)
    assert found is not None
    (kept,) = read_parts(found.experiments).values()
    return kept


def total(desk: Desk) -> ArmSums:
    return ArmSums(*(sum(each) for each in zip(*sums(desk), strict=True)))


async def test_what_is_done_with_a_list_counts_for_its_arm(desk: Desk) -> None:
    await desk.started()
    shelf = await does(desk, ANON, "view_item_list", "select_item", "add_to_cart", "purchase")
    arm = shelf["experiment"]["arm"]
    assert part(desk) == Part(arm, 1, 1, 1, 1, shelf["request_id"])
    counted = dict(zip(("static", "personal"), sums(desk), strict=True))
    assert counted.pop(arm) == ArmSums(1, 1, 1, 1, 1, 1, 1, 1, 1, 1)
    assert set(counted.values()) == {ArmSums()}
    await does(desk, ANON, "view_item_list", "select_item")
    assert total(desk) == ArmSums(1, 2, 2, 1, 1, 4, 4, 1, 1, 4), "sums of squares are of the person's totals"


async def test_the_sums_are_those_of_the_people(desk: Desk) -> None:
    await desk.started()
    rng = secrets.SystemRandom()
    people = anons(12)
    for anon in people:
        for _ in range(rng.randint(1, 3)):
            await does(desk, anon, "view_item_list", *rng.choices(("select_item", "add_to_cart"), k=rng.randint(0, 3)))
    parts = [part(desk, anon) for anon in people]
    assert total(desk) == ArmSums(
        12, sum(p.lists for p in parts), sum(p.clicks for p in parts), sum(p.carts for p in parts), 0,
        sum(p.lists**2 for p in parts), sum(p.clicks**2 for p in parts), sum(p.carts**2 for p in parts), 0,
        sum(p.clicks * p.lists for p in parts),
    )  # fmt: skip


async def test_a_repeated_event_and_a_list_told_in_portions_count_once(desk: Desk) -> None:
    await desk.started()
    shelf = await desk.list_for(ANON)
    shown = [of_list(desk.node, "view_item_list", shelf, seed=f"portion {place}") for place in range(3)]
    click = of_list(desk.node, "select_item", shelf, seed="click")
    for _ in range(2):
        await send(desk.node, batch(*shown, click))
    assert total(desk) == ArmSums(1, 1, 1, 0, 0, 1, 1, 0, 0, 1)


async def test_a_click_told_just_before_the_list_that_was_clicked_counts(desk: Desk) -> None:
    await desk.started()
    await does(desk, ANON, "select_item", "view_item_list")
    assert total(desk).clicks == 1


async def test_an_outcome_makes_nobody_a_part_of_an_experiment(desk: Desk) -> None:
    await desk.started()
    await does(desk, ANON, "select_item", "purchase")
    assert total(desk) == ArmSums()


async def test_without_consent_to_experiments_nothing_is_counted(desk: Desk) -> None:
    await desk.started()
    shelf = await desk.list_for(ANON)
    events = [of_list(desk.node, name, shelf) for name in ("view_item_list", "select_item")]
    await send(desk.node, batch(*events, consent="session"))
    assert total(desk) == ArmSums()
    (kept,) = desk.node.reader.execute("SELECT count(*) FROM profiles WHERE experiments IS NOT NULL").fetchone()
    assert kept == 0


async def test_who_objects_is_in_no_arm_at_the_next_request_and_nothing_is_left_of_what_was_counted(desk: Desk) -> None:
    await desk.started()
    shelf = await does(desk, ANON, "view_item_list")
    assert len(records(desk)) == 1
    visitor = {"anon": ANON, "session": f"visit-{ANON}"}
    said = await desk.client.post("/v1/consent", json={"visitor": visitor, "object": ["experiments"]})
    assert said.status_code == 200, said.text
    assert "experiment" not in await desk.list_for(ANON)
    assert records(desk) == []
    await send(desk.node, batch(of_list(desk.node, "select_item", shelf), session=f"visit-{ANON}"))
    assert total(desk).clicks == 0


async def test_a_token_of_the_other_arm_counts_for_nobody(desk: Desk) -> None:
    await desk.started()
    mine = (await desk.list_for(ANON))["experiment"]["arm"]
    theirs = [shelf for anon in anons(64) if (shelf := await desk.list_for(anon))["experiment"]["arm"] != mine][0]  # noqa: RUF015
    await does(desk, ANON, "view_item_list", "select_item", token=theirs["token"])
    assert total(desk) == ArmSums()
    forged = theirs["token"][:-3] + "xyz"
    await does(desk, ANON, "view_item_list", token=forged)
    assert total(desk) == ArmSums()


async def test_an_order_of_goods_from_several_lists_counts_in_each_experiment_once(desk: Desk) -> None:
    await desk.started()
    await desk.started(key="fast", placements=["trending"])
    home, fast = await desk.list_for(ANON), await desk.list_for(ANON, "trending")
    shown = [of_list(desk.node, "view_item_list", shelf) for shelf in (home, fast)]
    goods = [{"item_id": "S1", "token": home["token"]}, {"item_id": "S2", "token": fast["token"]},
             {"item_id": "S3", "token": home["token"]}]  # fmt: skip
    await send(desk.node, batch(*shown, event(desk.node, "purchase", "order", items=goods)))
    for key in ("home", "fast"):
        assert sum(each.orders for each in sums(desk, key)) == 1


async def test_one_person_counts_up_to_the_bound(tmp_path: Path) -> None:
    async with open_shop(tmp_path, experiments={"counted_at_most": 3}) as node:
        client = httpx.AsyncClient(transport=httpx.ASGITransport(create_app(node)), base_url="http://shop")
        desk = Desk(node, client, await headers_of(node, "marketer"))
        await desk.started()
        for _ in range(5):
            await does(desk, ANON, "view_item_list", "select_item", "select_item")
        assert total(desk) == ArmSums(1, 3, 3, 0, 0, 9, 9, 0, 0, 9)


async def test_what_stopped_counts_no_more_and_is_gone_from_the_person_at_the_next_event(desk: Desk) -> None:
    await desk.started()
    shelf = await does(desk, ANON, "view_item_list")
    await desk.ask("POST", "/v1/experiments/home:stop")
    await desk.started(key="next")
    await send(desk.node, batch(of_list(desk.node, "select_item", shelf)))
    assert total(desk).clicks == 0
    await does(desk, ANON, "view_item_list")
    found = row(desk.node)
    assert found is not None
    assert len(read_parts(found.experiments)) == 1


async def test_the_sweep_after_an_experiment_ends_takes_it_out_of_everyones_row(desk: Desk) -> None:
    await desk.started()
    await desk.started(key="fast", placements=["trending"])
    people = anons(5)
    for anon in people:
        shelves = [await desk.list_for(anon), await desk.list_for(anon, "trending")]
        shown = [of_list(desk.node, "view_item_list", shelf) for shelf in shelves]
        await send(desk.node, batch(*shown, anon=anon, session=f"visit-{anon}"))
    await sweep(desk.node)
    assert [len(read_parts(blob)) for blob in records(desk)] == [2] * 5
    await desk.ask("POST", "/v1/experiments/home:stop")
    assert (await sweep(desk.node))["experiments"] == 5
    assert [len(read_parts(blob)) for blob in records(desk)] == [1] * 5
    await desk.ask("POST", "/v1/experiments/fast:stop")
    await sweep(desk.node)
    assert records(desk) == []
    assert total(desk).people == 5, "what was summed up stays"


def records(desk: Desk) -> list[bytes]:
    rows = desk.node.reader.execute("SELECT experiments FROM profiles WHERE experiments IS NOT NULL").fetchall()
    return [blob for (blob,) in rows]


async def test_reports_expire_with_the_other_aggregates(tmp_path: Path) -> None:
    async with open_shop(tmp_path, node={"clock": "events"}, retention={"aggregates_months": 2.0}) as node:
        client = httpx.AsyncClient(transport=httpx.ASGITransport(create_app(node)), base_url="http://shop")
        desk = Desk(node, client, await headers_of(node, "marketer"))
        await desk.started()
        await shown_to(desk, 10)
        await results(desk)
        await desk.ask("POST", "/v1/experiments/home:stop")
        for days, left in ((50, (1, 2)), (20, (0, 0))):
            node.clock.observe(node.clock.now_ms() + days * 86_400_000)
            await sweep(node)
            counts = [node.reader.execute(f"SELECT count(*) FROM experiment_{name}").fetchone()[0]
                      for name in ("reports", "sums")]  # fmt: skip
            assert tuple(counts) == left


async def test_the_person_is_shown_what_is_held_and_nothing_is_left_after_the_erasure(desk: Desk) -> None:
    await desk.started()
    await does(desk, ANON, "view_item_list", "select_item")
    held = await find_held(desk.node, [("anon", ANON)])
    (profiles,) = [table for table in tables_of(held) if table.table == "profiles"]
    (shown,) = profiles.rows[0]["experiments"]
    assert (shown["experiment"], shown["lists"], shown["clicks"]) == ("home", 1, 1)
    before = total(desk)
    await desk.node.erasures.erase([("anon", ANON)])
    (left,) = desk.node.reader.execute("SELECT count(*) FROM profiles").fetchone()
    assert left == 0
    assert total(desk) == before, "a sum over many is not changed, so that no two of them tell of one"


async def test_a_guest_who_signs_in_is_not_counted_twice(desk: Desk) -> None:
    await desk.started()
    await does(desk, ANON, "view_item_list")
    user = {"user": "anna", "anon": ANON, "session": "visit-anna"}
    await send(desk.node, batch(event(desk.node, "consent_update", "yes"), **user), kind="server")
    await send(desk.node, batch(event(desk.node, "view_item", "seen", "S1"), **user), kind="server")
    found = row(desk.node, "user", "anna")
    assert found is not None
    (kept,) = read_parts(found.experiments).values()
    assert kept.lists == 1
    body = {"visitor": {**user, "consent": "granted"}, "requests": [{"placement": "home"}]}
    key = await desk.node.keys.create_api_key("server", now=0)
    answer = await desk.client.post("/v1/recommendations", json=body, headers={"authorization": f"Bearer {key}"})
    assert answer.json()["results"][0]["experiment"]["arm"] == kept.arm


# ---- results


async def results(desk: Desk, key: str = "home") -> dict[str, Any]:
    answer = await desk.ask("GET", f"/v1/experiments/{key}/results")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


async def shown_to(desk: Desk, people: int) -> None:
    """So many more people in each arm, of whom every third clicks."""
    counted = {"static": 0, "personal": 0}
    while min(counted.values()) < people:
        anon = secrets.token_hex(16)
        shelf = await desk.list_for(anon)
        arm = shelf["experiment"]["arm"]
        if counted[arm] < people:
            counted[arm] += 1
            names = ("view_item_list", "select_item") if counted[arm] % 3 == 0 else ("view_item_list",)
            events = [of_list(desk.node, name, shelf) for name in names]
            await send(desk.node, batch(*events, anon=anon, session=f"visit-{anon}"))


async def test_nothing_is_told_of_fewer_than_ten_people_and_reports_move_by_ten(desk: Desk) -> None:
    assert (await desk.ask("GET", "/v1/experiments/none/results")).status_code == 404
    await desk.ask("POST", "/v1/experiments", {**DESIGN, "key": "later"})
    assert (await results(desk, "later"))["decision"] == "Not started yet."
    await desk.started()
    await shown_to(desk, 9)
    early = await results(desk)
    assert early["decision"].startswith("Too early: fewer than 10 people")
    assert [arm["people"] for arm in early["arms"]] == [0, 0]
    assert (early["shares"], early["metrics"]) == (None, [])
    await shown_to(desk, 1)
    first = await results(desk)
    assert [arm["people"] for arm in first["arms"]] == [10, 10]
    assert first["metrics"][0]["control"] == 0.3
    await shown_to(desk, 9)
    assert await results(desk) == first, "nine more people in an arm change nothing"
    await shown_to(desk, 1)
    assert [arm["people"] for arm in (await results(desk))["arms"]] == [20, 20]


async def test_every_day_of_a_running_experiment_has_its_report(tmp_path: Path) -> None:
    async with open_shop(tmp_path, node={"clock": "events"}) as node:
        client = httpx.AsyncClient(transport=httpx.ASGITransport(create_app(node)), base_url="http://shop")
        desk = Desk(node, client, await headers_of(node, "marketer"))
        await desk.started()
        experiment = node.experiments.get("home")
        assert experiment is not None
        for day in range(3):
            await shown_to(desk, 11)
            await tell_all(node)
            assert len(await told(node, experiment)) == day + 1
            node.clock.observe(node.clock.now_ms() + 86_400_000)
        days = [report.day for report in await told(node, experiment)]
        assert days == list(range(days[0], days[0] + 3))


async def test_deleting_an_experiment_takes_its_sums_and_a_new_one_begins_at_nothing(desk: Desk) -> None:
    await desk.started()
    await shown_to(desk, 10)
    await results(desk)
    stopped = await desk.ask("POST", "/v1/experiments/home:stop")
    assert (await results(desk))["state"] == "stopped"
    await desk.ask("DELETE", "/v1/experiments/home", **{"if-match": stopped.headers["etag"]})
    for table in ("experiment_sums", "experiment_reports"):
        assert desk.node.reader.execute(f"SELECT count(*) FROM {table} WHERE id >= 64").fetchone() == (0,)
    await desk.started()
    assert (await results(desk))["decision"].startswith("Too early: fewer than 10 people")


async def test_the_holdout_says_what_personalization_brings(tmp_path: Path) -> None:
    async with open_shop(tmp_path, experiments={"holdout": 50.0}) as node:
        client = httpx.AsyncClient(transport=httpx.ASGITransport(create_app(node)), base_url="http://shop")
        desk = Desk(node, client, await headers_of(node, "marketer"))
        await desk.started()
        for anon in anons(60):
            await does(desk, anon, "view_item_list", "select_item")
        told = await results(desk, "holdout")
        assert [arm["key"] for arm in told["arms"]] == ["holdout", "everyone"]
        assert all(arm["people"] >= 10 for arm in told["arms"])
        held, everyone = node.sums.read(0, 2)
        assert held.people + everyone.people == held.clicks + everyone.clicks == 60
        assert sum(each.people for each in sums(desk)) == everyone.people, "who is in an experiment is not held out"
