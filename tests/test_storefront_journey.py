"""A visitor walks through the demo shop in the real browser, over a real node."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import msgspec
import pytest
from playwright.async_api import Browser, Page, expect

from app.config import parse_config
from app.demo import generate_catalogue
from app.demo.pages import HOME
from app.node import Node, open_node
from app.privacy.receipts import receipt_is_genuine
from app.routes import create_app
from store.experiments import Arm, Design
from store.records import Item, Purpose
from tests.axe import violations
from tests.shop_page import ColorScheme, new_page, open_browser, serving, storage

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

NOW = 1_795_000_000
ITEMS = [msgspec.convert(item, Item) for item in generate_catalogue(7, NOW)[::3]]
RUNNING = [item for item in ITEMS if item.category == ("shoes", "running") and item.availability == "in_stock"]
OTHER_ORDER = ["hero", "home", "fresh", "trending"]
WATCH = """window.shifts = 0; window.violations = [];
new PerformanceObserver((list) => { for (const entry of list.getEntries()) window.shifts += entry.value })
    .observe({type: 'layout-shift', buffered: true});
addEventListener('securitypolicyviolation', (e) => window.violations.push(e.violatedDirective + ' ' + e.blockedURI));"""


@pytest.fixture(scope="module")
async def node(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Node]:
    config = parse_config(
        {
            "server": {"demo": True}, "ingest": {"batches_per_minute": 6000},
            "experiences": {"home": {"sections": HOME.sections, "fixed": 2}},
        }
    )  # fmt: skip
    path: Path = tmp_path_factory.mktemp("journey") / "personalize.toml"
    async with open_node(config, path) as node:
        await node.shop.put_items(ITEMS, NOW)
        yield node


@pytest.fixture(scope="module")
async def address(node: Node) -> AsyncIterator[str]:
    async with serving(create_app(node)) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
async def browser(chromium_path: str) -> AsyncIterator[Browser]:
    async with open_browser(chromium_path) as browser:
        yield browser


@pytest.fixture
async def page(browser: Browser) -> AsyncIterator[Page]:
    async with new_page(browser) as page:
        yield page


async def agree(page: Page, address: str, choice: str = "Accept all") -> None:
    await page.goto(f"{address}/demo/")
    await page.get_by_role("button", name=choice, exact=True).click()


async def look_at(page: Page, address: str, item: Item) -> None:
    """Open a product and leave it once the server has said that it knows."""
    async with page.expect_response("**/v1/events"):
        await page.goto(f"{address}{item.url}")


async def own_id(page: Page) -> str:
    """The beacon's random id in this browser."""
    kept = (await storage(page))["localStorage"]
    assert kept is not None
    return str(kept["a"])


async def shelf(page: Page, placement: str) -> list[str]:
    """Item ids of a shelf, once the personal answer is in its place."""
    box = page.locator(f"pz-recs[placement={placement}]")
    await box.scroll_into_view_if_needed()
    await expect(box).to_have_attribute("state", "ready")
    ids: list[str] = await box.locator("li").evaluate_all("cards => cards.map((card) => card.dataset.pzItem)")
    return ids


async def test_clicking_around_changes_the_next_page(page: Page, address: str, node: Node) -> None:
    await agree(page, address)
    before = await shelf(page, "home")
    for item in RUNNING[:3]:
        await look_at(page, address, item)
    await page.goto(f"{address}/demo/")
    after = await shelf(page, "home")
    assert after != before

    def running(ids: list[str]) -> int:
        numbers = [node.catalogue.number(item_id) for item_id in ids]
        return sum(node.catalogue.item(number).category[0] == "shoes" for number in numbers if number is not None)

    assert running(after) > running(before)
    assert (await shelf(page, "recently-viewed"))[:3] == [item.id for item in reversed(RUNNING[:3])]
    await page.get_by_role("button", name="Behind this page").click()
    await expect(page.locator("#lens-shelves li").first).to_contain_text("personalized")


