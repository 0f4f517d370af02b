"""Experiments over HTTP: writing them down, starting, what lists then look like, and what cannot be meant."""

import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.node import Node
from app.routes import create_app
from tests.open_shop import batch, event, open_shop, outcomes, send
from tests.signed_in import headers_of

pytestmark = pytest.mark.anyio
STATIC = {"key": "static", "weight": 50, "static": True}
PERSONAL = {"key": "personal", "weight": 50}
DESIGN: dict[str, Any] = {"key": "home", "name": "Does it help?", "placements": ["home"], "arms": [STATIC, PERSONAL]}


@dataclass
class Desk:
    """A marketer's, at an open node."""

    node: Node
    client: httpx.AsyncClient
    headers: dict[str, str]

    async def ask(self, method: str, path: str, body: object = None, **headers: str) -> httpx.Response:
        return await self.client.request(method, path, json=body, headers={**self.headers, **headers})

    async def started(self, **changes: object) -> dict[str, Any]:
        design = {**DESIGN, **changes}
        made = await self.ask("POST", "/v1/experiments", design)
        assert made.status_code == 201, made.text
        answer = await self.ask("POST", f"/v1/experiments/{design['key']}:start")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def list_for(self, anon: str, placement: str = "home", consent: str = "granted") -> dict[str, Any]:
        visitor = {"anon": anon, "session": f"visit-{anon}", "consent": consent}
        body = {"visitor": visitor, "requests": [{"placement": placement}]}
        answer = await self.client.post("/v1/recommendations", json=body)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()["results"][0]
        return found


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with open_shop(tmp_path) as node:
        transport = httpx.ASGITransport(create_app(node))
        async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
            yield Desk(node, client, await headers_of(node, "marketer"))


def anons(count: int) -> list[str]:
    return [secrets.token_hex(16) for _ in range(count)]


async def test_the_next_request_after_the_start_is_in_an_arm_and_its_token_says_so(desk: Desk) -> None:
    anon = anons(1)[0]
    assert "experiment" not in await desk.list_for(anon)
    await desk.started()
    told = await desk.list_for(anon)
    assert told["experiment"]["key"] == "home"
    assert told["experiment"]["arm"] in ("static", "personal")
    token = desk.node.tokens.read(told["token"], desk.node.clock.now())
    assert token is not None
    assert token.arm == f"home/{told['experiment']['arm']}"
    assert (await desk.list_for(anon))["experiment"] == told["experiment"]
    assert "experiment" not in await desk.list_for(anon, "trending"), "a list it does not concern"
    stopped = await desk.ask("POST", "/v1/experiments/home:stop")
    assert stopped.json()["state"] == "stopped"
    assert "experiment" not in await desk.list_for(anon)


async def test_no_consent_to_experiments_means_no_arm_and_the_list_of_everyone_else(desk: Desk) -> None:
    await desk.started()
    for consent in ("session", "anonymous", "denied", "pending"):
        assert "experiment" not in await desk.list_for(anons(1)[0], consent=consent)


async def test_the_static_arm_is_the_same_list_for_everyone_and_the_other_is_personal(desk: Desk) -> None:
    await desk.started()
    lists: dict[str, set[tuple[str, ...]]] = {"static": set(), "personal": set()}
    for place, anon in enumerate(anons(40)):
        seen = event(desk.node, "view_item", f"{anon}", f"S{place % 9}")
        assert outcomes(await send(desk.node, batch(seen, anon=anon))) == ["accepted"]
        told = await desk.list_for(anon)
        assert told["strategy"] == {"static": "popular", "personal": "personalized"}[told["experiment"]["arm"]]
        lists[told["experiment"]["arm"]].add(tuple(item["id"] for item in told["items"]))
    assert len(lists["static"]) == 1
    assert len(lists["personal"]) > 1


