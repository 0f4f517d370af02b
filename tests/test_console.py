"""The console: every screen for its roles, nothing filled in gets lost or done twice, what is text stays text."""

import re
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path

import pytest

from app.console import words
from app.console.charts import Series, intervals, line_chart, nice_ticks, stacked
from app.console.screens import SCREENS, seen_by
from app.console.training import _judged
from app.node import Node
from app.routes import create_app
from app.routes.admin import COOKIE
from store.accounts import ROLE_NAMES, Role
from store.records import Item
from tests.console_doors import PAGES, ROLES, Page
from tests.console_pages import ATTACK, Console, fill_in, hidden, read_tags
from tests.open_shop import ANON, batch, event, open_shop, row, send

pytestmark = pytest.mark.anyio

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
async def console(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Console]:
    folder: Path = tmp_path_factory.mktemp("console")
    async with open_shop(folder, admin={"attempts_per_minute": 1000}) as node:
        await node.shop.put_items([Item(id="EVIL", title=ATTACK, brand=ATTACK, category=("shoes", ATTACK))], 1.0)
        yield Console(node, create_app(node))


# ---- every screen


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.template or "/")
async def test_a_screen_is_a_page_and_the_same_as_json(console: Console, page: Page) -> None:
    async with console.browser("marketer", "privacy", "operator") as client:
        shown, twin = await client.get(page.address), await client.get(page.json)
    assert shown.headers["content-type"].startswith("text/html")
    if shown.status_code == 404:  # nothing of that name: the page says so within the console
        assert "<nav" in shown.text
        assert twin.headers["content-type"] == "application/problem+json"
        return
    assert shown.status_code == twin.status_code == 200
    assert isinstance(twin.json(), dict)
    assert page.json in shown.text
    tags = read_tags(shown.text)
    scripts = [tag.get("src") or "" for name, tag in tags if name == "script"]
    assert [bool(re.fullmatch(r"/console\.[0-9a-f]{12}\.js", source)) for source in scripts] == [True]
    assert not [attribute for _, tag in tags for attribute in tag if attribute.startswith(("on", "style", "hx-on"))]
    policy = shown.headers["content-security-policy"]
    assert "'unsafe" not in policy
    assert "frame-ancestors 'none'" in policy


async def test_each_role_sees_its_own_screens_and_no_others(console: Console) -> None:
    for role in sorted(ROLES):
        async with console.browser(role) as client:
            page = (await client.get("/console/")).text
        shown = set(re.findall(r'data-key="(\w)"', page))
        mine = {screen.key for screen in SCREENS if screen.roles & ROLE_NAMES[role]}
        assert shown == mine
    assert not seen_by(Role.NONE)


async def test_a_marketer_cannot_open_privacy_requests(console: Console) -> None:
    async with console.browser("marketer") as client:
        answer = await client.get("/console/requests")
    assert answer.status_code == 403
    assert "needs the role privacy" in answer.text
    assert "/console/requests" not in re.findall(r'href="([^"]+)"', answer.text)


def test_every_screen_has_a_key_of_its_own() -> None:
    assert len({screen.key for screen in SCREENS}) == len(SCREENS)


async def test_html_in_a_product_is_text(console: Console) -> None:
    async with console.browser("marketer") as client:
        for path in ("/console/catalogue?q=EVIL", "/console/catalogue/EVIL", "/console/placements/home?item=EVIL"):
            page = (await client.get(path)).text
            assert "<img src=x" not in page
            assert "alert(2)</script>" not in page
        assert "&lt;img src=x" in (await client.get("/console/catalogue/EVIL")).text


async def test_a_search_finds_by_word_and_by_id_and_says_what_it_took_for_a_misspelling(console: Console) -> None:
    async with console.browser("marketer") as client:
        by_word = (await client.get("/console/catalogue.json?q=green")).json()
        assert {line["id"] for line in by_word["items"]} == {"S1", "S4", "S7", "S10"}
        assert (await client.get("/console/catalogue.json?q=S3")).json()["items"][0]["id"] == "S3"
        wrong = (await client.get("/console/catalogue.json?q=grene")).json()
        assert wrong["corrected"] == {"grene": "green"}
        nothing = await client.get("/console/catalogue?q=zzzzzzzz")
        assert "Nothing found" in nothing.text


