"""Experiments, segments and trainings in the console: started, read in words, gone back from."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.console.experiment_form import design_from, from_design, with_what_has_no_field
from app.console.training import budget_of, burn_down
from app.node import Node
from app.routes import create_app
from store.budget import open_budget
from store.database import Transaction
from store.experiment_sums import ArmSums, Report
from store.experiments import Arm, Design
from tests.console_pages import ATTACK, Console, Fields, fill_in, undo
from tests.open_shop import open_shop
from tests.test_models import two_generations

pytestmark = pytest.mark.anyio

HERE, NEW = "/console/experiments", "/console/experiments/new"
HOME: Fields = {
    "key": "home", "name": "Personal home", "placements": ["home"], "metric": "clicks", "guardrails": ["orders"],
    "traffic": "100", "arm0_key": "static", "arm0_weight": "50", "arm0_kind": "static", "arm1_key": "personal",
    "arm1_weight": "50", "arm1_kind": "same",
}  # fmt: skip
DAY = 86_400


@pytest.fixture
async def console(tmp_path: Path) -> AsyncIterator[Console]:
    async with open_shop(tmp_path) as node:
        yield Console(node, create_app(node))


def sums(people: int, clicks: int) -> ArmSums:
    """People who were shown two lists each, and of whom so many clicked once."""
    return ArmSums(people, 2 * people, clicks, 0, clicks // 4, 4 * people, clicks, 0, clicks // 4, 2 * clicks)


async def count(node: Node, *days: tuple[ArmSums, ArmSums]) -> None:
    """What was told at the end of the last days, and is counted now."""
    experiment = node.experiments.get("home")
    assert experiment is not None
    today = int(node.clock.now() // DAY)

    async def work(transaction: Transaction) -> None:
        for ago, arms in enumerate(reversed(days)):
            node.sums.tell(transaction, experiment.number, Report(today - ago, arms))
        last = days[-1]
        node.sums.add(transaction, {(experiment.number, place): last[place] for place in (0, 1)})

    await node.intake.writer.exclusive(work)


async def start(console: Console, **changes: str) -> str:
    async with console.browser("marketer") as client:
        made = await fill_in(client, NEW, NEW, **HOME)
        assert made.headers["location"] == f"{HERE}/home"
        started = await fill_in(client, made.headers["location"], f"{HERE}/home", do="start", version="1", **changes)
        assert started.status_code == 303
        return (await client.get(f"{HERE}/home")).text


async def test_an_experiment_is_written_down_started_read_and_stopped(console: Console) -> None:
    assert "running" in await start(console)
    await count(console.node, (sums(900, 180), sums(905, 210)), (sums(2000, 400), sums(2010, 520)))
    async with console.browser("marketer") as client:
        page = (await client.get(f"{HERE}/home")).text
        told = (await client.get(f"{HERE}/home.json")).json()["results"]
        assert page.index("Sound.") < page.index("Decision") < page.index("Against static")
        assert told["decision"].startswith("Better: +")
        assert told["decision"].replace(" %", "\u00a0%") in page
        assert '<svg class="interval good"' in page
        assert page.count("<polygon") == 1  # the band over time
        assert "of those who agreed to experiments" in page
        assert told["decision"] in (await client.get(HERE)).text
        assert (await fill_in(client, f"{HERE}/home", f"{HERE}/home", do="stop", version="2")).status_code == 303
        assert not console.node.experiments.running


async def test_arms_that_are_not_as_planned_are_said_before_anything_else(console: Console) -> None:
    await start(console)
    await count(console.node, (sums(2000, 400), sums(1200, 300)))
    async with console.browser("marketer") as client:
        page = (await client.get(f"{HERE}/home")).text
        assert "Not sound." in page
        assert page.index("Do not read on") < page.index("Against static")
        assert "not sound" in (await client.get(HERE)).text


async def test_a_metric_without_data_is_no_dead_page(console: Console) -> None:
    page = await start(console)
    assert "Not enough yet" in page
    await count(console.node, (sums(300, 0), sums(300, 0)))
    async with console.browser("marketer") as client:
        page = (await client.get(f"{HERE}/home")).text
    assert "No data: there were no clicks" in page


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"arm1_weight": "60"}, "add up to 110"),
        ({"key": "Not A Key"}, "key"),
        ({"placements": ["hoem"]}, "did you mean"),
        ({"arm1_kind": "weights", "arm1_weights": "taste"}, "write scorer=weight"),
        ({"arm1_kind": "weights", "arm1_weights": "tast=2"}, "did you mean"),
        ({"arm1_weight": ""}, "share in percent is missing"),
        ({"traffic": "all"}, "a share in percent"),
        ({"name": ""}, "length"),
        ({"arm1_key": "static"}, "two arms"),
    ],
)
async def test_what_cannot_be_meant_is_said_and_nothing_is_lost(console: Console, changes: Fields, said: str) -> None:
    async with console.browser("marketer") as client:
        answer = await fill_in(client, NEW, NEW, **{**HOME, "hypothesis": "kept", **changes})
    assert answer.status_code == 422
    assert said in answer.text
    assert ">kept</textarea>" in answer.text


async def test_a_draft_can_be_changed_and_deleted_and_comes_back(console: Console) -> None:
    async with console.browser("marketer") as client:
        await fill_in(client, NEW, NEW, **{**HOME, "name": ATTACK})
        page = (await client.get(f"{HERE}/home")).text
        assert "<img src=x" not in page
        edit = f"{HERE}/home/edit"
        await fill_in(client, edit, edit, **{**HOME, "name": "Other"}, version="1")
        found = console.node.experiments.get("home")
        assert found is not None
        assert (found.design.name, found.version) == ("Other", 2)
        late = await fill_in(client, edit, edit, **{**HOME, "name": "Late"}, version="1")
        assert "somebody else changed it" in late.text
        await fill_in(client, f"{HERE}/home", f"{HERE}/home", do="delete", version="2")
        assert console.node.experiments.get("home") is None
        await undo(client, HERE)
        found = console.node.experiments.get("home")
        assert found is not None
        assert found.design.name == "Other"


async def test_what_stands_in_the_way_of_a_start_is_said(console: Console) -> None:
    await start(console)
    async with console.browser("marketer") as client:
        await fill_in(client, NEW, NEW, **{**HOME, "key": "second"})
        refused = await fill_in(client, f"{HERE}/second", f"{HERE}/second", do="start", version="1")
    assert refused.status_code == 409
    assert "nobody could tell which of them moved the numbers" in refused.text


def test_a_design_survives_its_form() -> None:
    design = Design(
        key="a", name="A",
        arms=[Arm(key="x", weight=40, rules_off=True), Arm(key="y", weight=60, weights={"taste": 2.0})],
        placements=["home"], traffic=50.0, layer="l", metric="orders", guardrails=["clicks"], hypothesis="why",
    )  # fmt: skip
    assert design_from(from_design(design)) == (design, {})


def test_what_the_form_has_no_field_for_stays() -> None:
    arms = [Arm(key="x", weight=50, off=["popular"]), Arm(key="y", weight=50, sections=["new"])]
    design = Design(key="a", name="A", arms=arms, pages=["home"])
    told, errors = design_from(from_design(design))
    assert told is not None
    assert not errors
    assert with_what_has_no_field(told, design) == design


async def test_a_model_is_rolled_back_with_one_click_and_stays_until_somebody_says_so(tmp_path: Path) -> None:
    async with two_generations(tmp_path) as (node, first, second):
        async with Console(node, create_app(node)).browser("operator") as client:
            page = (await client.get("/console/training")).text
            assert page.index(second) < page.index(first)
            back = await fill_in(client, "/console/training", "/console/training", do="promote", id=first)
            assert back.status_code == 303
            assert node.model.id == first
            page = (await client.get("/console/training")).text
            assert "is pinned since" in page
            refused = await fill_in(client, "/console/training", "/console/training", do="train")
            assert refused.status_code == 409
            await fill_in(client, "/console/training", "/console/training", do="unpin", id=first)
            assert "is pinned since" not in (await client.get("/console/training")).text
        async with Console(node, create_app(node)).browser("privacy") as client:
            page = (await client.get("/console/training")).text
            assert "Roll back" not in page
            assert "Train now" not in page


async def test_the_budget_burns_down_as_the_ledger_says(tmp_path: Path) -> None:
    async with open_shop(tmp_path, privacy={"learned": "dp", "epsilon": 8.0}) as node:
        unspent = budget_of(node.config, node.folder, 0.0)
        assert unspent is not None
        assert unspent.spent == 0
        now = node.staff.now()
        with open_budget(node.folder) as ledger:
            run = ledger.begin_run(now, "dp", data_until=now, days=30, epsilon=8.0, delta=1e-6)
            for step in range(2):
                ledger.debit(run, "counts", step, sensitivity=1.0, multiplier=2.0, cost=0.25, limit=10.0, at=now + step)
            ledger.end_run(run, now, None)
        budget = budget_of(node.config, node.folder, now)
        assert budget is not None
        first, last = [each.epsilon for each in budget.releases]
        assert first is not None
        assert last is not None
        assert 0 < first < last <= budget.spent + 1e-3 < 8
        chart = burn_down(budget, now)
        assert chart is not None
        assert float(chart.rows[1][1]) == pytest.approx(8 - last, abs=0.01)
        assert len(chart.rows) == 31
        async with Console(node, create_app(node)).browser("privacy") as client:
            page = (await client.get("/console/training")).text
        assert "Privacy left in this window" in page
        assert "2 releases in the ledger" in page


async def test_segments_are_told_with_the_rules_that_speak_to_them(console: Console) -> None:
    async with console.browser("marketer") as client:
        assert "No segments yet" in (await client.get("/console/segments")).text
        console.node.generations.serving.segment_list = [
            {"key": "runners", "name": "Runners", "people": 120, "items": 4,
             "terms": ["category:shoes/running", "band:8"]},
            {"key": "few", "name": "Few", "people": None, "items": 1, "terms": []},
        ]  # fmt: skip
        page = (await client.get("/console/segments")).text
        assert re.search(r"Runners.*shoes › running.*price band 8", page, re.S)
        assert "not told" in page
        asked = await client.get("/console/rules/new?segment=runners")
        assert 'name="segments" value="runners"' in asked.text
