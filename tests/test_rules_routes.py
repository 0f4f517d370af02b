"""Marketers over HTTP: draft, preview, publish, roll back; and everything one can get wrong on the way."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from app.node import Node
from app.routes import create_app
from store.records import Item
from tests.open_shop import ANON, ITEMS, SESSION, batch, event, open_shop, outcomes, send
from tests.signed_in import headers_of

pytestmark = pytest.mark.anyio
RAIN = {
    "name": "Blue shoes in the UK",
    "when": {"placements": ["home"], "regions": ["UK"]},
    "then": {"do": "boost", "match": 'category == "shoes/blue"', "strength": 1.0},
}


@dataclass(frozen=True)
class Desk:
    """A marketer at work, and shoppers beside."""

    node: Node
    client: httpx.AsyncClient
    headers: dict[str, str]

    async def ask(self, method: str, path: str, body: object = None, **headers: str) -> httpx.Response:
        content = body if isinstance(body, (bytes, str)) else json.dumps(body).encode()
        told = {"content-type": "application/json"} if body is not None else {}
        sent = {**told, **self.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return await self.client.request(
            method, f"https://personalize.example{path}", content=None if body is None else content, headers=sent
        )

    async def add(self, body: object) -> dict[str, Any]:
        answer = await self.ask("POST", "/v1/rules", body)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def draft(self) -> dict[str, Any]:
        found: dict[str, Any] = (await self.ask("GET", "/v1/rules")).json()
        return found

    async def publish(self) -> dict[str, Any]:
        answer = await self.ask("POST", "/v1/rules:publish", {}, if_match=(await self.draft())["etag"])
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def home(self, region: str = "UK", **more: object) -> dict[str, Any]:
        body = {"requests": [{"placement": "home", "limit": 4, **more}], "context": {"region": region}}
        answer = await self.client.post("https://personalize.example/v1/recommendations", json=body)
        found: dict[str, Any] = answer.json()
        return found

    async def ids(self, region: str = "UK") -> list[str]:
        return [item["id"] for item in (await self.home(region))["results"][0]["items"]]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with open_shop(tmp_path) as node:
        transport = httpx.ASGITransport(create_app(node))
        async with httpx.AsyncClient(transport=transport) as client:
            yield Desk(node, client, await headers_of(node, "marketer"))


BLUE = {"S2", "S5", "S8", "S11"}


async def test_a_published_rule_is_obeyed_by_the_very_next_request_and_a_rolled_back_one_is_not(desk: Desk) -> None:
    before = await desk.ids()
    assert set(before) != BLUE
    made = await desk.add(RAIN)
    assert (made["rule"]["id"], made["status"], made["published"]) == ("blue-shoes-in-the-uk", "active", "not yet")
    assert await desk.ids() == before  # a draft changes nothing
    assert (await desk.publish())["version"] == "r1"
    answer = await desk.home()
    assert {item["id"] for item in answer["results"][0]["items"]} == BLUE
    assert answer["served_by"]["rules"] == "r1"
    told = desk.node.tokens.read(answer["results"][0]["token"], desk.node.clock.now())
    assert told is not None
    assert told.rules == "r1"
    assert await desk.ids("FR") == before

    removed = await desk.ask("DELETE", "/v1/rules/blue-shoes-in-the-uk", if_match=made["etag"])
    assert removed.status_code == 204
    assert (await desk.publish())["version"] == "r2"
    assert await desk.ids() == before
    back = await desk.ask("POST", "/v1/rules:rollback", {"to": "r1"}, if_match=(await desk.draft())["etag"])
    assert back.json()["version"] == "r3"
    assert set(await desk.ids()) == BLUE
    versions = (await desk.ask("GET", "/v1/rules/versions")).json()["versions"]
    assert [(each["version"], each["copy_of"], each["rules"]) for each in versions] == [
        ("r3", "r1", 1), ("r2", "", 0), ("r1", "", 1),
    ]  # fmt: skip
    book = [(line.action, line.target) for line in desk.node.staff.audit.page(None, 10)][::-1]
    assert book == [
        ("rule added", "blue-shoes-in-the-uk"), ("rules published", "r1"), ("rule removed", "blue-shoes-in-the-uk"),
        ("rules published", "r2"), ("rules rolled back to r1", "r3"),
    ]  # fmt: skip


async def test_rules_outlive_a_restart(tmp_path: Path) -> None:
    async with (
        open_shop(tmp_path) as node,
        httpx.AsyncClient(transport=httpx.ASGITransport(create_app(node))) as client,
    ):
        desk = Desk(node, client, await headers_of(node, "marketer"))
        await desk.add(RAIN)
        await desk.publish()
    async with (
        open_shop(tmp_path) as node,
        httpx.AsyncClient(transport=httpx.ASGITransport(create_app(node))) as client,
    ):
        assert set(await Desk(node, client, {}).ids()) == BLUE


async def test_rules_that_cannot_be_read_at_the_start_show_nothing_and_readyz_says_why(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as node:
        await node.rule_book.store.publish(b"[{broken", revision=0, author="disk", now=0, note="")
    async with (
        open_shop(tmp_path) as node,
        httpx.AsyncClient(transport=httpx.ASGITransport(create_app(node))) as client,
    ):
        desk = Desk(node, client, await headers_of(node, "marketer"))
        answer = (await desk.home())["results"][0]
        assert (answer["items"], answer["strategy"]) == ([], "fallback")
        ready = await client.get("https://personalize.example/readyz")
        assert ready.status_code == 503
        assert "the rules of r1 cannot be read" in ready.json()["problems"][0]
        found = await client.post("https://personalize.example/v1/search", json={"query": "shoe"})
        assert (found.status_code, found.json()["items"]) == (200, [])
        assert (await desk.ask("GET", "/v1/rules")).status_code == 409  # the draft is the same broken text
        assert (await desk.ask("POST", "/v1/rules:discard", if_match='"d1"')).status_code == 409
        empty = await desk.ask("POST", "/v1/rules:import", "", if_match='"d1"', content_type="application/toml")
        assert empty.status_code == 200
        await desk.publish()
        assert await desk.ids()
        assert (await client.get("https://personalize.example/readyz")).status_code == 200


async def test_what_another_process_publishes_is_followed(desk: Desk) -> None:
    body = desk.node.rule_book.store
    await desk.add(RAIN)
    draft = await body.draft()
    await body.publish(draft.body, revision=draft.revision, author="shell", now=0, note="")
    await desk.node.rule_book.follow()
    assert set(await desk.ids()) == BLUE


async def test_two_marketers_cannot_overwrite_each_other(desk: Desk) -> None:
    made = await desk.add(RAIN)
    path, etag = f"/v1/rules/{made['rule']['id']}", made["etag"]
    assert (await desk.ask("PUT", path, {**RAIN, "priority": 1})).status_code == 428
    first = await desk.ask("PUT", path, {**RAIN, "priority": 1}, if_match=etag)
    assert first.json()["rule"]["priority"] == 1
    second = await desk.ask("PUT", path, {**RAIN, "priority": 2}, if_match=etag)
    assert second.status_code == 412
    assert second.headers["etag"] == first.headers["etag"]
    assert (await desk.ask("DELETE", path, if_match=etag)).status_code == 412
    # Another rule is no matter between them.
    other = await desk.add({**RAIN, "name": "Other"})
    assert (await desk.ask("PUT", path, RAIN, if_match=first.headers["etag"])).status_code == 200
    # What is published is what was looked at.
    read = (await desk.draft())["etag"]
    await desk.ask("DELETE", f"/v1/rules/{other['rule']['id']}", if_match=other["etag"])
    assert (await desk.ask("POST", "/v1/rules:publish", {}, if_match=read)).status_code == 412
    assert (await desk.ask("POST", "/v1/rules:publish", {})).status_code == 428
    assert (await desk.ask("POST", "/v1/rules:publish", {}, if_match="nonsense")).status_code == 412


async def test_many_at_once_all_get_their_rule(desk: Desk) -> None:
    await asyncio.gather(*(desk.add({**RAIN, "name": f"Rule {n}"}) for n in range(10)))
    assert len((await desk.draft())["rules"]) == 10


async def test_a_double_submit_makes_one_rule(desk: Desk) -> None:
    answers = await asyncio.gather(*(desk.ask("POST", "/v1/rules", RAIN, idempotency_key="click-1") for _ in range(3)))
    assert [answer.status_code for answer in answers] == [201] * 3
    assert len({answer.text for answer in answers}) == 1
    assert len((await desk.draft())["rules"]) == 1
    again = await desk.ask("POST", "/v1/rules", {**RAIN, "priority": 3}, idempotency_key="click-1")
    assert again.status_code == 422
    etag = (await desk.draft())["etag"]
    twice = [await desk.ask("POST", "/v1/rules:publish", {}, if_match=etag, idempotency_key="go") for _ in range(2)]
    assert [answer.json()["version"] for answer in twice] == ["r1", "r1"]


# ---- what one can get wrong


@pytest.mark.parametrize(
    ("then", "when", "pointer", "says"),
    [
        ({"do": "filter", "match": "prise < 5"}, {}, "/then/match", "did you mean 'price'?"),
        ({"do": "filter", "match": "price < "}, {}, "/then/match", "character 9 (the end): expected a value"),
        ({"do": "filter", "match": 'brand == "' + "x" * 100_000 + '"'}, {}, "/then/match", "at most 2000 characters"),
        ({"do": "boost", "match": "price < 5 and"}, {"page": "(("}, "/when/page", "character 3"),
        ({"do": "pin", "items": [f"S{n}" for n in range(10_000)]}, {}, "/then/items", "names 10000 items"),
        ({"do": "pin", "items": ["S1", "S1"]}, {}, "/then/items", "'S1' is pinned twice"),
        ({"do": "pin", "items": ["S1", "S2"], "position": 200}, {}, "/then/position", "up to position 201"),
        ({"do": "pin"}, {}, "/then/match", "say which items"),
        ({"do": "pin", "items": ["S1"], "match": "price < 5"}, {}, "/then/match", "say which items"),
        ({"do": "boost", "match": "price < 5", "strength": 3}, {}, "/then/strength", "<= 1.0"),
        ({"do": "raise", "match": "price < 5"}, {}, "/then/do", "raise"),
        ({"do": "boost", "match": "price < 5"}, {"placements": ["hoem"]}, "/when/placements/0", "did you mean 'home'?"),
        ({"do": "boost", "match": "price < 5"}, {"schedule": {"starts": "2026-02-30"}}, "/when/schedule", "day"),
        ({"do": "boost", "match": "price < 5"}, {"schedule": {"starts": "soon"}}, "/when/schedule/starts", ""),
        ({"do": "boost", "match": "price < 5"}, {"schedule": {"hours": "25:00-26:00"}}, "/when/schedule", "25:00"),
        ({"do": "boost", "match": "price < 5"}, {"schedule": {"starts": "2026-12-01", "ends": "2026-11-01"}},
         "/when/schedule/ends", "it ends before it begins"),
        ({"do": "boost", "match": "price < 5"}, {"queries": ["!!"]}, "/when/queries/0", "no word"),
        ({"do": "boost", "match": "price < 5"}, {"queries": ["shoe"], "placements": ["home"]}, "/when/queries",
         "search"),
        ({"do": "boost", "match": "price < 5"}, {"wether": "rain"}, "/when/wether", "wether"),
    ],
)  # fmt: skip
async def test_a_mistake_is_told_with_its_place(
    desk: Desk, then: dict[str, Any], when: dict[str, Any], pointer: str, says: str
) -> None:
    answer = await desk.ask("POST", "/v1/rules", {"name": "A rule", "when": when, "then": then})
    assert answer.status_code == 400, answer.text
    errors = {error["pointer"]: error["detail"] for error in answer.json()["errors"]}
    assert pointer in errors
    assert says in errors[pointer]
    assert len(answer.content) < 3_000
    assert (await desk.draft())["rules"] == []


async def test_a_typo_is_pointed_at_by_its_character(desk: Desk) -> None:
    told = {"name": "Typo", "then": {"do": "filter", "match": 'brand == "Alder" and prise < 5'}}
    (error,) = (await desk.ask("POST", "/v1/rules", told)).json()["errors"]
    assert error["at"] == 21


async def test_a_body_beyond_the_bound_is_not_read(desk: Desk) -> None:
    assert (await desk.ask("POST", "/v1/rules", b" " * 1_048_577)).status_code == 413
    assert (await desk.ask("POST", "/v1/rules", RAIN, content_type="text/plain")).status_code == 415


async def test_markup_in_a_name_stays_text(desk: Desk) -> None:
    name = '<img src=x onerror="alert(1)">'
    made = await desk.add({**RAIN, "name": name})
    assert (made["rule"]["name"], made["rule"]["id"]) == (name, "img-src-x-onerror-alert-1")
    answer = await desk.ask("GET", f"/v1/rules/{made['rule']['id']}")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    for bad in ("line\nbreak", "  ", "zero\u0000"):
        assert (await desk.ask("POST", "/v1/rules", {**RAIN, "name": bad})).status_code == 400


# ---- the draft as a whole


async def state_of(desk: Desk, rule: dict[str, Any]) -> tuple[str, str]:
    made = await desk.add(rule)
    return made["status"], " ".join([made["because"], *made["warnings"]])


async def test_every_rule_has_its_state(desk: Desk) -> None:
    boost = {"do": "boost", "match": 'brand == "Alder"'}
    await desk.ids("FR")
    ended = {"schedule": {"ends": "2020-01-31"}}
    assert await state_of(desk, {"name": "Plain", "then": boost}) == ("active", "")
    assert await state_of(desk, {"name": "Over", "when": ended, "then": boost}) == ("expired", "it ended 2020-01-31")
    later = {"schedule": {"starts": "2099-01-01"}}
    assert (await state_of(desk, {"name": "Later", "when": later, "then": boost}))[0] == "scheduled"
    assert (await state_of(desk, {"name": "Off", "enabled": False, "then": boost}))[0] == "disabled"
    status, because = await state_of(desk, {"name": "Sold", "then": {"do": "pin", "items": ["none"]}})
    assert (status, "does not know 'none'" in because) == ("matches nothing", True)
    status, because = await state_of(desk, {"name": "Nowhere", "when": {"regions": ["ZZ"]}, "then": boost})
    assert (status, "no request since the start came from region 'ZZ'" in because) == ("active", True)
    status, because = await state_of(desk, {"name": "Trial", "when": {"arms": {"hero": "b"}}, "then": boost})
    assert (status, "there is no experiment 'hero'" in because) == ("active", True)
    await desk.add({"name": "Only red", "then": {"do": "filter", "match": 'category == "shoes/red"'}})
    rules = {told["rule"]["id"]: told for told in (await desk.draft())["rules"]}
    assert rules["plain"]["status"] == "active"
    assert (await state_of(desk, {"name": "Blue", "then": {"do": "pin", "items": ["S2"]}}))[0] == "shadowed"


async def test_rules_that_contradict_each_other_are_shown_and_none_is_cancelled(desk: Desk) -> None:
    rules = [
        {"name": "Pin one", "then": {"do": "pin", "items": ["S1"], "position": 2}},
        {"name": "Pin two", "then": {"do": "pin", "items": ["S3", "S4"], "position": 1}},
        {"name": "Elsewhere", "when": {"regions": ["FR"]}, "then": {"do": "boost", "match": "price < 15"}},
        {"name": "Down", "when": {"regions": ["UK"]}, "then": {"do": "bury", "match": "price < 15"}},
        {"name": "Down too", "then": {"do": "bury", "match": "price < 12"}},
        {"name": "Only red", "then": {"do": "filter", "match": 'category == "shoes/red"'}},
        {"name": "Only blue", "when": {"regions": ["UK"]},
         "then": {"do": "filter", "match": 'category == "shoes/blue"'}},
    ]  # fmt: skip
    for each in rules:
        await desk.add(each)
    draft = await desk.draft()
    found = {(conflict["kind"], *conflict["rules"]) for conflict in draft["conflicts"]}
    assert found == {
        ("same slot", "pin-one", "pin-two"), ("boost and bury", "elsewhere", "down-too"),
        ("filters leave nothing", "only-blue", "only-red"), ("filter hides pin", "only-red", "pin-one"),
        ("filter hides pin", "only-red", "pin-two"), ("filter hides pin", "only-blue", "pin-one"),
        ("filter hides pin", "only-blue", "pin-two"),
    }  # fmt: skip
    starving = {each["rule"]: each["left"] for each in draft["starving"]}
    assert starving == {"only-blue": 0, "only-red": 4}
    published = await desk.publish()
    assert len(published["conflicts"]) == len(draft["conflicts"])
    assert await desk.ids() == []


async def test_a_draft_can_be_thrown_away_and_taken_from_a_file(desk: Desk) -> None:
    await desk.add(RAIN)
    await desk.publish()
    await desk.add({**RAIN, "name": "Second"})
    draft = await desk.draft()
    assert draft["changed"]
    text = (await desk.ask("GET", "/v1/rules:export")).text
    assert text.count("[[rules]]") == 2
    etag = (await desk.ask("POST", "/v1/rules:discard", if_match=draft["etag"])).headers["etag"]
    assert not (await desk.draft())["changed"]
    told = {"content_type": "application/toml"}
    back = await desk.ask("POST", "/v1/rules:import", text, if_match=etag, **told)
    assert back.json()["rules"] == 2
    assert (await desk.draft())["rules"] == draft["rules"]
    wrong = text.replace("shoes/blue", 'shoes" and (').replace("boost", "bost", 1)
    answer = await desk.ask("POST", "/v1/rules:import", wrong, if_match=back.headers["etag"], **told)
    assert answer.status_code == 400
    assert (await desk.ask("POST", "/v1/rules:import", "rules = 3", if_match="*", **told)).status_code == 412


async def test_what_changed_between_versions_is_told_field_by_field(desk: Desk) -> None:
    made = await desk.add(RAIN)
    await desk.publish()
    path = f"/v1/rules/{made['rule']['id']}"
    await desk.ask("PUT", path, {**RAIN, "when": {"regions": ["UK", "IE"]}}, if_match=made["etag"])
    await desk.add({**RAIN, "name": "Second"})
    against_published = (await desk.ask("GET", "/v1/rules/versions/draft/diff")).json()
    await desk.publish()
    told = (await desk.ask("GET", "/v1/rules/versions/r2/diff")).json()
    assert told["changed"] == against_published["changed"]
    assert [rule["id"] for rule in told["added"]] == ["second"]
    assert {change["pointer"] for change in told["changed"][0]["changes"]} == {"/when/placements", "/when/regions"}
    assert (await desk.ask("GET", "/v1/rules/versions/r9/diff")).status_code == 404
    assert (await desk.ask("GET", "/v1/rules/versions/nine")).status_code == 404
    assert (await desk.ask("GET", "/v1/rules/versions/r1")).json()["rules"][0]["name"] == RAIN["name"]


async def test_rolling_back_keeps_a_draft_that_was_not_published(desk: Desk) -> None:
    await desk.add(RAIN)
    await desk.publish()
    await desk.add({**RAIN, "name": "Half written"})
    etag = (await desk.draft())["etag"]
    back = (await desk.ask("POST", "/v1/rules:rollback", {"to": "r1"}, if_match=etag)).json()
    assert (back["version"], back["draft_kept"]) == ("r2", True)
    assert len((await desk.draft())["rules"]) == 2


# ---- looking


async def test_a_preview_shows_before_and_after_for_a_persona_and_leaves_no_trace(desk: Desk) -> None:
    saved = await desk.ask(
        "PUT", "/v1/personas/red-lover", {"name": "Loves red", "viewed": ["S0", "S3"], "region": "UK"}
    )
    assert saved.status_code == 200, saved.text
    await desk.add(RAIN)
    await desk.add({"name": "Pin", "then": {"do": "pin", "items": ["S7"], "position": 1}})
    asked = {"persona": "red-lover", "placement": "home", "limit": 4}
    told = (await desk.ask("POST", "/v1/rules:preview", asked)).json()
    assert told["before"]["rules"] == ""
    assert told["after"]["items"][0]["id"] == "S7"
    assert told["after"]["items"][0]["rules"] == ["pin"]
    assert {item["id"] for item in told["after"]["items"][1:]} <= BLUE
    places = {item["id"]: item for item in told["before"]["items"]}
    for item in told["after"]["items"]:
        both = item["id"] in places
        assert item["moved_by"] == (places[item["id"]]["index"] - item["index"] if both else None)
    assert set(told["gone"]) == set(places) - {item["id"] for item in told["after"]["items"]}
    assert len(desk.node.recommender.explanations) == 0
    assert (await desk.ask("GET", "/v1/personas")).json()["personas"][0]["name"] == "Loves red"
    assert (await desk.ask("POST", "/v1/rules:preview", {"persona": "nobody"})).status_code == 404
    assert (await desk.ask("POST", "/v1/rules:preview", {"placement": "nowhere"})).status_code == 404
    assert (await desk.ask("PUT", "/v1/personas/bad", {"name": "Bad", "viewed": ["none"]})).status_code == 400
    assert (await desk.ask("PUT", "/v1/personas/No Id", {"name": "Bad"})).status_code == 400
    assert (await desk.ask("DELETE", "/v1/personas/red-lover")).status_code == 204


async def test_a_preview_of_a_filter_that_starves_warns_and_of_a_search_works(desk: Desk) -> None:
    await desk.add({"name": "Few", "then": {"do": "filter", "match": 'id in ["S1", "S2"]'}})
    told = (await desk.ask("POST", "/v1/rules:preview", {})).json()
    assert told["warnings"] == ["filters leave 2 of 10 items: 'few'"]
    assert told["after"]["fired"][0]["hides"] == 10
    found = (await desk.ask("POST", "/v1/rules:preview", {"placement": "search", "query": "blue"})).json()
    assert [item["id"] for item in found["after"]["items"]] == ["S2"]


async def test_a_preview_can_look_ahead(desk: Desk) -> None:
    when = {"schedule": {"starts": "2099-01-01", "ends": "2099-01-31"}}
    await desk.add({"name": "Later", "when": when, "then": {"do": "pin", "items": ["S9"]}})
    now = (await desk.ask("POST", "/v1/rules:preview", {})).json()
    then = (await desk.ask("POST", "/v1/rules:preview", {"at": "2099-01-31T23:59"})).json()
    after = (await desk.ask("POST", "/v1/rules:preview", {"at": "2099-02-01"})).json()
    assert [told["after"]["items"][0]["id"] == "S9" for told in (now, then, after)] == [False, True, False]


# ---- searches, why, impact


async def test_rules_hold_in_searches(desk: Desk) -> None:
    async def search(query: str) -> list[str]:
        answer = await desk.client.post("https://personalize.example/v1/search", json={"query": query})
        assert answer.json()["served_by"]["rules"] in ("", "r1")
        return [item["id"] for item in answer.json()["items"]]

    plain = await search("blue shoe")
    await desk.add(
        {"name": "Pin", "when": {"queries": ["blue"]}, "then": {"do": "pin", "items": ["S0"], "position": 2}}
    )
    await desk.add({"name": "Up", "when": {"placements": ["search"]}, "then": {"do": "boost", "items": ["S11"]}})
    await desk.add({"name": "Not", "then": {"do": "filter", "match": 'id != "S8"'}})
    await desk.publish()
    found = await search("blue shoe")
    assert found[:2] == ["S11", "S0"]
    assert "S8" not in found
    assert plain[:4] == ["S2", "S5", "S8", "S11"]
    assert (await search("green shoe"))[1] != "S0"


async def test_why_tells_shoppers_a_sentence_and_staff_every_rule(desk: Desk) -> None:
    await desk.add(RAIN)
    await desk.add({"name": "Secret plan", "then": {"do": "pin", "items": ["S7", "none"], "position": 1}})
    await desk.add({"name": "Not", "then": {"do": "filter", "match": 'id != "S8"'}})
    await desk.publish()
    shelf = (await desk.home())["results"][0]
    path = f"https://personalize.example/v1/recommendations/{shelf['request_id']}/why"
    outside = await desk.client.get(path)
    assert "Secret" not in outside.text
    assert "secret" not in outside.text
    assert outside.json()["sentence"] == "What many people buy. The shop has picked some of it itself."
    assert (outside.json()["rules"], "inside" in outside.json()) == ("r1", False)
    inside = (await desk.client.get(path, headers=desk.headers)).json()
    fired = {each["id"]: each for each in inside["inside"]["fired"]}
    assert fired["not"]["hides"] == 1
    assert fired["secret-plan"]["items"] == ["S7"]
    assert set(fired["blue-shoes-in-the-uk"]["items"]) <= BLUE
    assert [(pin["item"], pin.get("placed", 0)) for pin in inside["inside"]["pins"]] == [("S7", 1), ("none", 0)]
    assert inside["items"][0]["rules"] == ["secret-plan"]
    found = (await desk.client.post("https://personalize.example/v1/search", json={"query": "shoe"})).json()
    told = (await desk.client.get(path.replace(shelf["request_id"], found["request_id"]), headers=desk.headers)).json()
    assert told["inside"]["fired"]
    assert told["sentence"].startswith("Products that match your search")
    assert "shoe" not in json.dumps(told["sentence"]).replace("shoes", "")


async def test_impact_counts_lists_and_items_and_nobody(desk: Desk) -> None:
    await desk.add(RAIN)
    await desk.publish()
    for _ in range(3):
        await desk.ids()
    await desk.ids("FR")
    (told,) = (await desk.draft())["rules"]
    assert told["impact"] == {"lists": 3, "items": 12, "clicks": 0}
    await desk.node.impact.write()
    assert (await desk.draft())["rules"][0]["impact"] == told["impact"]
    await desk.ids()
    assert (await desk.draft())["rules"][0]["impact"]["lists"] == 4


async def test_clicks_are_credited_to_the_rules_that_moved_what_was_clicked(desk: Desk) -> None:
    await desk.add(RAIN)
    await desk.add({"name": "Far", "when": {"regions": ["FR"]}, "then": {"do": "boost", "match": "price > 0"}})
    await desk.publish()
    for number in range(12):
        shelf = (await desk.home())["results"][0]
        clicked = {"item_id": shelf["items"][0]["id"], "index": 0, "item_list_id": "home", "token": shelf["token"]}
        body = batch(event(desk.node, "select_item", f"e{number}", items=[clicked]))
        assert outcomes(await send(desk.node, body)) == ["accepted"]
    impact = {told["rule"]["id"]: told["impact"] for told in (await desk.draft())["rules"]}
    assert impact["blue-shoes-in-the-uk"]["clicks"] == 10  # twelve, told in tens
    assert impact["far"] == {"lists": 0, "items": 0, "clicks": 0}
    assert desk.node.impact._clicks["blue-shoes-in-the-uk"] == 12


async def test_why_tells_consent_what_moved_and_what_was_tried_out(desk: Desk) -> None:
    await desk.add({"name": "Pin", "then": {"do": "pin", "items": ["S7"], "position": 3}})
    await desk.publish()
    visitor = {"anon": ANON, "session": SESSION, "consent": "granted"}
    seen = batch(event(desk.node, "view_item", "v1", "S0"), event(desk.node, "view_item", "v2", "S3"))
    assert outcomes(await send(desk.node, seen)) == ["accepted", "accepted"]
    body = {"visitor": visitor, "requests": [{"placement": "home", "limit": 4}], "explain": True}
    shelf = (await desk.client.post("https://personalize.example/v1/recommendations", json=body)).json()["results"][0]
    told = shelf["explanation"]
    assert shelf["strategy"] == "personalized"
    assert {"session", "profile"} <= set(told["consent"])
    assert "as far as you agreed to that. The shop has picked" in told["sentence"]
    assert "inside" not in told  # a browser asked
    moves = {step["plugin"]: step["moved"] for step in told["arranged"]}
    assert moves["rule_pins"]["S7"][1] == 2
    assert ANON not in json.dumps(told)
    server_key = await desk.node.keys.create_api_key("server", now=0)
    asked = await desk.client.post(
        "https://personalize.example/v1/recommendations", json=body, headers={"authorization": f"Bearer {server_key}"}
    )
    assert asked.json()["results"][0]["explanation"]["inside"]["pins"][0]["placed"] == 3


async def test_a_pin_that_is_sold_out_is_told_in_the_list_and_in_the_preview(desk: Desk) -> None:
    sold = msgspec.structs.replace(ITEMS[4], availability="out_of_stock")
    await desk.node.shop.put_items([sold], desk.node.clock.now())
    made = await desk.add({"name": "Pin", "then": {"do": "pin", "items": ["S4", "S5"], "position": 1}})
    assert (made["status"], made["warnings"]) == ("active", ["sold out or hidden, so skipped: 'S4'"])
    told = (await desk.ask("POST", "/v1/rules:preview", {})).json()
    assert told["warnings"] == ["'pin' does not pin 'S4': sold out or hidden"]
    await desk.publish()
    ids = await desk.ids()
    assert "S4" not in ids
    assert ids[1] == "S5"


async def test_a_misspelled_segment_is_told(desk: Desk) -> None:
    made = await desk.add({**RAIN, "when": {"segments": ["runers"]}})
    assert made["warnings"] == ["the serving generation has no segment 'runers'"]


async def test_the_arm_without_rules_has_no_boosts_and_pins_but_its_filters(desk: Desk) -> None:
    await desk.add({"name": "Pin", "then": {"do": "pin", "items": ["S7"], "position": 1}})
    await desk.add({"name": "Not red", "then": {"do": "filter", "match": 'category != "shoes/red"'}})
    await desk.publish()
    arms = [{"key": "plain", "weight": 50, "rules_off": True}, {"key": "ruled", "weight": 50}]
    design = {"key": "rules", "name": "Do our rules help?", "placements": ["home"], "arms": arms}
    assert (await desk.ask("POST", "/v1/experiments", design)).status_code == 201
    assert (await desk.ask("POST", "/v1/experiments/rules:start")).status_code == 200
    lists = {}
    for arm in ("plain", "ruled"):
        path = f"https://personalize.example/v1/recommendations?placement=home&limit=4&experiment=rules/{arm}"
        lists[arm] = [item["id"] for item in (await desk.client.get(path)).json()["results"][0]["items"]]
    assert lists["ruled"][0] == "S7"
    assert lists["plain"][0] != "S7"
    assert not {"S0", "S3", "S6", "S9"} & {*lists["plain"], *lists["ruled"]}


async def test_rules_hold_in_the_arm_that_is_the_same_for_everyone(desk: Desk) -> None:
    await desk.add({"name": "Pin", "then": {"do": "pin", "items": ["S7"], "position": 2}})
    await desk.publish()
    arms = [{"key": "static", "weight": 50, "static": True}, {"key": "personal", "weight": 50}]
    design = {"key": "home", "name": "Does it help?", "placements": ["home"], "arms": arms}
    await desk.ask("POST", "/v1/experiments", design)
    await desk.ask("POST", "/v1/experiments/home:start")
    path = "https://personalize.example/v1/recommendations?placement=home&limit=4&experiment=home/static"
    assert (await desk.client.get(path)).json()["results"][0]["items"][1]["id"] == "S7"


async def test_a_pin_by_attribute_brings_one_item_into_a_search_and_not_its_whole_kind(desk: Desk) -> None:
    async def search() -> list[str]:
        answer = await desk.client.post("https://personalize.example/v1/search", json={"query": "S1"})
        return [item["id"] for item in answer.json()["items"]]

    await desk.node.shop.put_items([Item(id="T1", title="Tent S1", category=("tents",))], desk.node.clock.now())
    assert await search() == ["T1"]
    red = {"do": "pin", "match": 'category == "shoes/red"', "position": 2}
    await desk.add({"name": "A red one", "when": {"placements": ["search"]}, "then": red})
    await desk.publish()
    found = await search()
    assert found[0] == "T1"
    assert len(found) == 2
    assert found[1] in {"S0", "S3", "S6", "S9"}
