"""Rules in the console: drafted, looked at before and after, published, taken back; nobody overwrites anybody."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from html import unescape
from pathlib import Path

import httpx
import pytest

from app.console.rule_form import filled_from, pointed, rule_from
from app.console.rule_words import condition_words, consequence_words
from app.routes import create_app
from app.rules.model import Condition, Consequence, Rule, Schedule
from tests.console_pages import ATTACK, Console, Fields, fill_in, hidden, undo
from tests.open_shop import open_shop

pytestmark = pytest.mark.anyio

RULES, NEW, REVIEW = "/console/rules", "/console/rules/new", "/console/rules/review"
BOOST: Fields = {"name": "Green first", "do": "boost", "by": "match", "match": 'category == "shoes/green"',
                 "strength": "1", "placements": ["home"], "enabled": "yes"}  # fmt: skip


@pytest.fixture
async def console(tmp_path: Path) -> AsyncIterator[Console]:
    async with open_shop(tmp_path) as node:
        yield Console(node, create_app(node))


async def publish(client: httpx.AsyncClient) -> httpx.Response:
    page = (await client.get(REVIEW)).text
    return await client.post(REVIEW, data={name: hidden(page, name) for name in ("csrf", "once", "etag")})


async def shown(client: httpx.AsyncClient) -> list[str]:
    """What a shopper sees right now."""
    told = (await client.post("/v1/recommendations", json={"requests": [{"placement": "home"}]})).json()
    return [item["id"] for item in told["results"][0]["items"]]


async def test_a_rule_is_written_looked_at_published_and_obeyed_by_the_next_request(console: Console) -> None:
    async with console.browser("marketer") as client:
        looked = await fill_in(client, NEW, NEW, **BOOST, do_what="preview")
        assert looked.status_code == 200
        assert "moved up" in looked.text
        assert (await console.node.rule_book.draft())[1] == []  # looking wrote nothing
        saved = await fill_in(client, NEW, NEW, **BOOST)
        assert saved.headers["location"] == f"{RULES}/rule/green-first"
        assert "not published" in (await client.get(RULES)).text
        before = await shown(client)
        assert (await publish(client)).headers["location"] == RULES
        after = await shown(client)
        assert before != after
        assert set(after[:4]) == {"S1", "S4", "S7", "S10"}
        page = await client.get(f"{RULES}.json")
        assert page.json()["version"] == "r1"


async def test_what_was_published_is_taken_back_with_one_click(console: Console) -> None:
    async with console.browser("marketer") as client:
        await fill_in(client, NEW, NEW, **{**BOOST, "name": "One"})
        await publish(client)
        first = await shown(client)
        red: Fields = {**BOOST, "name": "Red first", "match": 'category == "shoes/red"', "priority": "5"}
        await fill_in(client, NEW, NEW, **red)
        await fill_in(client, f"{RULES}/rule/one", RULES, do="remove", id="one",
                      etag=(await console.node.rule_book.rule("one")).etag)  # fmt: skip
        await client.get(RULES)
        await publish(client)
        assert await shown(client) != first
        back = await undo(client, RULES)
        assert back.headers["location"] == RULES
        assert await shown(client) == first
        versions = (await client.get(f"{RULES}/versions.json")).json()["versions"]
        assert [each["version"] for each in versions] == ["r3", "r2", "r1"]
        assert versions[0]["copy_of"] == "r1"
        compared = await client.get(f"{RULES}/versions/r2")
        assert "added" in compared.text
        assert "removed" in compared.text


async def test_a_removed_rule_and_a_switched_one_come_back(console: Console) -> None:
    async with console.browser("marketer") as client:
        await fill_in(client, NEW, NEW, **BOOST)
        etag = (await console.node.rule_book.rule("green-first")).etag
        await fill_in(client, RULES, RULES, do="toggle", id="green-first", etag=etag)
        assert not (await console.node.rule_book.rule("green-first")).enabled
        await undo(client, RULES)
        rule = await console.node.rule_book.rule("green-first")
        assert rule.enabled
        await fill_in(client, RULES, RULES, do="remove", id="green-first", etag=rule.etag)
        assert (await console.node.rule_book.draft())[1] == []
        await undo(client, RULES)
        assert await console.node.rule_book.rule("green-first") == rule


async def test_two_marketers_do_not_overwrite_each_other(console: Console) -> None:
    async with console.browser("marketer") as client:
        await fill_in(client, NEW, NEW, **BOOST)
        here = f"{RULES}/rule/green-first"
        mine = (await client.get(here)).text
        form = {name: hidden(mine, name) for name in ("csrf", "etag")}
        theirs = await fill_in(client, here, here, **{**BOOST, "strength": "0.3"}, etag=form["etag"])
        assert theirs.status_code == 303
        late = await client.post(here, data={**form, **BOOST, "strength": "0.9"})
        assert late.status_code == 412
        assert "Somebody else changed this rule" in late.text
        assert "<del>0.3</del><ins>0.9</ins>" in late.text
        assert (await console.node.rule_book.rule("green-first")).then.strength == 0.3
        again = {name: hidden(late.text, name) for name in ("csrf", "etag")}
        assert (await client.post(here, data={**again, **BOOST, "strength": "0.9"})).status_code == 303
        assert (await console.node.rule_book.rule("green-first")).then.strength == 0.9


async def test_what_was_published_is_what_was_read(console: Console) -> None:
    async with console.browser("marketer") as client:
        await fill_in(client, NEW, NEW, **BOOST)
        page = (await client.get(REVIEW)).text
        form = {name: hidden(page, name) for name in ("csrf", "etag")}
        await fill_in(client, NEW, NEW, **{**BOOST, "name": "Meanwhile"})
        late = await client.post(REVIEW, data=form)
        assert late.headers["location"] == REVIEW
        assert "Somebody changed the draft" in (await client.get(REVIEW)).text
        assert console.node.rule_book.number == 0


async def test_an_expression_with_a_typo_shows_where(console: Console) -> None:
    async with console.browser("marketer") as client:
        wrong = await fill_in(client, NEW, NEW, **{**BOOST, "match": 'category == "shoes" and prise < 5'})
    assert wrong.status_code == 422
    assert "did you mean &#39;price&#39;" in wrong.text
    told = unescape(wrong.text)
    line, mark = re.search(r'(category == "shoes" and prise < 5)\n( *\^)', told).groups()  # type: ignore[union-attr]
    assert line[mark.index("^") :].startswith("prise")
    assert 'value="Green first"' in wrong.text  # nothing that was typed is lost


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"match": "x" * 100_000}, "2,?000"),
        ({"by": "items", "items": "\n".join(f"S{number}" for number in range(10_000)), "do": "pin"}, "a rule may name"),
        ({"match": ""}, "say which items"),
        ({"strength": "much"}, "is not a number"),
        ({"strength": "7"}, "&lt;= 1"),
        ({"placements": ["hoem"]}, "did you mean"),
        ({"starts": "2026-12-24", "ends": "2026-12-01"}, "ends before it begins"),
        ({"ends": "tomorrow"}, "ends"),
        ({"name": ""}, "length"),
        ({"arms": "no sign"}, "experiment=arm"),
        ({"do": "explode"}, "explode"),
    ],
)
async def test_what_cannot_be_meant_is_said_beside_its_field(console: Console, fields: Fields, said: str) -> None:
    async with console.browser("marketer") as client:
        answer = await fill_in(client, NEW, NEW, **{**BOOST, **fields})
    assert answer.status_code == 422
    assert re.search(said, answer.text), "what is wrong is not said"


async def test_contradicting_and_starving_rules_are_shown_before_publishing(console: Console) -> None:
    pin: Fields = {"do": "pin", "by": "items", "position": "1", "placements": ["home"], "enabled": "yes"}
    async with console.browser("marketer") as client:
        await fill_in(client, NEW, NEW, **{**pin, "name": "A", "items": "S1"})
        await fill_in(client, NEW, NEW, **{**pin, "name": "B", "items": "S2"})
        await fill_in(client, NEW, NEW, name="Only one", do="filter", by="match", match='id == "S3"', enabled="yes")
        for page in (RULES, REVIEW):
            told = (await client.get(page)).text
            assert "Same slot" in told
            assert "A filter leaves little" in told
        assert "Publish all the same" in (await client.get(REVIEW)).text
        looked = await client.get(f"{RULES}/rule/only-one")
        assert "filters leave" in looked.text


async def test_today_tells_marketers_what_is_at_odds_and_not_published_and_nobody_else(console: Console) -> None:
    pin: Fields = {"do": "pin", "by": "items", "position": "1", "enabled": "yes"}
    async with console.browser("marketer") as client:
        await fill_in(client, NEW, NEW, **{**pin, "name": "A", "items": "S1"})
        await fill_in(client, NEW, NEW, **{**pin, "name": "B", "items": "S2"})
        tasks = [each["text"] for each in (await client.get("/console/today.json")).json()["tasks"]]
    assert "1 conflict among the rules" in tasks
    assert "Rules are waiting to be published" in tasks
    async with console.browser("privacy") as client:
        assert not [
            each for each in (await client.get("/console/today.json")).json()["tasks"] if "ules" in each["text"]
        ]


async def test_html_in_a_rules_name_is_text(console: Console) -> None:
    async with console.browser("marketer") as client:
        await fill_in(client, NEW, NEW, **{**BOOST, "name": ATTACK, "note": ATTACK})
        saved = (await console.node.rule_book.draft())[1][0]
        for page in (RULES, REVIEW, f"{RULES}/rule/{saved.id}"):
            told = (await client.get(page)).text
            assert "<img src=x" not in told
            assert "&lt;img src=x" in told


async def test_a_draft_is_carried_as_a_file_and_a_discarded_one_comes_back(console: Console) -> None:
    async with console.browser("marketer") as client:
        await fill_in(client, NEW, NEW, **BOOST)
        toml = (await client.get("/v1/rules:export")).text
        page = (await client.get(RULES)).text
        await client.post(RULES, data={"csrf": hidden(page, "csrf"), "do": "discard", "etag": etag_in(page)})
        assert (await console.node.rule_book.draft())[1] == []
        await undo(client, RULES)
        assert [rule.id for rule in (await console.node.rule_book.draft())[1]] == ["green-first"]
        page = (await client.get(RULES)).text
        form = {"csrf": hidden(page, "csrf"), "do": "import", "etag": etag_in(page)}
        bad = await client.post(RULES, data={**form, "toml": toml.replace("category ==", "categoria ==")})
        assert bad.status_code == 422
        assert "did you mean" in bad.text
        assert (await client.post(RULES, data={**form, "toml": toml.replace("Green first", "Red")})).status_code == 303
        assert (await console.node.rule_book.draft())[1][0].name == "Red"


def etag_in(page: str) -> str:
    found = re.findall(r'name="etag" value="([^"]*d\d+[^"]*)"', page)
    return unescape(found[0])


async def test_a_persona_is_made_up_chosen_and_removed(console: Console) -> None:
    here = f"{RULES}/personas"
    async with console.browser("marketer") as client:
        unknown = await fill_in(client, here, here, name="Hiker", viewed="S1, NONE")
        assert unknown.status_code == 422
        assert "does not know NONE" in unknown.text
        await fill_in(client, here, here, name="Hiker", viewed="S1, S4", likes="shoes/green")
        assert '<option value="hiker"' in (await client.get(NEW)).text
        looked = await client.get(f"{NEW}?p_persona=hiker")
        assert "personalized" in looked.text
        await fill_in(client, here, here, do="remove", id="hiker")
        await undo(client, here)
        assert [each["id"] for each in (await client.get(f"{here}.json")).json()["personas"]] == ["hiker"]


async def test_why_tells_the_rules_that_held_and_what_became_of_every_pin(console: Console) -> None:
    async with console.browser("marketer") as client:
        await fill_in(client, NEW, NEW, **BOOST)
        await fill_in(client, NEW, NEW, name="No red", do="filter", by="match", match='not category == "shoes/red"',
                      enabled="yes")  # fmt: skip
        await fill_in(client, NEW, NEW, name="Gone", do="pin", by="items", items="NONE", enabled="yes")
        await publish(client)
        told = (await client.post("/v1/recommendations", json={"requests": [{"placement": "home"}]})).json()
        page = await client.get(f"/console/why/{told['results'][0]['request_id']}")
    assert page.status_code == 200
    assert "hides 4 products" in page.text
    assert re.search(r"Green first.*boost.*S1", page.text, re.S)
    assert "the catalogue does not know it" in page.text
    assert "Allowed then" in page.text


async def test_a_product_says_which_rules_touch_it(console: Console) -> None:
    async with console.browser("marketer") as client:
        await fill_in(client, NEW, NEW, **BOOST)
        await fill_in(client, NEW, NEW, name="No red", do="filter", by="match", match='not category == "shoes/red"',
                      enabled="yes")  # fmt: skip
        await publish(client)
        green, red = [(await client.get(f"/console/catalogue/{item}.json")).json()["rules"] for item in ("S1", "S0")]
    assert {(each["id"], each["does"]) for each in green} == {("green-first", "boosts it")}
    assert {(each["id"], each["does"]) for each in red} == {("no-red", "hides it")}


def test_a_rule_survives_its_form() -> None:
    rule = Rule(
        id="all", name="Everything", priority=3, note="why", enabled=False,
        when=Condition(placements=["home", "search"], regions=["UK", "FR"], segments=["a"], devices=["phone"],
                       categories=["shoes"], brands=["Alder"], page="price > 5", queries=["rain jacket"], exact=True,
                       cart="price > 1", cart_items=2, arms={"test": "b"},
                       schedule=Schedule(starts="2026-11-01", ends="2026-11-30", days=["mon"], hours="09:00-17:00")),
        then=Consequence(do="pin", match="price < 9", position=2, count=3, hard=False),
    )  # fmt: skip
    assert rule_from(filled_from(rule), "all") == (rule, {})
    ids = Rule(id="ids", name="Ids", then=Consequence(do="bury", items=["S1", "S2"], strength=0.25))
    assert rule_from(filled_from(ids), "ids") == (ids, {})


def test_a_rule_is_told_in_words() -> None:
    when = Condition(placements=["home"], regions=["UK"], schedule=Schedule(ends="2026-11-30"))
    assert condition_words(when) == "on home, in UK, until 2026-11-30"
    assert condition_words(Condition()) == "always and everywhere"
    assert consequence_words(Consequence(do="boost", match="price < 5")) == "Boost by 0.5: price < 5"
    assert consequence_words(Consequence(do="pin", items=["A", "B"])) == "Pin to positions 1–2: A and B"


def test_the_mark_stands_under_the_character() -> None:
    text = "x" * 100 + " prise < 5"
    piece, mark = pointed(text, 101).split("\n")
    assert piece[mark.index("^") :].startswith("prise")


async def test_a_draft_damaged_on_disk_is_said_and_can_be_begun_anew(console: Console) -> None:
    async with console.browser("marketer") as client:
        await fill_in(client, NEW, NEW, **BOOST)
        await publish(client)
        with closing(sqlite3.connect(console.node.folder / "shop.db")) as database, database:
            database.execute("UPDATE rule_draft SET body = ?", (b"[{",))
        assert "The draft of the rules is damaged" in (await client.get("/console/")).text
        told = await client.get(RULES)
        assert "the draft cannot be read" in unescape(told.text)
        await fill_in(client, RULES, RULES, do="discard", etag=hidden(told.text, "etag"))
        assert "Green first" in (await client.get(RULES)).text


async def test_a_pin_says_what_it_is_worth_and_a_click_writes_down_the_experiment_to_know(console: Console) -> None:
    pin: Fields = {"name": "Blue second", "do": "pin", "by": "items", "items": "S5", "position": "2",
                   "placements": ["home"], "enabled": "yes"}  # fmt: skip
    async with console.browser("marketer") as client:
        await fill_in(client, NEW, NEW, **pin)
        await publish(client)
        page, here = (await client.get(RULES)).text, f"{RULES}/rule/blue-second"
        assert "Not known: start a “rules off” experiment to know." in page
        assert "Write down the experiment" in (await client.get(here)).text
        made = await fill_in(client, here, RULES, do="compare", id="blue-second")
        assert made.headers["location"] == "/console/experiments/pin-blue-second"
        design = console.node.experiments.get("pin-blue-second")
        assert design is not None
        assert (design.state, design.design.placements, design.design.sides) == ("draft", ["home"], (1, 0))
        there = (await client.get("/console/experiments/pin-blue-second")).text
        assert "Pinned or automatic?" in there
        assert "start the experiment that is written down" in there
        assert "To the experiment" in (await client.get(here)).text
        twin = (await client.get(f"{here}.json")).json()
        assert twin["pinned"]["standing"] == "not started"
        assert (await client.get(f"{RULES}.json")).json()["pins"][0]["rule"] == "blue-second"