async def arm_of_the_front_page(page: Page, address: str) -> str:
    """Agree as a new visitor, open the front page and hear which arm the server drew."""
    await page.add_init_script(WATCH)
    await agree(page, address)
    async with page.expect_response("**/v1/experience") as asked:
        await page.goto(f"{address}/demo/")
    told = await (await asked.value).json()
    return str(told["experiment"]["arm"])


async def test_the_front_page_takes_the_visitors_own_order_below_what_is_seen(
    browser: Browser, address: str, node: Node
) -> None:
    arms = [Arm(key="as-is", weight=1), Arm(key="new-first", weight=99, sections=OTHER_ORDER)]
    draft = await node.experiments.add(Design(key="order", name="Order", pages=["home"], arms=arms), NOW)
    await node.experiments.replace(draft, msgspec.structs.replace(draft, state="running", last_slot=10_000))
    for _ in range(6):  # a visitor in a hundred is drawn into the other arm: then another visitor comes
        async with new_page(browser) as page:
            if await arm_of_the_front_page(page, address) != "new-first":
                continue
            order = page.locator("[data-section]")
            await expect(order.last).to_have_attribute("data-section", OTHER_ORDER[-1])
            sections = await order.evaluate_all("all => all.map((one) => one.dataset.section)")
            assert [name for name in sections if name in OTHER_ORDER[2:]] == OTHER_ORDER[2:]
            await page.wait_for_timeout(300)
            assert await page.evaluate("window.shifts") == 0
            assert await page.evaluate("window.violations") == []
            break
    else:
        raise AssertionError("six visitors in a row were drawn into an arm of one in a hundred")
    running = node.experiments.get("order")
    assert running is not None
    await node.experiments.replace(running, msgspec.structs.replace(running, state="stopped"))


async def test_a_visitor_who_says_no_sends_nothing_and_still_has_a_shop(page: Page, address: str) -> None:
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url))
    await agree(page, address, "No")
    await page.goto(f"{address}{RUNNING[0].url}")
    assert len(await shelf(page, "similar")) > 3
    await page.goto(f"{address}/demo/")
    await expect(page.locator("#consent")).to_be_hidden()
    assert not [url for url in sent if "/v1/events" in url]
    assert await storage(page) == {"localStorage": None, "sessionStorage": None}
    assert await page.locator("pz-recs[placement=recently-viewed]").count() == 0


async def test_a_visitor_who_chooses_opens_only_what_was_ticked(page: Page, address: str) -> None:
    await page.goto(f"{address}/demo/")
    await page.get_by_role("button", name="Choose", exact=True).click()
    await page.get_by_label("What I bought").check()
    async with page.expect_request("**/v1/events") as waiting:
        await page.get_by_role("button", name="Save my choice").click()
    batch = json.loads((await waiting.value).post_data or "")
    assert (batch["consent"], batch["purposes"]) == ("granted", ["vault.purchases"])


async def test_what_was_bought_can_be_bought_again(page: Page, address: str) -> None:
    await agree(page, address)
    await page.goto(f"{address}{RUNNING[4].url}")
    await page.get_by_label("Quantity").select_option("2")
    await page.get_by_role("button", name="Add to cart").click()
    await expect(page.locator("[data-cart-count]")).to_have_text("2")
    await page.get_by_role("link", name="Cart, 2 items").click()
    async with page.expect_response(lambda answer: '"purchase"' in (answer.request.post_data or "")):
        await page.get_by_role("button", name="Buy, for play").click()
        await expect(page.get_by_role("heading", name="Thank you.")).to_be_visible()
    await page.goto(f"{address}/demo/")
    assert RUNNING[4].id in await shelf(page, "buy-again")


