"""Blend weights of a shop, from the click to the next list: what is kept for it, of whom, how it ends, who wins."""

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.console.training import blends_told
from app.learning.card import readable
from app.learning.models import model
from app.learning.ranking_step import NOTHING_YET
from app.learning.read import read_dataset
from app.node import Node
from app.privacy.holdings import find_held, tables_of
from app.routes import create_app
from app.serving.blends import Blends
from app.serving.options import RankingOptions
from app.serving.placements import placements_of
from app.serving.rank import Ranking
from app.serving.recommend import Ask, Page, Shelf
from app.serving.shown_lists import ShownLists
from plugins.contract import Visitor
from store.budget import read_budget
from store.records import Purpose
from tests.console_pages import Console
from tests.open_shop import EVERYTHING, batch, event, logged, send
from tests.trained_shop import BEGAN, DAY, SMALL, clicks, shop, trained

pytestmark = pytest.mark.anyio
QUIET = {**SMALL, "judged_people": 0}
RANKING: dict[str, Any] = {"people_at_least": 30}


def shown_to(node: Node, name: str, purposes: Purpose = EVERYTHING, item: str = "") -> Shelf:
    """The front page of somebody who looked at `item` before."""
    number = node.catalogue.number(item)
    history = np.array([] if number is None else [number], np.int32)
    affinities = {} if number is None else dict.fromkeys(node.catalogue.affinity_keys(number), 1.0)
    visitor = Visitor(
        purposes=purposes, history=history, weights=np.ones(len(history), np.float32),
        seen_at=np.ones(len(history), np.float32), affinities=affinities,
    )  # fmt: skip
    return node.recommender.shelves([Ask("home", limit=8)], Page(), visitor, node.clock.now(), seed=1)[0]


async def click(node: Node, name: str, shelf: Shelf, place: int, **told: object) -> None:
    item = node.catalogue.ids[int(shelf.items[place])]
    line = {"item_id": item, "token": shelf.token, "index": place}
    envelope = {"anon": None, "user": name, "session": f"visit of {name}", **told}
    await send(node, batch(event(node, "select_item", f"{name}-c", item, items=[line]), **envelope), kind="server")  # type: ignore[arg-type]


async def followers_of(node: Node, scorer: str, people: int) -> None:
    """Everybody clicks what this scorer likes best of what they are shown; of equals the first they see."""
    for number in range(people):
        shelf = shown_to(node, f"f{number}", item=f"S{number % 3}")
        said = shelf.made.ranking.parts[scorer]
        await click(node, f"f{number}", shelf, int(np.argmax(said)))


async def crowd(node: Node, people: int = 30) -> None:
    for number in range(people):
        kind = number % 3
        await clicks(node, f"shopper {number}", f"S{kind}", f"S{kind + 3}", buys="S7" if number % 2 else f"S{kind}")


async def test_what_people_click_moves_the_next_generations_weights_and_the_lists_they_make(tmp_path: Path) -> None:
    async with shop(tmp_path, training=QUIET, ranking={**RANKING, "held_out": 0.5}) as node:
        await crowd(node)
        await trained(node)
        node.generations.take_over()
        before = node.recommender.placements["home"].weights
        await followers_of(node, "affinity", 320)  # enough whoever the lot makes judges
        card = await trained(node)
        told = card["ranking"]["home"]
        assert told["why"].startswith("learned"), told
        assert told["people"] == 320
        assert told["weights"]["affinity"] > told["configured"]["affinity"] == before["affinity"]
        assert card["weights"]["home"] | told["weights"] == card["weights"]["home"]
        assert card["ranking"]["similar"]["why"].startswith("as configured: fewer than 30 people")
        node.generations.take_over()
        shelf = shown_to(node, "new", item="S1")
        assert shelf.made.weights["affinity"] == told["weights"]["affinity"]
        async with Console(node, create_app(node)).browser("operator") as client:
            page = (await client.get("/console/training")).text
            assert "learned: better on clicks it was not learned from" in page
            assert f"affinity 0.40 → {told['weights']['affinity']:.2f}" in page
            assert f"{told['weights']['affinity']:.2f}" in (await client.get("/console/placements/home")).text
        text = readable(model(node.generations.folder, card["id"]).card)
        assert "Blend weights learned from clicks" in text
        assert "320 people" in text
        assert f"affinity 0.4 → {told['weights']['affinity']:g}" in text.replace("0000", "")
    async with shop(tmp_path, training=QUIET, ranking={**RANKING, "learned": False}) as node:
        assert node.recommender.placements == placements_of({}), "switched off, it is off at once"