async def test_an_arm_lays_its_weights_over_the_placement_and_leaves_plugins_out(desk: Desk) -> None:
    arms = [PERSONAL, {"key": "b", "weight": 50, "weights": {"popular": 2.5}, "off": ["new_items", "diversity"]}]
    await desk.started(arms=arms)
    answer = await desk.client.get("/v1/recommendations?placement=home&experiment=home/b")
    assert answer.headers["cache-control"].startswith("public")
    told = answer.json()["results"][0]
    assert told["experiment"] == {"key": "home", "arm": "b"}
    why = (await desk.client.get(f"/v1/recommendations/{told['request_id']}/why")).json()
    assert why["weights"]["popular"] == 2.5
    assert "new_items" not in why["weights"]
    plain = await desk.client.get("/v1/recommendations?placement=home")
    assert "experiment" not in plain.json()["results"][0], "whoever names no arm gets what everyone gets"
    wrong = await desk.client.get("/v1/recommendations?placement=home&experiment=home/c")
    assert wrong.status_code == 404
    assert "home/personal, home/b" in wrong.json()["detail"]


async def test_searches_can_be_tried_out_too(desk: Desk) -> None:
    await desk.started(placements=["search"])
    found = set()
    for anon in anons(30):
        body = {"query": "shoe", "visitor": {"anon": anon, "consent": "granted"}}
        told = (await desk.client.post("/v1/search", json=body)).json()
        found.add(told["experiment"]["arm"])
        token = desk.node.tokens.read(told["token"], desk.node.clock.now())
        assert token is not None
        assert token.arm == f"home/{told['experiment']['arm']}"
    assert found == {"static", "personal"}


WRONG = [
    ({"arms": [{"key": "a", "weight": 60}, {"key": "b", "weight": 30}]}, "/arms", "add up to 90 (60 + 30)"),
    ({"arms": [{"key": "a", "weight": 50}, {"key": "a", "weight": 50}]}, "/arms/1/key", "two arms 'a'"),
    ({"placements": ["hoem"]}, "/placements/0", "did you mean 'home'"),
    ({"key": "holdout"}, "/key", "[experiments] holdout"),
    ({"arms": [{**STATIC, "weights": {"taste": 1}}, PERSONAL]}, "/arms/0/weights", "same for everyone"),
    ({"arms": [{**PERSONAL, "weights": {"tast": 1}}, STATIC]}, "/arms/0/weights", "did you mean 'taste'"),
    ({"arms": [{**PERSONAL, "arrange": ["taste"]}, STATIC]}, "/arms/0/arrange", "has no arrange hook"),
    ({"arms": [{**PERSONAL, "off": ["diversty"]}, STATIC]}, "/arms/0/off", "did you mean 'diversity'"),
    ({"arms": [{**PERSONAL, "sections": ["hero"]}, STATIC]}, "/arms/0/sections", "name it in `pages`"),
    ({"pages": ["start"]}, "/pages/0", "no page 'start'"),
    ({"arms": [PERSONAL]}, "/arms", "length >= 2"),
    ({"arms": [{**PERSONAL, "weight": 0}, STATIC]}, "/arms/0/weight", "> 0"),
    ({"metric": "love"}, "/metric", "Invalid enum value"),
    ({"metrics": "clicks"}, "/metrics", "did you mean 'metric'?"),
    ({"key": "Ho me"}, "/key", "matching regex"),
]


@pytest.mark.parametrize(("changes", "pointer", "sentence"), WRONG)
async def test_what_cannot_be_meant_is_told_with_its_place(
    desk: Desk, changes: dict[str, Any], pointer: str, sentence: str
) -> None:
    answer = await desk.ask("POST", "/v1/experiments", {**DESIGN, **changes})
    assert answer.status_code == 400
    (wrong,) = answer.json()["errors"]
    assert wrong["pointer"] == pointer
    assert sentence in wrong["detail"]
    assert desk.node.experiments.all() == []