async def test_a_list_that_was_shown_can_say_why(console: Console) -> None:
    async with console.browser("marketer") as client:
        asked = {"requests": [{"placement": "home"}]}
        told = (await client.post("/v1/recommendations", json=asked)).json()
        request_id = told["results"][0]["request_id"]
        assert request_id in (await client.get("/console/why")).text
        redirected = await client.get(f"/console/why?request_id={request_id}")
        assert redirected.headers["location"] == f"/console/why/{request_id}"
        why = (await client.get(f"/console/why/{request_id}.json")).json()
        assert [item["id"] for item in why["items"]] == [item["id"] for item in told["results"][0]["items"]]
        forgotten = await client.get("/console/why/0123456789abcdef")
    assert forgotten.status_code == 404
    assert "explain" in forgotten.text


# ---- signing in


async def test_who_is_not_signed_in_gets_the_sign_in_page_and_comes_back(console: Console) -> None:
    await _account(console.node, "ada", "marketer")
    async with console.browser() as client:
        asked = await client.get("/console/catalogue?q=green")
        assert asked.status_code == 401
        assert hidden(asked.text, "next") == "/console/catalogue?q=green"
        told = {"next": hidden(asked.text, "next"), "staff_name": "ada", "staff_password": PASSWORD}
        wrong = await client.post("/console/sign-in", data={**told, "staff_password": "guess"})
        assert wrong.status_code == 401
        assert "no account with this name and password" in wrong.text
        assert hidden(wrong.text, "next") == "/console/catalogue?q=green"
        signed_in = await client.post("/console/sign-in", data=told)
        assert signed_in.headers["location"] == "/console/catalogue?q=green"
        cookie = signed_in.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert (await client.get("/console/catalogue")).status_code == 200


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/", "//evil.example/console/", "/console//evil.example", "/demo/", "/console\\x"]
)
async def test_signing_in_leads_nowhere_else(console: Console, elsewhere: str) -> None:
    await _account(console.node, "ada", "marketer")
    async with console.browser() as client:
        told = {"next": elsewhere, "staff_name": "ada", "staff_password": PASSWORD}
        assert (await client.post("/console/sign-in", data=told)).headers["location"] == "/console/"


async def test_a_lost_session_does_not_lose_the_form(console: Console) -> None:
    await _account(console.node, "grete", "privacy")
    async with console.browser("privacy") as client:
        page = (await client.get("/console/requests")).text
        form = {"csrf": hidden(page, "csrf"), "kind": "objection", "by": "user", "name": "lost & found"}
    async with console.browser() as client:
        lost = await client.post("/console/requests", data=form)
        assert lost.status_code == 401
        assert "Nothing you filled in is lost" in lost.text
        kept = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', lost.text))
        again = {name: unescape(value) for name, value in kept.items()}
        assert "csrf" not in again
        assert again["name"] == "lost & found"
        told = {**again, "staff_name": "grete", "staff_password": PASSWORD}
        done = await client.post("/console/requests", data=told)
        assert done.status_code == 303
        assert done.headers["location"].startswith("/console/requests/")
        assert (await client.get(done.headers["location"])).status_code == 200


