"""Pinned or automatic, which did better: the same places of the same lists with and without pins, told in words."""

import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.experiments.options import ExperimentOptions
from app.experiments.pinned import _decision, _difference, _measured, compare, design_for, in_force
from app.routes import create_app
from app.rules.model import Consequence, Rule, Schedule, number_of
from app.rules.pinned_places import ITEMS_AT_MOST, places_of
from plugins.ruling import Pin, Pins
from store.experiments import Arm, Design
from store.parts import read_parts
from store.place_sums import PlaceSums
from tests.open_shop import batch, event, open_shop, outcomes, row, send
from tests.ruled_shop import rule, rules_of
from tests.signed_in import headers_of
from tests.small_shop import small_catalogue
from tests.test_experiments_routes import Desk, anons

pytestmark = pytest.mark.anyio
PIN = {
    "id": "top", "name": "Blue first", "when": {"placements": ["home"]},
    "then": {"do": "pin", "items": ["S5", "S8"], "position": 2},
}  # fmt: skip
ARMS = [{"key": "automatic", "weight": 50, "rules_off": True}, {"key": "pinned", "weight": 50}]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with open_shop(tmp_path, experiments={"people_before_reading": 50}) as node:
        transport = httpx.ASGITransport(create_app(node))
        async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
            found = Desk(node, client, await headers_of(node, "marketer"))
            assert (await found.ask("POST", "/v1/rules", PIN)).status_code == 201
            draft = await found.ask("GET", "/v1/rules")
            said = await found.ask("POST", "/v1/rules:publish", {}, **{"if-match": draft.headers["etag"]})
            assert said.status_code == 200, said.text
            yield found


async def test_both_arms_tell_in_the_token_what_stands_at_the_places_of_the_pin(desk: Desk) -> None:
    await desk.started(arms=ARMS)
    number = number_of(in_force(desk.node)[0])
    seen = {}
    for anon in anons(24):
        shelf = await desk.list_for(anon)
        token = desk.node.tokens.read(shelf["token"], desk.node.clock.now())
        assert token is not None
        ids = [item["id"] for item in shelf["items"]]
        assert token.places == ((number, tuple(desk.node.catalogue.number(each) for each in ids[1:3])),)
        seen[shelf["experiment"]["arm"]] = ids[1:3]
    assert seen["pinned"] == ["S5", "S8"]
    assert seen["automatic"] != ["S5", "S8"], "in the arm without rules nothing is pinned"


async def test_only_an_experiment_that_switches_rules_off_puts_places_into_tokens(desk: Desk) -> None:
    shelf = await desk.list_for(anons(1)[0])
    outside = desk.node.tokens.read(shelf["token"], desk.node.clock.now())
    await desk.started()  # static against personal
    inside = desk.node.tokens.read((await desk.list_for(anons(1)[0]))["token"], desk.node.clock.now())
    assert outside is not None
    assert inside is not None
    assert outside.places == inside.places == ()


async def test_rules_in_the_draft_are_previewed_for_somebody_in_an_arm_that_is_compared(desk: Desk) -> None:
    await desk.started(arms=ARMS)
    more = PIN | {"id": "second", "then": {"do": "pin", "items": ["S7"], "position": 5}}
    assert (await desk.ask("POST", "/v1/rules", more)).status_code == 201
    for placement, query in (("home", ""), ("search", "runner")):
        asked = {"visitor": {"name": "Arm", "arms": {"home": "pinned"}}, "placement": placement, "query": query}
        told = await desk.ask("POST", "/v1/rules:preview", asked)
        assert told.status_code == 200, told.text
        if placement == "home":
            assert [each["id"] for each in told.json()["after"]["items"]][4] == "S7"