async def test_two_experiments_on_one_placement_need_a_layer(desk: Desk) -> None:
    await desk.started()
    await desk.ask("POST", "/v1/experiments", {**DESIGN, "key": "again", "placements": ["home", "cart"]})
    answer = await desk.ask("POST", "/v1/experiments/again:start")
    assert answer.status_code == 409
    assert "'home' runs on placement 'home' too" in answer.json()["detail"]
    await desk.ask("POST", "/v1/experiments", {**DESIGN, "key": "everywhere", "placements": []})
    assert (await desk.ask("POST", "/v1/experiments/everywhere:start")).status_code == 409


async def test_a_layer_shares_its_visitors_out_until_none_are_left(desk: Desk) -> None:
    await desk.started(key="one", layer="front", traffic=60)
    await desk.started(key="two", layer="front", traffic=30)
    await desk.ask("POST", "/v1/experiments", {**DESIGN, "key": "three", "layer": "front", "traffic": 20})
    answer = await desk.ask("POST", "/v1/experiments/three:start")
    assert answer.status_code == 409
    assert "10 % of the visitors left" in answer.json()["detail"]
    told = [(await desk.list_for(anon)).get("experiment", {}).get("key") for anon in anons(300)]
    assert abs(told.count("one") / 300 - 0.6) < 0.15
    assert abs(told.count("two") / 300 - 0.3) < 0.15
    await desk.ask("POST", "/v1/experiments/one:stop")
    assert (await desk.ask("POST", "/v1/experiments/three:start")).status_code == 200, "what was freed is given anew"


async def test_what_people_have_seen_cannot_change_and_what_ended_does_not_begin_again(desk: Desk) -> None:
    version = (await desk.started())["version"]
    match = {"if-match": f'"{version}"'}
    fewer = [{**STATIC, "weight": 40}, {**PERSONAL, "weight": 60}]
    answer = await desk.ask("PUT", "/v1/experiments/home", {**DESIGN, "arms": fewer}, **match)
    assert answer.status_code == 409
    assert answer.json()["detail"].startswith("arms cannot change")
    words = await desk.ask("PUT", "/v1/experiments/home", {**DESIGN, "hypothesis": "It does."}, **match)
    assert words.status_code == 200
    assert (await desk.ask("POST", "/v1/experiments/home:start")).json()["detail"] == "it runs already"
    current = {"if-match": words.headers["etag"]}
    assert (await desk.ask("DELETE", "/v1/experiments/home", **current)).status_code == 409
    await desk.ask("POST", "/v1/experiments/home:stop")
    assert "make a new one" in (await desk.ask("POST", "/v1/experiments/home:start")).json()["detail"]
    assert "does not run" in (await desk.ask("POST", "/v1/experiments/home:stop")).json()["detail"]
    latest = (await desk.ask("GET", "/v1/experiments/home")).headers["etag"]
    assert (await desk.ask("DELETE", "/v1/experiments/home", **{"if-match": latest})).status_code == 204
    assert (await desk.ask("GET", "/v1/experiments/home")).status_code == 404


async def test_two_marketers_cannot_overwrite_each_other(desk: Desk) -> None:
    made = await desk.ask("POST", "/v1/experiments", DESIGN)
    assert (await desk.ask("POST", "/v1/experiments", DESIGN)).status_code == 409
    assert (await desk.ask("PUT", "/v1/experiments/home", DESIGN)).status_code == 428
    first = {"if-match": made.headers["etag"]}
    assert (await desk.ask("PUT", "/v1/experiments/home", {**DESIGN, "name": "Mine"}, **first)).status_code == 200
    lost = await desk.ask("PUT", "/v1/experiments/home", {**DESIGN, "name": "Yours"}, **first)
    assert lost.status_code == 412
    assert lost.headers["etag"] == '"2"'
    assert (await desk.ask("GET", "/v1/experiments/home")).json()["design"]["name"] == "Mine"
    assert (await desk.ask("POST", "/v1/experiments/home:start", **first)).status_code == 412