async def test_the_words_of_a_search_never_stand_in_an_address(page: Page, address: str) -> None:
    urls: list[str] = []
    page.on("request", lambda request: urls.append(request.url))
    await agree(page, address)
    await page.get_by_role("searchbox").fill("tumbling zebra")
    await page.get_by_role("searchbox").press("Enter")
    await expect(page.get_by_role("heading", name="tumbling zebra")).to_be_visible()
    await page.get_by_role("searchbox").fill("runing")
    await expect(page.locator("#results li").first).to_contain_text("Runn")
    await expect(page.locator("#search-note")).to_contain_text("not “runing”")
    await page.get_by_role("link", name="Cart, 0 items").click()
    await page.wait_for_url("**/demo/cart")
    assert not [url for url in urls if "zebra" in url or "runing" in url]


async def test_taking_it_back_forgets_at_once(page: Page, address: str) -> None:
    await agree(page, address)
    for item in RUNNING[:2]:
        await look_at(page, address, item)
    await page.locator(".pledge").get_by_role("button", name="Privacy choices").click()
    async with page.expect_response("**/v1/events"):
        await page.get_by_role("button", name="No", exact=True).click()
    assert await storage(page) == {"localStorage": None, "sessionStorage": None}
    await agree_again(page, address)
    assert await page.locator("pz-recs[placement=recently-viewed] li[data-pz-item]").count() == 0


async def agree_again(page: Page, address: str) -> None:
    await page.locator(".pledge").get_by_role("button", name="Privacy choices").click()
    await page.get_by_role("button", name="Accept all", exact=True).click()
    await page.goto(f"{address}/demo/")
    await shelf(page, "home")


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
async def test_nothing_moves_and_nothing_is_refused_on_any_page(
    browser: Browser, address: str, width: int, scheme: ColorScheme
) -> None:
    async with new_page(browser, width=width, color_scheme=scheme) as page:
        await page.add_init_script(WATCH)
        await agree(page, address)
        for path in ("/demo/", RUNNING[1].url, "/demo/c/shoes", "/demo/cart", "/demo/search"):
            await page.goto(address + path)
            for box in await page.locator("pz-recs").all():
                await box.scroll_into_view_if_needed()
                await expect(box).to_have_attribute("state", "ready" if await box.locator("a").count() else "fallback")
            assert await page.evaluate("[window.shifts, window.violations]") == [0, []], path
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path


async def test_without_scripts_the_shop_is_a_shop(browser: Browser, address: str) -> None:
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto(f"{address}/demo/")
    await expect(page.locator("pz-recs[placement=home] li").first).to_be_visible()
    await expect(page.locator("#consent")).to_be_hidden()
    await page.goto(f"{address}{RUNNING[0].url}")
    await page.get_by_role("button", name="Add to cart").click()
    await expect(page.get_by_role("heading", name="Your cart", exact=True)).to_be_visible()
    await page.get_by_label("Deliver to").select_option("DE")
    await page.get_by_role("button", name="Go").first.click()
    await expect(page.get_by_text("Delivery to Germany")).to_be_visible()
    await context.close()


async def test_the_keyboard_reaches_the_products_without_passing_the_menu(page: Page, address: str) -> None:
    await agree(page, address, "This visit only")
    await page.goto(f"{address}/demo/")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the products")).to_be_focused()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    assert await page.evaluate("!!document.activeElement.closest('main')")