async def visits(desk: Desk, anon: str, *names: str, place: int = 1, consent: str = "granted") -> str:
    """Somebody sees their list and does these things with the item at a place; their arm."""
    shelf = await desk.list_for(anon, consent=consent)
    items = [{"item_id": each["id"], "token": shelf["token"]} for each in shelf["items"]]
    at = shelf["items"][place]["id"]
    events = [event(desk.node, "view_item_list", secrets.token_hex(4), items=items)]
    events += [event(desk.node, name, secrets.token_hex(4), at, items=[items[place]]) for name in names]
    said = await send(desk.node, batch(*events, anon=anon, session=f"visit-{anon}", consent=consent))
    assert outcomes(said) == ["accepted"] * len(events)
    return str(shelf.get("experiment", {}).get("arm", ""))


async def test_what_is_seen_clicked_and_bought_at_the_places_counts_once_for_the_person(desk: Desk) -> None:
    await desk.started(arms=ARMS)
    (anon,) = anons(1)
    arm = await visits(desk, anon, "select_item", "purchase")
    await visits(desk, anon, "select_item", place=4)  # not a place of the pin
    experiment = desk.node.experiments.get("home")
    assert experiment is not None
    number = number_of(in_force(desk.node)[0])
    sums = desk.node.place_sums.read(experiment.number)
    assert sums == {number: {experiment.place(arm): PlaceSums(1, 2, 1, 1, 4, 1, 1, 2, 2)}}
    kept = row(desk.node, name=anon)
    assert kept is not None
    (part,) = read_parts(kept.experiments).values()
    assert part.places == {number: (2, 1, 1)}


async def test_without_consent_to_experiments_no_place_is_counted(desk: Desk) -> None:
    await desk.started(arms=ARMS)
    await visits(desk, anons(1)[0], "select_item", consent="session")
    experiment = desk.node.experiments.get("home")
    assert experiment is not None
    assert desk.node.place_sums.read(experiment.number) == {}


async def test_the_answer_says_in_words_which_did_better_and_nothing_before_enough_people_came(desk: Desk) -> None:
    async def told() -> dict[str, Any]:
        answer = await desk.ask("GET", "/v1/rules:pinned-or-automatic")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()["pins"][0]
        return found

    assert (await told())["decision"] == "Not known: start a “rules off” experiment to know."
    await desk.started(arms=ARMS)
    assert (await told())["standing"] == "too early"
    came = dict.fromkeys(("automatic", "pinned"), 0)
    people = iter(anons(400))
    while min(came.values()) < 9:
        came[await visits(desk, next(people), "select_item")] += 1
    few = await told()
    assert (few["standing"], few["pinned"], few["clicked"]) == ("too early", None, None), "fewer than ten on a side"
    while min(came.values()) < 60:
        anon = next(people)
        shelf = await desk.list_for(anon)
        arm = shelf["experiment"]["arm"]
        clicks = came[arm] % (2 if arm == "pinned" else 12) == 0
        came[await visits(desk, anon, *(["select_item"] if clicks else []))] += 1
    found = await told()
    assert found["standing"] == "told"
    assert found["pinned"]["people"] % 10 == 0
    assert found["pinned"]["clicked"] > found["automatic"]["clicked"]
    assert found["decision"].startswith(("Pinned", "Not enough seen yet")), found["decision"]
    one = (await desk.ask("GET", "/v1/experiments/home/pins")).json()
    assert one["pins"][0]["pinned"] == found["pinned"]
    assert (await desk.ask("GET", "/v1/experiments/nothing/pins")).status_code == 404


def side(people: int, rate: float, bought: float, seed: int) -> PlaceSums:
    """So many people, each with a few lists, who click and buy at these rates."""
    draw = np.random.default_rng(seed)
    shown = draw.integers(1, 5, people)
    clicked, buys = draw.binomial(shown, rate), draw.binomial(shown, bought)
    totals = (int(each.sum()) for each in (shown, clicked, buys, shown**2, clicked**2, buys**2))
    return PlaceSums(people, *totals, int((shown * clicked).sum()), int((shown * buys).sum()))  # type: ignore[call-arg]