async def test_without_clicks_weights_stay_and_the_card_says_why(tmp_path: Path) -> None:
    async with shop(tmp_path, training=QUIET) as node:
        await crowd(node)
        card = await trained(node)
        assert card["ranking"]["home"] == {
            "people": 0, "configured": card["ranking"]["home"]["configured"],
            "why": "as configured: fewer than 200 people clicked in its lists (0)",
        }  # fmt: skip
        node.generations.take_over()
        assert node.recommender.placements == placements_of({})


@pytest.mark.parametrize(
    ("purposes", "kept"), [(EVERYTHING, True), (EVERYTHING & ~Purpose.TRAINING, False), (Purpose.NONE, False)]
)
async def test_a_click_keeps_what_it_chose_among_only_with_consent_to_training(
    tmp_path: Path, purposes: Purpose, kept: bool
) -> None:
    async with shop(tmp_path, training=QUIET) as node:
        await crowd(node)
        await trained(node)
        node.generations.take_over()
        shelf = shown_to(node, "anna", purposes, item="S1")
        await click(node, "anna", shelf, 2)
        (found,) = [each for each in await logged(node) if each.name == "select_item"]
        assert (found.shown is not None) == kept
        if found.shown is not None:
            assert found.shown.clicked == 2
            assert {len(said) for said in found.shown.scores.values()} == {
                len(shelf.items) - len(shelf.made.ranking.fillers)
            }


async def test_who_withholds_training_when_they_click_leaves_nothing(tmp_path: Path) -> None:
    async with shop(tmp_path, training=QUIET) as node:
        await crowd(node)
        await trained(node)
        node.generations.take_over()
        shelf = shown_to(node, "anna", item="S1")
        await click(node, "anna", shelf, 1, consent="session", session="a visit of anna's own")
        assert all(each.shown is None for each in await logged(node) if each.name == "select_item")


async def test_the_export_tells_it_and_erasure_takes_it_before_the_next_training(tmp_path: Path) -> None:
    async with shop(tmp_path, training=QUIET, ranking=RANKING) as node:
        await crowd(node)
        await trained(node)
        node.generations.take_over()
        await followers_of(node, "affinity", 40)
        held = await find_held(node, [("user", "f7")])
        (table,) = [each for each in tables_of(held) if each.table == "events_*"]
        told = table.rows[-1]["body"]["list_clicked_in"]
        assert max(told["scores"]["affinity"]) == told["scores"]["affinity"][told["place_clicked"]] == 127
        dataset, _ = await asyncio.to_thread(
            read_dataset, node.config, node.folder, node.catalogue.sensitive, node.clock
        )
        assert len(dataset.clicks) == 40
        await node.erasures.erase([("user", "f7")])
        dataset, _ = await asyncio.to_thread(
            read_dataset, node.config, node.folder, node.catalogue.sensitive, node.clock
        )
        assert len(dataset.clicks) == 39
        assert (await trained(node))["ranking"]["home"]["people"] == 39


async def test_who_takes_consent_back_is_not_learned_from(tmp_path: Path) -> None:
    async with shop(tmp_path, training=QUIET, ranking=RANKING) as node:
        await crowd(node)
        await trained(node)
        node.generations.take_over()
        await followers_of(node, "affinity", 35)
        envelope = {"anon": None, "user": "f3", "session": "visit of f3", "consent": "denied"}
        await send(node, batch(event(node, "consent_update", "no"), **envelope), kind="server")
        assert (await trained(node))["ranking"]["home"]["people"] == 34


async def test_in_dp_it_is_one_paid_release_and_the_budget_shows_it(tmp_path: Path) -> None:
    loud = {
        "learned": "dp",
        "epsilon": 300.0,
        "first_share": 0.5,
        "shares": {"people": 0.1, "counts": 0.2, "pairs": 0.1, "vectors": 0.1, "ranking": 0.5},
    }
    async with shop(tmp_path, training=QUIET, ranking=RANKING, privacy=loud) as node:
        await crowd(node, 160)
        first = await trained(node)
        assert "ranking.clicks" not in first["privacy"]["releases"], "nobody can have clicked in a list yet"
        assert first["ranking"]["home"]["why"] == NOTHING_YET
        assert blends_told(first["ranking"])[0].people is None
        assert NOTHING_YET in readable(first)
        node.generations.take_over()
        node.clock.observe((BEGAN + DAY) * 1000)
        await followers_of(node, "popular", 60)
        card = await trained(node)
        assert "ranking.clicks" in card["privacy"]["releases"]
        assert abs(card["ranking"]["home"]["people"] - 60) < 30
        with read_budget(node.folder) as ledger:
            assert ledger is not None
            debits = [each for each in ledger.debits(1) if each.name == "ranking.clicks"]
            assert [debit.sensitivity for debit in debits] == [1.0]
        again = await trained(node)
        assert "ranking.clicks" not in again["privacy"]["releases"]
        assert again["ranking"]["home"]["people"] == card["ranking"]["home"]["people"], (
            "what was released is remembered"
        )