async def test_a_choice_is_receipted_what_is_held_can_be_taken_along_and_forgotten(
    page: Page, address: str, node: Node
) -> None:
    async with page.expect_response("**/v1/consent") as told:
        await agree(page, address)
    answer = await (await told.value).json()
    assert answer["purposes"]["vault.purchases"]
    assert receipt_is_genuine(answer["receipt"], node.keys.receipt_public_key)
    await look_at(page, address, RUNNING[0])
    anon = await own_id(page)
    assert node.person.read(node.keys.pseudonym("anon", anon), Purpose.PROFILE) is not None
    await page.locator(".lens-open").click()
    async with page.expect_download() as saved:
        await page.get_by_role("button", name="Download what is held").click()
    held = json.loads(await anyio.Path(await (await saved.value).path()).read_text())
    assert held["known"]
    assert RUNNING[0].id in json.dumps(held["records"])
    async with page.expect_response(lambda answer: answer.request.method == "DELETE") as gone:
        await page.get_by_role("button", name="Forget me").click()
    assert (await gone.value).status == 200
    await expect(page.locator("#toast")).to_have_text("You are forgotten")
    assert node.person.read(node.keys.pseudonym("anon", anon), Purpose.NONE) is None
    assert await page.evaluate("localStorage.getItem('pz')") is None


async def test_taking_the_choice_back_reaches_the_ledger(page: Page, address: str, node: Node) -> None:
    async with page.expect_response("**/v1/consent"):
        await agree(page, address)
    anon = await own_id(page)
    await page.get_by_role("button", name="Privacy choices").first.click()
    async with page.expect_response("**/v1/consent") as told:
        await page.get_by_role("button", name="No", exact=True).click()
    assert not any((await (await told.value).json())["purposes"].values())
    held = node.person.read(node.keys.pseudonym("anon", anon), Purpose.PROFILE)
    assert held is not None
    assert (held.consent, held.profile) == (0, None)


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
async def test_every_page_of_the_shop_can_be_used_by_everyone(
    browser: Browser, address: str, width: int, scheme: ColorScheme
) -> None:
    async with new_page(browser, width=width, color_scheme=scheme) as page:
        wrong = []
        await page.goto(f"{address}/demo/")
        wrong += await violations(page)  # with the banner
        await agree(page, address)
        for path in ("/demo/", RUNNING[1].url, "/demo/c/shoes", "/demo/cart", "/demo/search"):
            await page.goto(address + path)
            await page.wait_for_load_state("networkidle")
            wrong += [f"{path} {each}" for each in await violations(page)]
        await page.get_by_role("button", name="Behind this page").click()
        await page.get_by_role("button", name="Take the tour").click()
        wrong += [f"tour and lens {each}" for each in await violations(page)]
        assert wrong == []


async def test_what_matches_is_shown_while_one_types_and_its_words_are_in_no_address(page: Page, address: str) -> None:
    urls: list[str] = []
    page.on("request", lambda request: urls.append(request.url))
    await agree(page, address)
    await page.get_by_role("searchbox").press_sequentially("runing shoe", delay=20)
    hits = page.get_by_role("group", name="What matches")
    await expect(hits.get_by_role("listitem")).to_have_count(6)
    await expect(hits.get_by_role("button")).to_contain_text("matches")
    await page.keyboard.press("Escape")
    await expect(hits).to_be_hidden()
    await page.get_by_role("searchbox").press_sequentially("runing sho", delay=20)
    await hits.get_by_role("link").first.click()
    await expect(page).to_have_url(re.compile(r"/demo/p/"))
    assert not [url for url in urls if "runing" in url.lower()]


async def test_the_tour_goes_along_from_page_to_page_until_it_is_ended(page: Page, address: str) -> None:
    await page.goto(f"{address}/demo/")
    await page.get_by_role("button", name="Take the tour").click()
    tour = page.locator("#tour")
    await expect(tour).to_contain_text("1 of 8")
    await page.get_by_role("button", name="Accept all", exact=True).click()
    await expect(tour).to_contain_text("Look at three things of one kind")
    await page.goto(f"{address}/demo/c/shoes")
    await expect(tour).to_contain_text("2 of 8")
    for _ in range(5):
        await tour.get_by_role("button", name="Next").click()
    await expect(page.get_by_role("button", name="Forget me")).to_be_visible()
    await tour.get_by_role("button", name="End the tour").click()
    await page.goto(f"{address}/demo/")
    await expect(tour).to_be_hidden()