async def test_a_double_submit_makes_one_experiment(desk: Desk) -> None:
    once = {"idempotency-key": "twice"}
    answers = [await desk.ask("POST", "/v1/experiments", DESIGN, **once) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    assert len(desk.node.experiments.all()) == 1


async def test_who_did_it_is_in_the_book(desk: Desk) -> None:
    await desk.started()
    await desk.ask("POST", "/v1/experiments/home:stop")
    book = [(entry.actor, entry.action, entry.target) for entry in desk.node.staff.audit.page(None, 10)]
    assert book == [
        ("marketer-of-the-shop", action, "home")
        for action in ("experiment stopped", "experiment started", "experiment created")
    ]


async def test_what_runs_goes_on_after_a_restart(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as node:
        client = httpx.AsyncClient(transport=httpx.ASGITransport(create_app(node)), base_url="http://shop")
        desk = Desk(node, client, await headers_of(node, "marketer"))
        await desk.started()
        people = anons(20)
        before = [(await desk.list_for(anon))["experiment"] for anon in people]
    async with open_shop(tmp_path) as node:
        client = httpx.AsyncClient(transport=httpx.ASGITransport(create_app(node)), base_url="http://shop")
        desk = Desk(node, client, {})
        assert [(await desk.list_for(anon))["experiment"] for anon in people] == before


async def test_a_running_experiment_survives_that_its_placement_or_plugin_is_taken_away(tmp_path: Path) -> None:
    shelf = {"title": "Mine"}
    arms = [PERSONAL, {"key": "b", "weight": 50, "retrieve": ["trending"], "weights": {"trending": 2.0}}]
    async with open_shop(tmp_path, placements={"mine": shelf}) as node:
        client = httpx.AsyncClient(transport=httpx.ASGITransport(create_app(node)), base_url="http://shop")
        desk = Desk(node, client, await headers_of(node, "marketer"))
        await desk.started(placements=["mine", "home"], arms=arms)
    plugins = {"standard": False, "popular": {}, "in_stock": {}, "region": {}, "process_pool": {}}
    async with open_shop(tmp_path, plugins=plugins) as node:
        client = httpx.AsyncClient(transport=httpx.ASGITransport(create_app(node)), base_url="http://shop")
        desk = Desk(node, client, await headers_of(node, "marketer"))
        for anon in anons(10):
            assert (await desk.list_for(anon))["experiment"]["key"] == "home"
        assert (await desk.ask("GET", "/v1/experiments/home/results")).status_code == 200
        assert (await desk.ask("POST", "/v1/experiments/home:stop")).status_code == 200
        await desk.ask("POST", "/v1/experiments", {**DESIGN, "key": "next"})
        wrong = await desk.ask("POST", "/v1/experiments", {**DESIGN, "key": "late", "placements": ["mine"]})
        assert "no placement 'mine'" in wrong.json()["detail"]


async def test_the_holdout_gets_static_lists_everywhere(tmp_path: Path) -> None:
    async with open_shop(tmp_path, experiments={"holdout": 50.0}) as node:
        client = httpx.AsyncClient(transport=httpx.ASGITransport(create_app(node)), base_url="http://shop")
        desk = Desk(node, client, await headers_of(node, "marketer"))
        await desk.started()
        arms = []
        for anon in anons(40):
            home, trending = await desk.list_for(anon), await desk.list_for(anon, "trending")
            arms.append(home["experiment"])
            if home["experiment"] == {"key": "holdout", "arm": "holdout"}:
                assert trending["experiment"] == home["experiment"]
                assert home["strategy"] == trending["strategy"] == "popular"
            else:
                assert home["experiment"]["key"] == "home"
                assert trending["experiment"] == {"key": "holdout", "arm": "everyone"}
        assert {each["key"] for each in arms} == {"holdout", "home"}


async def test_a_static_arm_shows_nothing_where_a_list_is_of_what_one_has_viewed(desk: Desk) -> None:
    await desk.started(placements=["recently-viewed"])
    for anon in anons(20):
        await send(desk.node, batch(event(desk.node, "view_item", anon, "S3"), anon=anon))
        told = await desk.list_for(anon, "recently-viewed")
        shown = [item["id"] for item in told["items"]]
        assert shown == {"static": [], "personal": ["S3"]}[told["experiment"]["arm"]]
