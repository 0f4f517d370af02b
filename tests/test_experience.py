"""Which sections a page shows whom, in which order, under which banner."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.config import ConfigError, parse_config
from app.experiences.pages import by_rate
from app.experiences.rates import LEAST_SHOWN
from app.node import Node, configured_plugins
from app.privacy.counting import CLICKED, SHOWN, DayCount
from app.routes import create_app
from plugins.loading import PluginProblems
from store.aggregates import Figure
from store.database import Transaction
from store.records import LoggedEvent
from tests.open_shop import ANON, batch, event, open_shop, send
from tests.signed_in import headers_of
from tests.test_experiments_routes import DESIGN, Desk, anons

pytestmark = pytest.mark.anyio
SECTIONS = ["hero", "home", "aisles", "trending", "recently-viewed"]
PAGE: dict[str, Any] = {"sections": SECTIONS, "fixed": 1}
EVENTS = {"clock": "events"}


@asynccontextmanager
async def shop(folder: Path, page: dict[str, Any], **more: Any) -> AsyncIterator[tuple[Node, httpx.AsyncClient]]:  # noqa: ANN401
    async with open_shop(folder, experiences={"home": {**PAGE, **page}}, **more) as node:
        transport = httpx.ASGITransport(create_app(node))
        async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
            yield node, client


async def shown(client: httpx.AsyncClient, path: str = "/v1/experience", **more: Any) -> dict[str, Any]:  # noqa: ANN401
    answer = await client.get(path, **more)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def ids(told: dict[str, Any]) -> list[str]:
    return [section["id"] for section in told["sections"]]


async def test_sections_come_as_configured_lists_with_their_placement(tmp_path: Path) -> None:
    async with shop(tmp_path, {}) as (_, client):
        answer = await client.get("/v1/experience?page=home")
        assert answer.headers["cache-control"].startswith("public")
        told = answer.json()
        assert ids(told) == ["hero", "home", "aisles", "trending"]
        assert told["sections"][0] == {"id": "hero"}
        assert told["sections"][1] == {"id": "home", "placement": "home", "title": "For you"}
        assert "banner" not in told


async def test_a_list_of_what_one_has_viewed_is_for_those_who_viewed(tmp_path: Path) -> None:
    async with shop(tmp_path, {}) as (node, client):
        await send(node, batch(event(node, "view_item", "seen", "S3")))
        for consent, there in (("granted", True), ("anonymous", False), ("denied", False)):
            body = {"visitor": {"anon": ANON, "consent": consent}}
            answer = await client.post("/v1/experience", json=body)
            assert answer.headers["cache-control"] == "private, no-store"
            assert ("recently-viewed" in ids(answer.json())) is there


async def test_the_shops_server_names_the_visitor_in_a_header(tmp_path: Path) -> None:
    async with shop(tmp_path, {}) as (node, client):
        await send(node, batch(event(node, "view_item", "seen", "S3")))
        named = {"personalize-visitor": f'{{"anon": "{ANON}", "consent": "granted"}}'}
        assert (await client.get("/v1/experience", headers=named)).status_code == 401
        key = await node.keys.create_api_key("server", now=0)
        answer = await client.get("/v1/experience", headers={**named, "authorization": f"Bearer {key}"})
        assert answer.headers["cache-control"] == "private, no-store"
        assert "recently-viewed" in ids(answer.json())


async def test_conditions_hold_for_region_device_and_time(tmp_path: Path) -> None:
    june = {"starts": "2026-06-01", "ends": "2026-06-30"}
    page = {
        "when": {"trending": {"regions": ["FR", "BE"]}, "aisles": {"devices": ["desktop"]}},
        "banners": [
            {"id": "june", "title": "June", "when": {"regions": ["FR"], "schedule": june}},
            {"id": "france", "title": "Bonjour", "url": "/fr", "when": {"regions": ["FR"]}},
        ],
    }
    async with shop(tmp_path, page, node=EVENTS, shop={"timezone": "Europe/Paris"}) as (node, client):
        node.clock.observe(1_780_264_799_000)  # 2026-05-31T23:59:59 in Paris
        assert ids(await shown(client)) == ["hero", "home"]
        told = await shown(client, "/v1/experience?region=fr&device=desktop")
        assert ids(told) == ["hero", "home", "aisles", "trending"]
        assert told["banner"] == {"id": "france", "title": "Bonjour", "url": "/fr"}
        node.clock.observe(1_780_264_800_000)
        assert (await shown(client, "/v1/experience?region=FR"))["banner"] == {"id": "june", "title": "June"}
        assert "banner" not in await shown(client, "/v1/experience?region=DE")


async def test_a_page_about_a_category_shows_what_is_for_it(tmp_path: Path) -> None:
    page = {"when": {"aisles": {"categories": ["shoes"]}}}
    async with shop(tmp_path, page) as (_, client):
        for category, there in (("shoes", True), ("shoes/red", True), ("hats", False), ("", False)):
            answer = await client.post("/v1/experience", json={"context": {"category": category}})
            assert ("aisles" in ids(answer.json())) is there, category


async def told_of(node: Node, people: dict[str, tuple[int, int]]) -> None:
    """Publish for yesterday how many saw and clicked in which list."""
    day = int(node.clock.now() // 86_400) - 1
    figures = [Figure(day, SHOWN, name, saw) for name, (saw, _) in people.items()]
    figures += [Figure(day, CLICKED, name, clicked) for name, (_, clicked) in people.items() if clicked]

    async def publish(transaction: Transaction) -> None:
        await node.aggregates.publish(transaction, day, (SHOWN, CLICKED), figures)

    await node.intake.writer.exclusive(publish)


async def test_lists_are_ordered_by_how_many_of_those_who_see_them_click(tmp_path: Path) -> None:
    page = {"sections": ["home", "cart", "aisles", "trending", "new"]}
    async with shop(tmp_path, page) as (node, client):
        await told_of(
            node, {"home": (500, 10), "cart": (500, 50), "trending": (500, 90), "new": (LEAST_SHOWN - 10, 80)}
        )
        assert ids(await shown(client)) == ["home", "trending", "aisles", "cart", "new"]
    async with shop(tmp_path, {**page, "learned": False}) as (_, client):
        assert ids(await shown(client)) == page["sections"]


@given(
    st.lists(st.sampled_from("abcdefgh"), unique=True), st.dictionaries(st.sampled_from("abcdefgh"), st.floats(0, 1))
)
def test_what_has_no_rate_and_what_is_fixed_stays_where_it_is(sections: list[str], rates: dict[str, float]) -> None:
    fixed = sections[:2]
    order = by_rate(sections, fixed, rates)
    assert sorted(order) == sorted(sections)
    assert [(place, name) for place, name in enumerate(order) if name in fixed or name not in rates] == [
        (place, name) for place, name in enumerate(sections) if name in fixed or name not in rates
    ]
    moved = [rates[name] for name in order if name in rates and name not in fixed]
    assert moved == sorted(moved, reverse=True)


async def test_who_saw_and_clicked_is_counted_by_day_like_everything_else(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as node:
        count = DayCount(node.catalogue)
        for person in range(20):
            for name in ("view_item_list", "select_item")[: 1 + (person < 12)]:
                count.add(LoggedEvent(person + 1, 1, 0, name, 127, placement="home"))
        figures = count.figures(1, count.people(), {"": 10}, 50, 1)
        assert [(each.report, each.people) for each in figures if each.cell == "home"] == [(CLICKED, 10), (SHOWN, 20)]


async def test_an_experiment_on_a_page_gives_arms_other_sections_and_counts_by_its_lists(tmp_path: Path) -> None:
    async with shop(tmp_path, {}) as (node, client):
        desk = Desk(node, client, await headers_of(node, "marketer"))
        arms = [{"key": "as-is", "weight": 50}, {"key": "short", "weight": 50, "sections": ["trending", "hero"]}]
        await desk.started(key="page", placements=[], pages=["home"], arms=arms)
        short = await shown(client, "/v1/experience?experiment=page/short")
        assert ids(short) == ["trending", "hero"]
        assert short["experiment"] == {"key": "page", "arm": "short"}
        assert ids(await shown(client, "/v1/experience?experiment=page/as-is")) == [
            "hero",
            "home",
            "aisles",
            "trending",
        ]
        assert (await client.get("/v1/experience?experiment=page/other")).status_code == 404
        for anon in anons(12):
            answer = await client.post("/v1/experience", json={"visitor": {"anon": anon, "consent": "granted"}})
            arm = answer.json()["experiment"]["arm"]
            assert ids(answer.json())[0] == {"short": "trending", "as-is": "hero"}[arm]
            for placement in ("home", "trending"):
                assert (await desk.list_for(anon, placement))["experiment"] == {"key": "page", "arm": arm}
            assert "experiment" not in await desk.list_for(anon, "cart")
        await desk.ask("POST", "/v1/experiments", {**DESIGN, "key": "list", "placements": ["trending"]})
        beside = await desk.ask("POST", "/v1/experiments/list:start")
        assert beside.status_code == 409
        assert "runs on placement 'trending' too" in beside.json()["detail"]
        wrong = [{"key": "a", "weight": 50}, {"key": "b", "weight": 50, "sections": ["heros"]}]
        refused = await desk.ask("POST", "/v1/experiments", {**DESIGN, "key": "no", "pages": ["home"], "arms": wrong})
        assert "did you mean 'hero'" in refused.json()["detail"]


async def test_a_page_nobody_configured_and_a_parameter_nobody_knows_are_told(tmp_path: Path) -> None:
    async with shop(tmp_path, {}) as (_, client):
        answer = await client.get("/v1/experience?page=start")
        assert (answer.status_code, "there are home" in answer.json()["detail"]) == (404, True)
        assert "there are page, region" in (await client.get("/v1/experience?anon=me")).json()["detail"]


WRONG = [
    ({"sections": ["hero", "hero"]}, "experiences.home.sections: 'hero' stands twice"),
    ({"when": {"trendng": {}}}, "experiences.home.when.trendng: no such section"),
    ({"banners": [{"id": "a", "title": "A"}] * 2}, "experiences.home.banners.a: there are two of this id"),
    ({"when": {"hero": {"placements": ["home"]}}}, "experiences.home.when.hero: placements and queries are of lists"),
    ({"when": {"hero": {"schedule": {"starts": "2026-02-30"}}}}, "experiences.home.when.hero.schedule: day is out of"),
    ({"when": {"hero": {"cart": "prise > 5 and"}}}, "experiences.home.when.hero.cart:"),
]


@pytest.mark.parametrize(("page", "told"), WRONG)
def test_a_page_that_cannot_be_meant_is_told_before_the_start(page: dict[str, Any], told: str, tmp_path: Path) -> None:
    config = parse_config({"experiences": {"home": {**PAGE, **page}}})
    with pytest.raises(PluginProblems) as wrong:
        configured_plugins(config, tmp_path / "personalize.toml")
    assert any(problem.startswith(told) for problem in wrong.value.problems), wrong.value.problems


@pytest.mark.parametrize("url", ["javascript:alert(1)", "//evil.example/", "data:text/html,x"])
def test_a_banner_links_to_the_shop_or_the_web_and_runs_nothing(url: str) -> None:
    with pytest.raises(ConfigError):
        parse_config({"experiences": {"home": {**PAGE, "banners": [{"id": "a", "title": "A", "url": url}]}}})


async def test_the_demo_shops_front_page_is_the_experience(tmp_path: Path) -> None:
    page = {
        "sections": ["trending", "hero", "fresh"],
        "banners": [{"id": "hi", "title": "<b>Hi</b>", "when": {"regions": ["DE"]}}],
    }
    async with shop(tmp_path, page, server={"demo": True}) as (_, client):
        text = (await client.get("/demo/")).text
        places = [text.index(mark) for mark in ('placement="trending"', 'id="hero-title"', 'id="fresh-title"')]
        assert places == sorted(places)
        assert 'placement="home"' not in text
        assert "data-banner" not in text
        german = (await client.get("/demo/", headers={"cookie": "demo_region=DE"})).text
        assert 'data-banner="hi"' in german
        assert "&lt;b&gt;Hi" in german
