"""The shelf element <pz-recs> in the real browser, on a page of another origin than the server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from tests.axe import violations
from tests.shop_page import STUB, Batch, ColorScheme, Shop, new_page, open_browser, open_shop
from tests.test_beacon import HOSTILE

pytestmark = [pytest.mark.anyio, pytest.mark.browser]


@pytest.fixture(scope="module")
async def browser(chromium_path: str) -> AsyncIterator[Browser]:
    async with open_browser(chromium_path) as browser:
        yield browser


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[Shop]:
    async with open_shop() as shop:
        yield shop


@pytest.fixture
def shop(server: Shop) -> Shop:
    server.reset()
    server.attributes = 'data-consent="granted"'
    return server


@pytest.fixture
async def page(browser: Browser) -> AsyncIterator[Page]:
    async with new_page(browser) as page:
        yield page


def item(number: int, **more: object) -> dict[str, object]:
    found = {"id": f"i{number}", "index": number, "title": f"Boot {number}", "url": f"/p/i{number}", "currency": "EUR"}
    return {**found, "image": {"url": f"/img/{number}.svg", "alt": ""}, "price": 1234.5, **more}


def shelf(*items: dict[str, object], placement: str = "home") -> dict[str, object]:
    return {"placement": placement, "title": "For you", "token": f"tok-{placement}", "strategy": "personalized",
            "items": list(items), "missing_ids": []}  # fmt: skip


async def test_a_shelf_shows_what_the_server_says_with_prices_as_people_write_them(page: Page, shop: Shop) -> None:
    shop.html = '<pz-recs placement="home" locale="de-DE">Loading</pz-recs>'
    shop.answer = lambda _: {"results": [shelf(item(0), item(1, sale_price=99))]}
    await page.goto(shop.url)
    cards = page.get_by_role("region", name="For you").get_by_role("listitem")
    await expect(cards).to_have_count(2)
    await expect(cards.nth(0)).to_contain_text("1.234,50\xa0€")
    await expect(cards.nth(1)).to_contain_text("99,00\xa0€")
    await expect(cards.nth(1).locator("s")).to_have_text("1.234,50\xa0€")
    await expect(cards.nth(0).get_by_role("link")).to_have_attribute("href", "/p/i0")
    await expect(page.locator("pz-recs")).to_have_attribute("state", "ready")


@pytest.mark.parametrize(
    ("locale", "price"),
    [("en-IE", "€1,234.50"), ("de-DE", "1.234,50\xa0€"), ("fr-FR", "1\u202f234,50\xa0€"), ("nl-NL", "€\xa01.234,50")],
)
async def test_prices_are_written_in_the_pages_language(page: Page, shop: Shop, locale: str, price: str) -> None:
    shop.html = f'<pz-recs placement="home" locale="{locale}">a</pz-recs>'
    shop.answer = lambda _: {"results": [shelf(item(0))]}
    await page.goto(shop.url)
    await expect(page.locator("[data-pz=price]")).to_have_text(price, use_inner_text=False)
    assert await page.locator("[data-pz=price]").text_content() == price


@pytest.mark.parametrize("direction", ["ltr", "rtl"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_shelf_can_be_used_by_everyone_in_both_directions(
    browser: Browser, shop: Shop, direction: str, scheme: ColorScheme
) -> None:
    shop.inline = f"document.documentElement.dir = '{direction}'"
    shop.html = '<main><h1>Shop</h1><pz-recs placement="home">a</pz-recs></main>'
    why = {"code": "co_viewed", "text": "Because you viewed Boot 7"}
    shop.answer = lambda _: {"results": [shelf(*(item(n, sale_price=99, reason=why) for n in range(20)))]}
    async with new_page(browser, width=390, color_scheme=scheme) as page:
        await page.emulate_media(reduced_motion="reduce")
        await page.goto(shop.url)
        await expect(page.locator("pz-recs")).to_have_attribute("state", "ready")
        back, forth = page.get_by_role("button", name="Previous"), page.get_by_role("button", name="Next")
        await expect(back).to_have_attribute("aria-disabled", "true")
        assert await violations(page) == []
        await forth.click()
        await expect(back).to_have_attribute("aria-disabled", "false")
        moved = await page.eval_on_selector(".pz-list", "list => Math.sign(list.scrollLeft)")
        assert moved == (1 if direction == "ltr" else -1)
        await back.click()
        await expect(back).to_have_attribute("aria-disabled", "true")


async def test_shelves_of_a_page_share_one_request_that_tells_page_and_visitor(page: Page, shop: Shop) -> None:
    asked: list[Batch] = []

    def answer(body: Batch) -> object:
        asked.append(body)
        return {"results": [shelf(item(0), placement=each["placement"]) for each in body["requests"]]}

    shop.answer = answer
    shop.html = """<pz-recs placement="similar" item="i9" region="FR" limit="4" filter="price < 5">a</pz-recs>
        <pz-recs placement="cart" cart="i1,i2" exclude="i3">b</pz-recs>"""
    await page.goto(shop.url)
    await expect(page.locator("pz-recs[state=ready]")).to_have_count(2)
    [body] = asked
    assert [each["placement"] for each in body["requests"]] == ["similar", "cart"]
    assert (body["requests"][0]["limit"], body["requests"][0]["filter"]) == (4, "price < 5")
    assert body["requests"][1]["exclude"] == ["i3"]
    assert body["context"] == {"region": "FR", "locale": "en", "item": "i9", "cart": ["i1", "i2"]}
    assert body["key"] == "pk_test"
    assert len(body["visitor"]["anon"]) == 32
    recommend = [request for request in shop.requests if request.url.path == "/v1/recommendations"]
    assert [request.method for request in recommend] == ["POST"]


@pytest.mark.parametrize("consent", ["denied", "anonymous", "pending"])
async def test_without_consent_the_server_is_not_told_who_asks(page: Page, shop: Shop, consent: str) -> None:
    asked: list[dict[str, Any]] = []

    def answer(body: Batch) -> object:
        asked.append(body["visitor"])
        return {"results": [shelf(item(0))]}

    shop.answer = answer
    shop.attributes = f'data-consent="{consent}"'
    shop.html = '<pz-recs placement="home">a</pz-recs>'
    await page.goto(shop.url)
    await expect(page.locator("pz-recs")).to_have_attribute("state", "ready")
    assert asked == [{"consent": consent}]


@pytest.mark.parametrize("answer", ["empty", "broken", "late", "not found"])
async def test_what_stood_there_stays_when_there_is_nothing_better(page: Page, shop: Shop, answer: str) -> None:
    async def late() -> object:
        await asyncio.sleep(30)
        return {"results": [shelf(item(0))]}

    answers: dict[str, Any] = {"empty": {"results": [shelf()]}, "broken": "?", "not found": {"results": []}}
    shop.answer = lambda _: late() if answer == "late" else answers[answer]
    shop.html = '<pz-recs placement="home"><p>Our classics</p></pz-recs>'
    await page.clock.install()
    await page.goto(shop.url)
    if answer == "late":
        await shop.until(lambda: any("recommendations" in request.url.path for request in shop.requests))
        await page.clock.run_for(1600)
    await expect(page.locator("pz-recs")).to_have_attribute("state", "fallback")
    await expect(page.get_by_text("Our classics")).to_be_visible()


async def test_a_title_can_never_become_markup_and_a_link_never_a_script(page: Page, shop: Shop) -> None:
    evil = "<img src=x onerror=\"document.title='owned'\">"
    shop.html = '<pz-recs placement="home">a</pz-recs>'
    shop.answer = lambda _: {"results": [shelf(item(0, title=evil, url="javascript:document.title='owned'"))]}
    await page.goto(shop.url)
    await expect(page.get_by_role("listitem")).to_contain_text("<img src=x")
    await page.get_by_role("listitem").get_by_role("link").click()
    assert await page.title() == "Shop"


async def test_the_shop_may_bring_its_own_card(page: Page, shop: Shop) -> None:
    shop.html = """<pz-recs placement="home" template="mine">a</pz-recs><template id="mine"><article>
        <b data-pz="title"></b><i data-pz="price"></i><u data-pz="reason"></u><a data-pz="link">Look</a>
        </article></template>"""
    why = {"code": "co_viewed", "text": "Because you viewed Boot 7"}
    shop.answer = lambda _: {"results": [shelf(item(0, reason=why), item(1))]}
    await page.goto(shop.url)
    cards = page.locator("article")
    await expect(cards.nth(0).locator("u")).to_have_text("Because you viewed Boot 7")
    await expect(cards.nth(1).locator("u")).to_have_count(0)
    await expect(cards.nth(1).locator("i")).to_have_text("€1,234.50")


async def test_the_buttons_move_the_shelf_and_say_when_it_ends(page: Page, shop: Shop) -> None:
    shop.html = '<pz-recs placement="home" labels="Zurück, Weiter">a</pz-recs>'
    shop.answer = lambda _: {"results": [shelf(*(item(number) for number in range(20)))]}
    await page.emulate_media(reduced_motion="reduce")
    await page.goto(shop.url)
    back, forth = page.get_by_role("button", name="Zurück"), page.get_by_role("button", name="Weiter")
    await expect(back).to_have_attribute("aria-disabled", "true")
    await forth.focus()
    await page.keyboard.press("Enter")
    await expect(back).to_have_attribute("aria-disabled", "false")
    for _ in range(5):
        await page.keyboard.press("Enter")
    await expect(forth).to_have_attribute("aria-disabled", "true")


async def test_a_click_on_a_recommended_item_is_attributed(page: Page, shop: Shop) -> None:
    shop.html = '<pz-recs placement="home">a</pz-recs>'
    shop.answer = lambda _: {"results": [shelf(item(0), item(1))]}
    await page.goto(shop.url)
    await page.get_by_role("listitem").nth(1).get_by_role("link").click()
    await shop.until(lambda: "select_item" in shop.names)
    [clicked] = shop.named("select_item")[0]["params"]["items"]
    assert (clicked["item_id"], clicked["index"], clicked["item_list_id"], clicked["token"]) == (
        "i1", 1, "home", "tok-home",
    )  # fmt: skip


async def test_a_shelf_far_below_asks_only_when_it_comes_near(page: Page, shop: Shop) -> None:
    shop.html = '<div style="height:5000px"></div><pz-recs placement="home">a</pz-recs>'
    shop.answer = lambda _: {"results": [shelf(item(0))]}
    await page.goto(shop.url)
    await page.evaluate("new Promise((done) => requestIdleCallback(() => requestAnimationFrame(done)))")
    assert not [request for request in shop.requests if "recommendations" in request.url.path]
    await page.locator("pz-recs").scroll_into_view_if_needed()
    await expect(page.locator("pz-recs")).to_have_attribute("state", "ready")


async def test_it_works_under_a_strict_content_security_policy(page: Page, shop: Shop) -> None:
    shop.policy = f"default-src 'none'; script-src {shop.server}; connect-src {shop.server}; img-src 'self'"
    shop.html = '<pz-recs placement="home">a</pz-recs>'
    shop.answer = lambda _: {"results": [shelf(item(0))]}
    reports: list[str] = []
    page.on("console", lambda message: reports.append(message.text))
    await page.goto(shop.url)
    await expect(page.locator("pz-recs"), str(reports)).to_have_attribute("state", "ready")
    display = await page.eval_on_selector(".pz-list", "el => getComputedStyle(el).display")
    assert display == "grid"
    assert not [text for text in reports if "Content Security Policy" in text]


async def test_on_a_hostile_page_a_shelf_is_shown_all_the_same(page: Page, shop: Shop) -> None:
    shop.inline = HOSTILE
    shop.html = '<pz-recs placement="home">a</pz-recs>'
    shop.answer = lambda _: {"results": [shelf(item(0), item(1))]}
    await page.goto(shop.url)
    await expect(page.locator("pz-recs")).to_have_attribute("state", "ready")
    await expect(page.get_by_role("listitem")).to_have_count(2)


async def test_a_change_of_mind_is_asked_about_with_the_new_decision(page: Page, shop: Shop) -> None:
    asked: list[dict[str, Any]] = []

    def answer(body: Batch) -> object:
        asked.append(body["visitor"])
        return {"results": [shelf(item(0))]}

    shop.inline = STUB
    shop.html = '<pz-recs placement="home">a</pz-recs>'
    shop.answer = answer
    await page.goto(shop.url)
    await expect(page.locator("pz-recs")).to_have_attribute("state", "ready")
    await page.evaluate("pz('consent', 'denied'); document.querySelector('pz-recs').removeAttribute('state')")
    await page.evaluate("document.querySelector('pz-recs').refresh()")
    await expect(page.locator("pz-recs")).to_have_attribute("state", "ready")
    assert "anon" in asked[0]
    assert asked[1] == {"consent": "denied"}