def decided(pinned: PlaceSums, automatic: PlaceSums) -> str:
    options = ExperimentOptions()
    pairs = [(_measured(pinned, what), _measured(automatic, what)) for what in ("clicked", "bought")]
    found = [_difference(one, other, options) for one, other in pairs]
    return _decision(pairs[0], found[0], pairs[1], found[1], options)


def test_the_words_follow_the_numbers() -> None:
    better = decided(side(20_000, 0.031, 0.001, 1), side(20_000, 0.022, 0.001, 2))
    assert better.startswith("Pinned did better here: 3."), better
    assert "% against 2." in better
    assert decided(side(20_000, 0.022, 0.0, 3), side(20_000, 0.031, 0.0, 4)).startswith("Automatic did better here: 3.")
    assert decided(side(20_000, 0.03, 0.0, 5), side(20_000, 0.03, 0.0, 6)).startswith("No difference")
    assert decided(side(150, 0.03, 0.0, 7), side(150, 0.02, 0.0, 8)).startswith("Not enough seen yet")
    both = decided(side(20_000, 0.022, 0.02, 9), side(20_000, 0.031, 0.01, 10))
    assert both.startswith("Pinned did better here: 2.0 % against 1.0 % bought"), both
    assert ". Automatic did better here: 3." in both


def test_no_difference_is_claimed_where_there_is_none_however_often_it_is_looked_at() -> None:
    wrong = 0
    for seed in range(200):
        found = decided(side(3_000, 0.03, 0.0, 1000 + seed), side(3_000, 0.03, 0.0, 9000 + seed))
        wrong += found.startswith(("Pinned did", "Automatic did"))
    assert wrong <= 10, "5 % of looks at most, and far fewer than that"


def test_a_pin_is_another_one_when_it_pins_something_else_and_the_same_when_it_ends_later() -> None:
    before = Rule(id="a", name="A", then=Consequence(do="pin", items=["S1"]))
    later = Rule(
        id="a", name="Another name", priority=5, then=before.then,
        when=type(before.when)(schedule=Schedule(ends="2027-01-01")),
    )  # fmt: skip
    assert number_of(later) == number_of(before)
    moved = Rule(id="a", name="A", then=Consequence(do="pin", items=["S1"], position=2))
    assert number_of(moved) != number_of(before)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 40)), max_size=60), st.integers(0, 40))
def test_a_place_belongs_to_one_rule_and_tokens_stay_small(asked: list[tuple[int, int]], length: int) -> None:
    rules = rules_of(small_catalogue(), *(rule(f"r{n}", "pin", [f"SKU{n}"]) for n in range(4))).published.rules
    pins = Pins(Pin(place, slot, 1, None, True, True) for place, slot in asked)
    found = places_of(pins, rules, list(range(100, 100 + length)))
    at = [item for _, items in found for item in items]
    assert len(at) == len(set(at)) <= ITEMS_AT_MOST
    assert set(at) <= {100 + slot for _, slot in asked}


def test_which_arms_are_compared() -> None:
    def sides(*arms: Arm) -> tuple[int, int] | None:
        return Design(key="k", name="n", arms=list(arms)).sides

    same, off = Arm(key="a", weight=50), Arm(key="b", weight=50, rules_off=True)
    assert sides(same, off) == (0, 1)
    assert sides(off, same) == (1, 0)
    assert sides(same, Arm(key="c", weight=50, static=True)) is None
    assert sides(same, Arm(key="c", weight=50, rules_off=True, off=["taste"])) is None
    assert sides(Arm(key="c", weight=50, static=True), off) is None


async def test_the_prepared_experiment_compares_and_can_be_written_down_twice(desk: Desk) -> None:
    (pin,) = in_force(desk.node)
    first = design_for(pin, set())
    assert first.sides == (1, 0)
    assert design_for(pin, {first.key}).key == f"{first.key}-2"
    made = await desk.node.experiments.add(first, desk.node.clock.now())
    (found,) = await compare(desk.node, [pin])
    assert (found.standing, found.experiment) == ("not started", made.key)
