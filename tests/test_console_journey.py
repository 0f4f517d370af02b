"""The console in the real browser: what staff do, up to what shoppers see of it, and that everyone can use it."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import msgspec
import pytest
from playwright.async_api import Browser, BrowserContext, Page, expect

from app.admin.passwords import stored
from app.config import parse_config
from app.demo import generate_catalogue
from app.node import Node, open_node
from app.privacy.receipts import receipt_is_genuine
from app.routes import create_app
from store.accounts import ROLE_NAMES
from store.database import Transaction
from store.experiment_sums import ArmSums, Report
from store.records import Item
from tests.axe import violations
from tests.console_pages import ATTACK
from tests.open_shop import ANON, batch, event, row, send
from tests.shop_page import open_browser, serving
from tests.trained_shop import SMALL, clicks, trained

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

NOW = 1_795_000_000
ITEMS = [msgspec.convert(item, Item) for item in generate_catalogue(7, NOW)[::6]]
SOLD = [item for item in ITEMS if item.availability == "in_stock" and not item.regions]
EVIL = Item(id="EVIL", title=ATTACK, brand=ATTACK, category=("shoes",), price=9.0, currency="EUR")
PASSWORD = "correct horse battery"
WATCH = """window.violations = [];
addEventListener('securitypolicyviolation', (e) => window.violations.push(e.violatedDirective + ' ' + e.blockedURI));"""


@dataclass(frozen=True)
class Place:
    """One server for all of it."""

    node: Node
    address: str
    browser: Browser

    @asynccontextmanager
    async def signed_in(self, *roles: str, width: int = 1280) -> AsyncIterator[Page]:
        """A page of somebody who came through the sign-in form; any error of a script or policy fails the test."""
        name = "-".join(roles)
        if self.node.staff.accounts.get(name) is None:
            wanted = ROLE_NAMES[roles[0]]
            for role in roles[1:]:
                wanted |= ROLE_NAMES[role]
            await self.node.staff.accounts.add(name, wanted, stored(PASSWORD, generated=True), NOW)
        context: BrowserContext = await self.browser.new_context(viewport={"width": width, "height": 900})
        page = await context.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        await page.add_init_script(WATCH)
        await page.goto(f"{self.address}/console/")
        await page.get_by_label("Name").fill(name)
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.locator("h1")).to_have_text("Today")
        yield page
        assert await page.evaluate("window.violations") == []
        await context.close()
        assert errors == []


@pytest.fixture(scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory, chromium_path: str) -> AsyncIterator[Place]:
    config = parse_config(
        {"server": {"demo": True}, "privacy": {"learned": "exact"}, "training": SMALL,
         "admin": {"attempts_per_minute": 1000}}
    )  # fmt: skip
    path: Path = tmp_path_factory.mktemp("console") / "personalize.toml"
    async with open_node(config, path) as node:
        await node.shop.put_items([*ITEMS, EVIL], NOW)
        for kind in ("public", "server"):
            await node.keys.create_api_key(kind, now=NOW)
        await clicks(node, "ann", SOLD[0].id, SOLD[1].id, buys=SOLD[2].id)
        await trained(node)
        await trained(node)
        node.generations.take_over()
        async with serving(create_app(node)) as port, open_browser(chromium_path) as browser:
            yield Place(node, f"http://127.0.0.1:{port}", browser)


async def first_of_home(place: Place) -> str:
    """What the demo shop shows first, to somebody who just came in."""
    context = await place.browser.new_context()
    page = await context.new_page()
    await page.goto(f"{place.address}/demo/")
    found = await page.locator('pz-recs[placement="home"] li').first.get_attribute("data-pz-item")
    await context.close()
    return found or ""


async def pin_first(page: Page, address: str, name: str, item: str) -> None:
    """Write a rule that puts a product into the first place of the home page."""
    await page.goto(f"{address}/console/rules/new")
    await page.get_by_label("Name", exact=True).fill(name)
    await page.get_by_role("radio", name="Pin").check()
    await page.get_by_label("with these ids").check()
    await page.get_by_label("Ids, one a line").fill(item)
    await page.get_by_label("For you").check()
    # The list after is there while one types, before anything is saved.
    after = page.locator("#preview .sides section").nth(1).locator("li")
    await expect(after.filter(has_text="this rule")).to_have_count(1)
    await page.get_by_role("button", name="Save in the draft").click()
    await expect(page.get_by_text("is in the draft")).to_be_visible()


async def publish(page: Page, address: str) -> None:
    await page.goto(f"{address}/console/rules/review")
    await page.get_by_role("button", name="Publish").click()
    await expect(page.get_by_text("the next request obeys it")).to_be_visible()


async def test_a_rule_is_seen_in_the_shop_a_conflict_is_told_and_one_click_takes_it_back(place: Place) -> None:
    first, second = SOLD[30], SOLD[40]
    async with place.signed_in("marketer") as page:
        before = await first_of_home(place)
        await pin_first(page, place.address, "First <b>thing</b>", first.id)
        assert await first_of_home(place) == before, "a draft is not for shoppers"
        await publish(page, place.address)
        assert await first_of_home(place) == first.id
        await expect(page.locator("table")).to_contain_text("First <b>thing</b>")
        await pin_first(page, place.address, "Second thing", second.id)
        await page.goto(f"{place.address}/console/rules")
        await expect(page.get_by_text("Same slot.")).to_be_visible()
        await page.get_by_role("button", name="Remove").first.click()
        await page.get_by_role("button", name="Undo").click()
        await expect(page.get_by_text("is back in the draft")).to_be_visible()
        await page.goto(f"{place.address}/console/rules/rule/second-thing")
        await page.get_by_label("Priority").fill("9")
        await page.keyboard.press("Control+Enter")
        await expect(page.get_by_text("is in the draft")).to_be_visible()
        await publish(page, place.address)
        assert await first_of_home(place) == second.id
        await page.get_by_role("button", name="Back to r1").click()
        await expect(page.get_by_text("what r1 said holds again")).to_be_visible()
        assert await first_of_home(place) == first.id


async def test_an_experiment_is_started_and_its_decision_read(place: Place) -> None:
    async with place.signed_in("marketer") as page:
        await page.goto(f"{place.address}/console/experiments/new")
        await page.get_by_label("Name", exact=True).fill("Personal home")
        await page.get_by_label("Key", exact=True).first.fill("home")
        await page.get_by_label("For you").check()
        await page.get_by_role("button", name="Write it down").click()
        await page.get_by_role("button", name="Start").click()
        await expect(page.get_by_text("visitors are drawn from the next request on")).to_be_visible()
        await expect(page.get_by_text("Not enough yet")).to_be_visible()
        experiment = place.node.experiments.get("home")
        assert experiment is not None
        arms = [ArmSums(2000, 4000, some, 0, 90, 8000, some, 0, 90, 2 * some) for some in (400, 520)]

        async def count(transaction: Transaction) -> None:
            place.node.sums.add(transaction, {(experiment.number, at): arms[at] for at in (0, 1)})
            place.node.sums.tell(transaction, experiment.number, Report(int(NOW // 86_400), arms))

        await place.node.intake.writer.exclusive(count)
        await page.reload()
        await expect(page.get_by_text("Sound.")).to_be_visible()
        await expect(page.locator(".verdict h2")).to_contain_text("Better: +")
        await expect(page.locator("svg.interval")).to_have_count(2)


async def test_a_person_is_erased_and_the_receipt_downloaded(place: Place) -> None:
    await send(place.node, batch(event(place.node, "view_item", "seen in the journey", SOLD[5].id)))
    assert row(place.node) is not None
    async with place.signed_in("privacy") as page:
        await page.goto(f"{place.address}/console/requests")
        await page.get_by_role("radio", name="Erasure").check()
        await page.get_by_label("How the shop knows the person").select_option("anon")
        await page.get_by_label("Their id").fill(ANON)
        await page.get_by_role("button", name="Take down").click()
        await expect(page.locator("#told-once")).to_be_visible()
        await page.get_by_role("button", name="See what is held").click()
        await expect(page.get_by_text("The person is known.")).to_be_visible()
        await page.get_by_label("I checked who asks").check()
        await page.get_by_role("button", name="Erase this person").click()
        await expect(page.get_by_text("Carried out.")).to_be_visible()
        assert row(place.node) is None
        async with page.expect_download() as started:
            await page.get_by_role("link", name="Receipt").click()
        told = json.loads((await (await started.value).path()).read_text())
        assert told["state"] in ("erased", "verified")
        assert told["counts"]
        answer = await page.request.get(f"{place.address}/.well-known/personalize-receipts.json")
        key = (await answer.json())["keys"][0]["x"]
        assert receipt_is_genuine(told, base64.urlsafe_b64decode(key + "=="))
        await page.goto(f"{place.address}/console/requests")
        await expect(page.get_by_text("Nobody waits")).to_be_visible()


async def test_a_model_is_rolled_back(place: Place) -> None:
    async with place.signed_in("operator") as page:
        await page.goto(f"{place.address}/console/training")
        serving_now = place.node.model.id
        await page.get_by_role("button", name="Roll back to it").click()
        await expect(page.get_by_text("serves from now on")).to_be_visible()
        assert place.node.model.id != serving_now
        await page.get_by_role("button", name=f"Back to {serving_now}").click()
        await expect(page.get_by_text(f"Generation {serving_now} serves")).to_be_visible()
        assert place.node.model.id == serving_now


async def test_a_marketer_cannot_open_privacy_requests(place: Place) -> None:
    async with place.signed_in("marketer") as page:
        await expect(page.get_by_role("link", name="Privacy requests")).to_have_count(0)
        answer = await page.goto(f"{place.address}/console/requests")
        assert answer is not None
        assert answer.status == 403
        await expect(page.locator("h1")).to_have_text("Not for your role")


async def test_the_keyboard_leads_everywhere_and_the_theme_stays(place: Place) -> None:
    async with place.signed_in("marketer", "privacy", "operator") as page:
        await page.keyboard.press("Tab")
        await expect(page.get_by_text("Skip to the content")).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.locator("main")).to_be_focused()
        await page.keyboard.press("g")
        await page.keyboard.press("c")
        await expect(page.locator("h1")).to_have_text("Catalogue")
        await page.keyboard.press("/")
        await expect(page.get_by_label("Search products")).to_be_focused()
        await page.keyboard.type("EVIL")
        await expect(page.locator("#results tbody tr")).to_have_count(1)
        assert "q=EVIL" in page.url, "the address is the state"
        await expect(page.locator("#results")).to_contain_text("<script>alert(2)</script>")
        await page.locator("h1").click()
        await page.keyboard.press("?")
        await expect(page.get_by_role("dialog")).to_be_visible()
        await page.keyboard.press("Escape")
        async with page.expect_response("**/console/theme"):
            await page.get_by_role("button", name="Dark").click()
        await page.reload()
        assert await page.evaluate("document.documentElement.dataset.theme") == "dark"
        assert await page.evaluate("getComputedStyle(document.body).colorScheme") == "dark"


async def test_a_page_is_put_in_order_with_the_keyboard_and_by_dragging_and_published(place: Place) -> None:
    async def order(page: Page) -> list[str]:
        found: list[str] = await page.locator(".order > li").evaluate_all("all => all.map(each => each.dataset.name)")
        return found

    async def shown() -> list[str]:
        async with httpx.AsyncClient(base_url=place.address) as client:
            told = (await client.get("/v1/experience", params={"page": "landing"})).json()
        return [each["id"] for each in told["sections"]]

    async with place.signed_in("marketer") as page:
        await page.goto(f"{place.address}/console/pages")
        await page.get_by_label("Name of another page").fill("landing")
        await page.keyboard.press("Enter")
        await page.get_by_label("Add sections").fill("hero, home, trending, new")
        await page.get_by_label("The lists after them").uncheck()
        await page.get_by_role("button", name="Save in the draft").click()
        await expect(page.locator(".order > li")).to_have_count(4)
        await page.get_by_role("button", name="Move trending up").focus()
        await page.keyboard.press("Enter")
        await page.keyboard.press("Enter")
        assert await order(page) == ["trending", "hero", "home", "new"]
        await expect(page.locator("[data-said]")).to_have_text("trending: place 1 of 4")
        await expect(page.get_by_role("button", name="Move trending up")).to_be_focused()
        await expect(page.locator("#preview .card").last.locator("li").first).to_contain_text("Trending")
        grip, first = page.locator(".order > li").last.locator(".grip"), page.locator(".order > li").first
        await grip.drag_to(first, target_position={"x": 40, "y": 4})
        assert await order(page) == ["new", "trending", "hero", "home"]
        await page.get_by_role("button", name="Save in the draft").click()
        await expect(page.locator(".notice.done")).to_contain_text("Saved in the draft")
        assert await order(page) == ["new", "trending", "hero", "home"]
        await page.get_by_role("link", name="Review and publish").click()
        await expect(page.locator(".diff")).to_contain_text(["new → trending → hero → home"])
        await page.get_by_role("button", name="Publish").click()
        await expect(page.locator(".notice.done")).to_contain_text("is in force")
        assert await shown() == ["new", "trending", "hero", "home"]


SCREENS = [
    "", "rules", "rules/new", "rules/review", "rules/versions", "rules/personas", "experiments", "experiments/new",
    "segments", "catalogue", "catalogue/EVIL", "placements", "placements/home", "pages",
    "pages/page/home", "pages/page/landing", "pages/review", "pages/versions", "why", "consent", "requests",
    "training", "plugins", "setup", "setup/watch", "audit", "audit/people", "audit/keys", "account", "nothing",
    # as the journeys above left them
    "rules/rule/first-b-thing-b", "rules/versions/r2", "experiments/home",
]  # fmt: skip


async def test_every_screen_is_accessible_in_light_and_dark_wide_and_narrow(place: Place) -> None:
    shop = await place.browser.new_context()
    await (await shop.new_page()).goto(f"{place.address}/demo/")  # so that there are lists to ask about
    await shop.close()
    wrong = []
    async with place.signed_in("marketer", "privacy", "operator") as page:
        asked = await page.request.post(
            f"{place.address}/v1/recommendations", data={"requests": [{"placement": "home"}]}
        )
        request_id = (await asked.json())["results"][0]["request_id"]
        answered = [f"requests/{each.id:016x}" for each in place.node.requests.closed(1)]
        for screen in [*SCREENS, f"why/{request_id}", *answered]:
            await page.emulate_media(color_scheme="light")
            await page.set_viewport_size({"width": 1280, "height": 900})
            answer = await page.goto(f"{place.address}/console/{screen}")
            assert answer is not None
            assert answer.status < 500, screen
            for scheme, width in (("light", 1280), ("dark", 1280), ("light", 390), ("dark", 390)):
                await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
                await page.set_viewport_size({"width": width, "height": 900})
                wrong += [f"/{screen} {scheme} {width}: {each}" for each in await violations(page)]
                if await page.evaluate("document.documentElement.scrollWidth") > width:
                    wrong.append(f"/{screen} is wider than {width}")
            assert await page.evaluate("window.violations") == []
    async with place.signed_in("marketer") as page:
        await page.context.clear_cookies()
        await page.goto(f"{place.address}/console/")
        wrong += [f"sign-in: {each}" for each in await violations(page)]
    assert not wrong, "\n".join(wrong)