async def test_a_form_of_another_page_is_refused(console: Console) -> None:
    async with console.browser("privacy") as client:
        form = {"kind": "erasure", "by": "user", "name": "anna"}
        assert (await client.post("/console/requests", data=form)).status_code == 403
        forged = await client.post(
            "/console/requests", data=form, headers={"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
        )
        assert forged.status_code == 403


async def test_the_first_start_says_where_the_password_is(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as node:
        await node.staff.ensure_first_account()
        async with Console(node, create_app(node)).browser() as client:
            page = (await client.get("/console/")).text
            assert "printed its password once" in page
            assert node.staff.first_password not in page
            told = {"next": "/console/", "staff_name": "admin", "staff_password": node.staff.first_password}
            await client.post("/console/sign-in", data=told)
            assert "Choose a password of your own" in (await client.get("/console/")).text


# ---- forms


async def test_a_form_sent_twice_is_carried_out_once(console: Console) -> None:
    async with console.browser("privacy") as client:
        page = (await client.get("/console/requests")).text
        form = {name: hidden(page, name) for name in ("csrf", "once")}
        form |= {"kind": "restriction", "by": "user", "name": "twice"}
        before = len(console.node.requests.open(1000))
        first, second = [await client.post("/console/requests", data=form) for _ in range(2)]
    assert first.status_code == second.status_code == 303
    assert first.headers["location"] == second.headers["location"]
    assert len(console.node.requests.open(1000)) == before + 1


async def test_a_form_with_a_mistake_comes_back_as_it_was_filled_in(console: Console) -> None:
    async with console.browser("privacy") as client:
        answer = await fill_in(client, "/console/requests", "/console/requests", kind="access", by="user", name="")
        assert answer.status_code == 422
        assert "as the shop knows them" in answer.text
        assert 'value="access" required checked' in answer.text


async def test_a_person_is_erased_with_a_receipt_to_download(console: Console) -> None:
    node = console.node
    await send(node, batch(event(node, "view_item", "seen by somebody", "S1")))
    assert row(node) is not None
    async with console.browser("privacy") as client:
        made = await fill_in(client, "/console/requests", "/console/requests", kind="erasure", by="anon", name=ANON)
        here = made.headers["location"]
        assert "Give the person this code" in (await client.get(here)).text
        assert "Give the person this code" not in (await client.get(here)).text
        looked = await fill_in(client, here, here, do="preview")
        assert "person.db" in looked.text
        unsure = await fill_in(client, here, here, do="execute")
        assert "Tick the box first" in unsure.text
        assert row(node) is not None
        assert (await client.get(f"{here}/receipt")).status_code == 404
        assert (await fill_in(client, here, here, do="execute", sure="yes")).status_code == 303
        assert row(node) is None
        receipt = await client.get(f"{here}/receipt")
        again = await fill_in(client, here, here, do="execute", sure="yes")
    assert "attachment" in receipt.headers["content-disposition"]
    told = receipt.json()
    assert told["state"] in ("erased", "verified")
    assert sum(told["counts"].values()) >= 1
    assert again.status_code == 409


async def test_what_opens_personal_data_asks_for_the_password_and_keeps_the_form(console: Console) -> None:
    node = console.node
    await _account(node, "officer", "privacy")
    async with console.browser() as client:
        await client.post("/console/sign-in", data={"staff_name": "officer", "staff_password": PASSWORD})
        made = await fill_in(client, "/console/requests", "/console/requests", kind="access", by="user", name="who")
        here = made.headers["location"]
        session = node.staff.session(client.cookies[COOKIE])
        assert session is not None
        session.confirmed = -1e9
        asked = await fill_in(client, here, here, do="preview")
        assert asked.status_code == 403
        assert "Enter your password again" in asked.text
        form = {"csrf": session.csrf, "do": hidden(asked.text, "do"), "staff_name": "officer"}
        wrong = await client.post(here, data={**form, "staff_password": "guess"})
        assert wrong.status_code == 403
        assert "This is not your password" in wrong.text
        right = await client.post(here, data={**form, "staff_password": PASSWORD})
    assert right.status_code == 200
    assert "What is held" in right.text


async def test_an_export_is_a_download_and_closes_the_request(console: Console) -> None:
    async with console.browser("privacy") as client:
        made = await fill_in(client, "/console/requests", "/console/requests", kind="export", by="user", name="x")
        here = made.headers["location"]
        export = await fill_in(client, here, here, do="execute")
        assert "attachment" in export.headers["content-disposition"]
        assert export.headers["cache-control"] == "private, no-store"
        assert export.json()["request"]["state"] == "answered"


async def test_operators_add_change_and_remove_people_and_keys(console: Console) -> None:
    node, people, keys = console.node, "/console/audit/people", "/console/audit/keys"
    async with console.browser("operator") as client:
        nobody = await fill_in(client, people, people, name=ATTACK, roles=["marketer"])
        assert nobody.status_code == 422
        assert "<img src=x" not in nobody.text
        await fill_in(client, people, people, name="lin", roles=["marketer", "privacy"])
        page = (await client.get(people)).text
        password = re.search(r'id="told-once">([^<]+)<', page)
        assert password
        assert password[1] not in (await client.get(people)).text
        assert await node.staff.sign_in("lin", password[1], "127.0.0.1")
        await fill_in(client, people, f"{people}/lin", do="roles", roles=["operator"])
        account = node.staff.accounts.get("lin")
        assert account is not None
        assert account.roles == Role.OPERATOR
        await fill_in(client, people, f"{people}/lin", do="remove")
        assert node.staff.accounts.get("lin") is None
        await fill_in(client, keys, keys, kind="public", origins="https://shop.example")
        made = node.keys.api_keys()[-1]
        assert made.origins == ("https://shop.example",)
        assert (await fill_in(client, keys, keys, kind="public", origins="no origin")).status_code == 422
        await fill_in(client, keys, f"{keys}/{made.id}")
        assert made.id not in [key.id for key in node.keys.api_keys()]
        log = (await client.get("/console/audit.json")).json()["entries"]
    assert [entry["action"] for entry in log[:2]] == ["key revoked", "key created"]


async def test_the_theme_is_in_the_page_from_its_first_byte(console: Console) -> None:
    async with console.browser("marketer") as client:
        chosen = await fill_in(client, "/console/", "/console/theme", theme="dark", next="/console/why")
        assert chosen.headers["location"] == "/console/why"
        assert '<html lang="en" data-theme="dark">' in (await client.get("/console/")).text
        await fill_in(client, "/console/", "/console/theme", theme="<script>", next="//evil.example")
        assert '<html lang="en" data-theme="dark">' in (await client.get("/console/")).text


async def test_a_form_that_is_too_large_is_told_so(console: Console) -> None:
    async with console.browser("privacy") as client:
        answer = await fill_in(client, "/console/requests", "/console/requests", name="x" * 600_000)
    assert answer.status_code == 413
    assert "Today" in answer.text


def test_a_generation_nobody_judged_is_not_told_to_be_worth_nothing() -> None:
    assert _judged({"judged": {"people": 0, "new": 0.0, "popularity": 0.0, "serving": 0.0}}) == {}
    assert _judged({"judged": {"people": 9, "new": 0.2, "popularity": 0.1, "serving": None}}) == {
        "new": 0.2,
        "popularity": 0.1,
    }


# ---- words and drawings


def test_numbers_and_times_are_written_for_people() -> None:
    assert words.number(1234567) == "1,234,567"
    assert words.number(-0.5, 1) == "−0.5"
    assert words.short(12_300) == "12.3k"
    assert [words.period(told) for told in ("P180D", "PT30M", "P1M", "")] == ["180 days", "30 minutes", "1 month", ""]
    assert words.percent(0.0214) == "2.1 %"
    assert words.signed(-0.003) == "−0.3 %"
    assert words.span(3 * 3600 + 5) == "3 hours"
    assert words.duration(0.00021) == "210 µs"
    assert words.plural(1, "rule") == "1 rule"
    assert words.ago(100, 100 + 7200) == (
        '<time datetime="1970-01-01T00:01:40Z" data-ago title="1 Jan 1970, 00:01 UTC">2 hours ago</time>'
    )


def test_ticks_are_round_numbers_that_enclose_the_values() -> None:
    assert nice_ticks(0, 97) == [0, 25, 50, 75, 100]
    assert nice_ticks(-0.03, 0.046)[0] <= -0.03
    assert nice_ticks(5, 5)[0] <= 5 <= nice_ticks(5, 5)[-1]
    assert nice_ticks(0, 1e-9)


def test_a_line_chart_has_every_number_in_its_table() -> None:
    chart = line_chart(["Mon", "Tue"], [Series("Uplift", [0.01, None], [-0.01, None], [0.03, None])], form="{:.2f}")
    assert chart.rows == [["Mon", "0.01 (−0.01 … 0.03)"], ["Tue", "–"]]
    assert chart.zero is not None
    assert chart.lines[0].points.startswith("0.0,")


def test_bars_and_intervals_share_one_scale() -> None:
    bars = stacked([{"a": 1.0, "b": 1.0}, {"a": 0.5, "c": -1.0}], ["a", "b", "c"])
    assert [each.width for each in bars[0]] == [50, 50]
    assert [each.width for each in bars[1]] == [25]
    narrow, endless = intervals([(-1.0, 0.0, 1.0), (float("-inf"), 0.5, float("inf"))])
    assert (narrow.middle, narrow.zero) == (50, 50)
    assert narrow.low < endless.middle < narrow.high
    assert (endless.low, endless.high) == (0, 100)
    assert intervals([(0.1, 0.2, 0.3)])[0].zero > 0, "zero is always in the picture"


async def _account(node: Node, name: str, *roles: str) -> None:
    if node.staff.accounts.get(name) is None:
        wanted = Role.NONE
        for role in roles:
            wanted |= ROLE_NAMES[role]
        await node.staff.accounts.add(name, wanted, await node.staff.stored(PASSWORD), node.staff.now())