@pytest.mark.parametrize("learned", ["threshold", "off"])
async def test_in_threshold_and_off_nothing_of_it_is_learned(tmp_path: Path, learned: str) -> None:
    async with shop(tmp_path, training=QUIET, ranking=RANKING, privacy={"learned": learned}) as node:
        await crowd(node)
        await trained(node)
        node.generations.take_over()
        for number in range(40):
            await click(node, f"f{number}", shown_to(node, f"f{number}", item="S1"), 0)
        card = await trained(node)
        assert not card.get("ranking")


def test_the_marketers_weight_wins_at_once_and_a_changed_configuration_waits_for_the_next_training() -> None:
    plain = placements_of({})["trending"]
    configured = {name: weight for name, weight in plain.weights.items() if name != "rule_boosts"}
    learned = {"trending": {"configured": configured, "weights": {**configured, "taste": 0.7, "popular": 0.05}}}
    blends = Blends({}, lambda: learned)
    assert blends.now["trending"].weights == plain.weights | {"taste": 0.7, "popular": 0.05}
    assert blends.now is blends.now
    told = {"trending": placements_options({"taste": configured["taste"]})}
    assert Blends(told, lambda: learned).now["trending"].weights == plain.weights | {"popular": 0.05}
    other = {"trending": placements_options({"taste": 0.9})}
    assert Blends(other, lambda: learned).now["trending"].weights["popular"] == plain.weights["popular"]


def placements_options(weights: dict[str, float]) -> Any:  # noqa: ANN401
    from app.serving.options import PlacementOptions

    return PlacementOptions(weights=weights)


def ranking(*items: int, fillers: tuple[int, ...] = ()) -> Ranking:
    said = np.linspace(0.5, 0.1, len(items)).astype(np.float32)
    return Ranking(
        items=np.array(items, np.int32), fillers=np.array(fillers, np.int32),
        parts={"popular": said, "rule_boosts": said, "taste": np.zeros(len(items), np.float32)},
    )  # fmt: skip


def test_remembered_lists_are_few_and_forgotten_in_time_and_hold_no_rules() -> None:
    shown = ShownLists(RankingOptions(lists=2, minutes=1))
    for number in range(3):
        shown.add(f"{number:016x}", ranking(5, 6, 7), {"popular": 0.5, "rule_boosts": 1.0}, EVERYTHING, at=100.0)
    assert len(shown) == 2
    assert shown.clicked(f"{0:016x}", 5, 101.0) is None
    found = shown.clicked(f"{2:016x}", 6, 101.0)
    assert found is not None
    assert (found.clicked, dict(found.scores)) == (1, {"popular": bytes([127, 76, 25])})
    assert shown.clicked(f"{2:016x}", 9, 101.0) is None
    assert shown.clicked(f"{2:016x}", 6, 161.0) is None
    assert len(shown) == 0


def test_what_only_fills_a_list_up_teaches_nothing() -> None:
    shown = ShownLists(RankingOptions())
    shown.add("00" * 8, ranking(5, 6, 7, fillers=(7,)), {"popular": 1.0}, EVERYTHING, at=0.0)
    found = shown.clicked("00" * 8, 5, 0.0)
    assert found is not None
    assert len(found.scores["popular"]) == 2
    assert shown.clicked("00" * 8, 7, 0.0) is None


def test_a_sample_is_of_random_requests_and_off_is_off() -> None:
    shown = ShownLists(RankingOptions(sampled=0.25))
    for number in range(2000):
        shown.add(f"{number * 2_654_435_761 % 2**64:016x}"[::-1], ranking(1, 2), {"popular": 1.0}, EVERYTHING, at=0.0)
    assert 350 < len(shown) < 650
    for options in (RankingOptions(learned=False), RankingOptions(lists=0)):
        off = ShownLists(options)
        off.add("00" * 8, ranking(1, 2), {"popular": 1.0}, EVERYTHING, at=0.0)
        assert len(off) == 0
