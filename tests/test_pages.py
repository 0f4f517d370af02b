"""The shop's pages are arranged in a draft, published, obeyed by the next request, and taken back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.console.page_form import fields_as, fields_of, page_from
from app.console.page_words import changes_of
from app.experiences.book import PageWritten
from app.experiences.options import ExperienceOptions
from app.routes import create_app
from app.rules.model import Condition, Schedule
from tests.console_pages import ATTACK, Console, Fields, fill_in, hidden, undo
from tests.open_shop import open_shop
from tests.signed_in import headers_of
from tests.test_experiments_routes import Desk

pytestmark = pytest.mark.anyio
PAGES, HOME = "/console/pages", "/console/pages/page/home"
CONFIGURED: dict[str, Any] = {"home": {"sections": ["hero", "home", "trending", "fresh"], "fixed": 2}}
FROST = {"id": "frost", "title": "The first frost", "url": "/c/coats", "when": {"regions": ["DE"]}}


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with open_shop(tmp_path, experiences=CONFIGURED) as node:
        transport = httpx.ASGITransport(create_app(node))
        async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
            yield Desk(node, client, await headers_of(node, "marketer"))


async def shown(client: httpx.AsyncClient, region: str = "", page: str = "home") -> tuple[list[str], str]:
    """Sections and banner as a storefront gets them."""
    told = (await client.get("/v1/experience", params={"page": page, "region": region})).json()
    return [each["id"] for each in told["sections"]], told.get("banner", {}).get("id", "")


async def etag(desk: Desk) -> dict[str, str]:
    return {"if-match": (await desk.ask("GET", "/v1/pages")).headers["etag"]}


async def arrange(desk: Desk, page: str = "home", **options: object) -> httpx.Response:
    return await desk.ask("PUT", f"/v1/pages/{page}", options, **await etag(desk))


async def publish(desk: Desk) -> str:
    said = await desk.ask("POST", "/v1/pages:publish", {"note": "why"}, **await etag(desk))
    assert said.status_code == 200, said.text
    return str(said.json()["version"])


async def test_the_next_request_sees_what_was_published_and_not_before(desk: Desk) -> None:
    said = await arrange(desk, sections=["home", "hero", "trending"], learned=False, banners=[FROST])
    assert said.status_code == 200, said.text
    assert await shown(desk.client, "DE") == (["hero", "home", "trending", "fresh"], "")
    drafted = (await desk.ask("GET", "/v1/pages")).json()
    assert (drafted["version"], drafted["changed"], drafted["pages"][0]["published"]) == ("p0", True, "changed")
    assert await publish(desk) == "p1"
    assert await shown(desk.client, "DE") == (["home", "hero", "trending"], "frost")
    assert await shown(desk.client, "FR") == (["home", "hero", "trending"], "")
    log = [(each.action, each.target) for each in desk.node.staff.audit.page(None, 10)]
    assert ("pages published", "p1") in log
    assert ("page arranged", "home") in log


async def test_a_version_is_taken_back_as_a_new_one_and_p0_is_the_configuration(desk: Desk) -> None:
    await arrange(desk, sections=["trending", "home"], learned=False)
    await publish(desk)
    await arrange(desk, sections=["home"], learned=False)
    await publish(desk)
    assert await shown(desk.client) == (["home"], "")
    back = await desk.ask("POST", "/v1/pages:rollback", {"to": "p1"}, **await etag(desk))
    assert back.json()["version"] == "p3"
    assert await shown(desk.client) == (["trending", "home"], "")
    back = await desk.ask("POST", "/v1/pages:rollback", {"to": "p0"}, **await etag(desk))
    assert back.json()["version"] == "p4"
    assert await shown(desk.client) == (["hero", "home", "trending", "fresh"], "")
    assert (await desk.ask("POST", "/v1/pages:rollback", {"to": "p9"}, **await etag(desk))).status_code == 404
    told = (await desk.ask("GET", "/v1/pages/versions")).json()["versions"]
    assert [(each["version"], each["copy_of"]) for each in told] == [("p4", ""), ("p3", "p1"), ("p2", ""), ("p1", "")]


async def test_a_roll_back_keeps_what_is_not_published_yet(desk: Desk) -> None:
    await arrange(desk, sections=["home"])
    await publish(desk)
    await arrange(desk, sections=["trending"])
    await desk.ask("POST", "/v1/pages:rollback", {"to": "p0"}, **await etag(desk))
    drafted = (await desk.ask("GET", "/v1/pages")).json()
    assert drafted["pages"][0]["options"]["sections"] == ["trending"]


async def test_two_marketers_do_not_overwrite_each_other(desk: Desk) -> None:
    read = await etag(desk)
    assert (await desk.ask("PUT", "/v1/pages/home", {"sections": ["home"]}, **read)).status_code == 200
    late = await desk.ask("PUT", "/v1/pages/home", {"sections": ["trending"]}, **read)
    assert late.status_code == 412
    assert (await desk.ask("POST", "/v1/pages:publish", {}, **read)).status_code == 412
    assert (await desk.ask("PUT", "/v1/pages/home", {"sections": ["home"]})).status_code == 428


@pytest.mark.parametrize(
    ("page", "options", "pointer"),
    [
        ("home", {"sections": ["home", "home"]}, "/sections"),
        ("home", {"sections": ["home"], "when": {"nothing": {}}}, "/when/nothing"),
        ("home", {"sections": ["home"], "when": {"home": {"schedule": {"starts": "2026-13-01"}}}}, "/when/home"),
        ("home", {"sections": ["home"], "banners": [{**FROST, "when": {"page": "prise <"}}]}, "/banners/frost/when"),
        ("home", {"sections": ["home"], "banners": [FROST, FROST]}, "/banners/frost"),
        ("home", {"sections": ["home"], "banners": [{**FROST, "url": "javascript:alert(1)"}]}, "/banners/0/url"),
        ("home", {"sections": []}, "/sections"),
        ("Not a name", {"sections": ["home"]}, "/page"),
    ],
)
async def test_what_cannot_be_meant_is_said_with_its_place(
    desk: Desk, page: str, options: dict[str, Any], pointer: str
) -> None:
    said = await arrange(desk, page, **options)
    assert said.status_code == 400, said.text
    assert any(each["pointer"].startswith(pointer) for each in said.json()["errors"]), said.text


async def test_a_page_the_configuration_does_not_know_comes_and_goes(desk: Desk) -> None:
    await arrange(desk, "category", sections=["trending"])
    await publish(desk)
    assert await shown(desk.client, page="category") == (["trending"], "")
    said = await desk.ask("DELETE", "/v1/pages/category", **await etag(desk))
    assert said.status_code == 200, said.text
    await publish(desk)
    assert (await desk.client.get("/v1/experience?page=category")).status_code == 404
    assert (await desk.ask("DELETE", "/v1/pages/category", **await etag(desk))).status_code == 404


async def test_what_was_published_is_in_force_after_a_restart_and_damage_leaves_the_configuration(
    tmp_path: Path,
) -> None:
    async with open_shop(tmp_path, experiences=CONFIGURED) as node:
        page = PageWritten(page="home", sections=["trending"])
        await node.page_book.put(page, 0, author="a", now=1)
        await node.page_book.publish(1, author="a", now=1)
    async with open_shop(tmp_path, experiences=CONFIGURED) as node:
        assert node.experiences.pages["home"].sections == ["trending"]
        assert node.page_lists == {"home": ["trending"]}
        await node.shop.database.execute("UPDATE page_versions SET body = x'00'")
    async with open_shop(tmp_path, experiences=CONFIGURED) as node:
        assert node.experiences.pages["home"].sections == ["hero", "home", "trending", "fresh"]
        assert "p1 cannot be read" in node.page_book.problem


async def test_an_experiment_on_a_page_counts_the_lists_that_were_published(desk: Desk) -> None:
    await arrange(desk, sections=["hero", "new"])
    await publish(desk)
    arms = [{"key": "a", "weight": 50}, {"key": "b", "weight": 50, "sections": ["new", "hero"]}]
    wrong = await desk.ask("POST", "/v1/experiments", {"key": "x", "name": "X", "pages": ["home"],
                           "arms": [arms[0], {**arms[1], "sections": ["fresh"]}]})  # fmt: skip
    assert wrong.status_code == 400, "a section the page no longer has"
    await desk.started(key="order", placements=[], pages=["home"], arms=arms)
    anon = "a" * 32
    assert "experiment" in await desk.list_for(anon, "new")
    assert "experiment" not in await desk.list_for(anon, "trending")


# ---- the console


@pytest.fixture
async def console(tmp_path: Path) -> AsyncIterator[Console]:
    async with open_shop(tmp_path, experiences=CONFIGURED) as node:
        yield Console(node, create_app(node))


def form_of(page: str, **more: str | list[str]) -> Fields:
    told: Fields = {"etag": hidden(page, "etag"), "fixed": "0", "section": ["hero", "home", "trending", "fresh"]}
    return {**told, **more}


async def test_a_page_is_arranged_looked_at_published_and_taken_back_in_the_console(console: Console) -> None:
    async with console.browser("marketer") as client:
        page = (await client.get(HOME)).text
        banner: Fields = {"banner": ["b0"], "b0_title": "Winter is here", "b0_regions": "DE, AT", "b0_url": "/c/coats"}
        looked = await fill_in(client, HOME, HOME, **form_of(page, move="up:section:trending", **banner, p_region="DE"))
        assert looked.status_code == 200
        assert "Winter is here" in looked.text
        assert (await console.node.page_book.draft())[1] == [], "looking and moving write nothing"
        order: Fields = {"section": ["trending", "hero", "home", "fresh"], "drop": ["fresh"], "add": "new"}
        saved = await fill_in(client, HOME, HOME, **{**form_of(page), **order, **banner})
        assert saved.headers["location"] == HOME, saved.text
        assert await shown(client, "DE") == (["hero", "home", "trending", "fresh"], "")
        review = (await client.get(f"{PAGES}/review")).text
        assert "Winter is here" in review
        assert "hero → home → trending → fresh" in review
        done = await fill_in(client, f"{PAGES}/review", f"{PAGES}/review", etag=hidden(review, "etag"), note="Cold")
        assert done.headers["location"] == PAGES
        assert await shown(client, "DE") == (["trending", "hero", "home", "new"], "winter-is-here")
        await undo(client, PAGES)
        assert await shown(client, "DE") == (["hero", "home", "trending", "fresh"], "")
        versions = (await client.get(f"{PAGES}/versions.json")).json()
        assert [each["version"] for each in versions["versions"]] == ["p2", "p1"]


async def test_everyone_sees_the_pages_and_marketers_change_them(console: Console) -> None:
    for role in ("privacy", "operator"):
        async with console.browser(role) as client:
            page = await client.get(HOME)
            assert page.status_code == 200
            assert "Save in the draft" not in page.text
            seal = {name: hidden(page.text, name) for name in ("csrf", "once")}
            assert (await client.post(HOME, data={**seal, "section": "home"})).status_code == 403


async def test_a_mistake_comes_back_with_the_form_and_names_are_shown_as_text(console: Console) -> None:
    async with console.browser("marketer") as client:
        page = (await client.get(HOME)).text
        wrong: Fields = {"banner": ["b0"], "b0_title": ATTACK, "b0_starts": "2026-12-09", "b0_ends": "2026-12-01"}
        said = await fill_in(client, HOME, HOME, **form_of(page, **wrong))
        assert said.status_code == 422
        assert ATTACK not in said.text
        assert "Banner “&lt;img" in said.text
        link: Fields = {"banner": ["b0"], "b0_title": "T", "b0_url": "javascript:alert(1)"}
        assert (await fill_in(client, HOME, HOME, **form_of(page, **link))).status_code == 422
        number = await fill_in(client, HOME, HOME, **{**form_of(page), "fixed": "many"})
        assert "Fixed: &#39;many&#39; is not a number" in number.text


async def test_somebody_elses_change_is_not_overwritten_unseen(console: Console) -> None:
    async with console.browser("marketer") as client:
        page = (await client.get(HOME)).text
        first = await fill_in(client, HOME, HOME, **{**form_of(page), "section": ["home"]})
        assert first.status_code == 303
        second = await fill_in(client, HOME, HOME, **{**form_of(page), "section": ["trending"]})
        assert second.status_code == 412
        assert "Somebody else changed the draft" in second.text
        assert (await console.node.page_book.draft())[1][0].sections == ["home"]


async def test_what_the_form_has_no_field_for_stays(console: Console) -> None:
    condition = Condition(
        regions=["FR"], categories=["shoes"], schedule=Schedule(ends="2027-01-01", hours="09:00-17:00")
    )
    before = ExperienceOptions(sections=["home", "trending"], when={"trending": condition})
    page, problems = page_from("home", fields_of(before), before)
    assert problems == []
    assert page is not None
    assert page.options() == before
    assert changes_of({"home": before}, {"home": page.options()}) == []


async def test_a_section_at_the_end_of_the_list_stays_there_when_it_is_moved_on(console: Console) -> None:
    from app.console.forms import Form

    fields = [("section", "a"), ("section", "b"), ("move", "down:section:b")]
    assert fields_as(Form(fields)).sections == ["a", "b"]
    assert fields_as(Form([*fields[:2], ("move", "up:section:b")])).sections == ["b", "a"]
    assert fields_as(Form([*fields[:2], ("move", "sideways")])).sections == ["a", "b"]
