"""How much beacon and widget do to a page and when, in the real browser: counted; bench/script_cost.py times it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page, expect

from tests.shop_page import Batch, Shop, new_page, open_browser, open_shop

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

# Notes what scripts ask of the browser; what should wait until the page is idle waits until `release()`.
COUNT = """
window.done = {}; const held = []; let free = false;
const count = (owner, name, as = name) => { const original = owner[name];
    owner[name] = function (...args) { done[as] = (done[as] || 0) + 1; return original.apply(this, args) } };
count(window, 'fetch'); count(Intl, 'NumberFormat'); count(Document.prototype, 'createElement');
count(Node.prototype, 'cloneNode'); count(DocumentFragment.prototype, 'cloneNode'); count(Storage.prototype, 'getItem');
count(Storage.prototype, 'setItem'); count(IntersectionObserver.prototype, 'observe', 'seen');
count(MutationObserver.prototype, 'observe', 'changed'); count(Element.prototype, 'getBoundingClientRect', 'layout');
count(window, 'getComputedStyle', 'layout');
for (const name of ['clientWidth', 'scrollWidth', 'scrollLeft', 'scrollHeight']) {
    const { get, set } = Object.getOwnPropertyDescriptor(Element.prototype, name);
    Object.defineProperty(Element.prototype, name,
        { get() { done.layout = (done.layout || 0) + 1; return get.call(this) }, set });
}
const idle = window.requestIdleCallback;
window.requestIdleCallback = (work, options) => free ? idle(work, options) : held.push(work);
window.release = () => { free = true; held.splice(0).forEach((work) => idle(work)) };
"""
FRAMES = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))"
CARDS = "".join(
    f'<li data-pz-item="i{n}" data-pz-index="{n}" data-pz-price="9.5" data-pz-currency="EUR"><a href="/p/i{n}">'
    f'<span data-pz="reason"></span><span data-pz="title">Boot {n}</span><b data-pz="price">€9.50</b></a></li>'
    for n in range(12)
)


def drawn(placement: str) -> str:
    """A shelf as GET /v1/recommendations.html renders it, inside the element that wires it."""
    return f"""<pz-recs placement="{placement}"><section aria-labelledby="h-{placement}" data-pz-list="{placement}"
        data-pz-token="drawn"><div class="pz-head"><h2 id="h-{placement}">Popular</h2></div>
        <ul class="pz-list" role="list" aria-labelledby="h-{placement}" tabindex="0">{CARDS}</ul></section></pz-recs>"""


def answer(body: Batch) -> object:
    """The same items the other way round, with one that the page did not show in the middle."""
    why = {"code": "viewed", "text": "Because you looked"}
    found = [{"id": f"i{n}", "title": f"Boot {n}", "url": f"/p/i{n}", "price": 9.5, "currency": "EUR", "reason": why}
             for n in (11, 10, 99, 9, 0)]  # fmt: skip
    return {"results": [{"placement": ask["placement"], "title": "For you", "token": "mine", "items": found}
                        for ask in body["requests"]]}  # fmt: skip


@pytest.fixture(scope="module")
async def browser(chromium_path: str) -> AsyncIterator[Browser]:
    async with open_browser(chromium_path) as browser:
        yield browser


@pytest.fixture(scope="module")
async def shop() -> AsyncIterator[Shop]:
    async with open_shop() as shop:
        yield shop


@pytest.fixture
async def page(browser: Browser, shop: Shop) -> AsyncIterator[Page]:
    shop.reset()
    shop.answer = answer
    shop.html = drawn("home") + drawn("trending")
    async with new_page(browser, width=390) as page:
        await page.add_init_script(COUNT)
        yield page


async def visit(page: Page, shop: Shop, consent: str) -> dict[str, int]:
    """What was done before the page was idle for the first time."""
    shop.attributes = f'data-consent="{consent}"'
    await page.goto(shop.url)
    await page.evaluate(FRAMES)
    done: dict[str, int] = await page.evaluate("({...done})")
    return done


def asked(shop: Shop) -> int:
    return len([request for request in shop.requests if request.url.path == "/v1/recommendations"])


async def test_a_visitor_without_a_decision_gets_what_the_server_drew_and_nothing_is_asked(
    page: Page, shop: Shop
) -> None:
    before = await visit(page, shop, "pending")
    assert before == {"seen": 2}  # the two shelves are looked at; no card, no element, no storage, no layout
    await page.evaluate("window.first = document.querySelector('li'); release()")
    await expect(page.locator("pz-recs[state=ready]")).to_have_count(2)
    await expect(page.get_by_role("button", name="Next").first).to_be_visible()
    done = await page.evaluate("done")
    assert done["createElement"] == 4  # two buttons a shelf
    assert not done.keys() & {"fetch", "NumberFormat", "cloneNode", "getItem", "setItem", "layout"}
    assert await page.evaluate("first.isConnected && first.closest('[data-pz-token]').dataset.pzToken") == "drawn"
    assert asked(shop) == 0


async def test_a_known_visitor_costs_one_request_and_one_write_before_the_page_is_idle(page: Page, shop: Shop) -> None:
    before = await visit(page, shop, "granted")
    assert before["fetch"] == 1  # for both shelves
    assert before["setItem"] == 1
    assert before["getItem"] <= 6
    assert before["seen"] == 2
    assert not before.keys() & {"NumberFormat", "createElement", "cloneNode", "layout", "changed"}


async def test_cards_that_stand_there_already_are_kept_and_only_new_ones_are_made(page: Page, shop: Shop) -> None:
    await visit(page, shop, "granted")
    await page.evaluate("document.querySelectorAll('li').forEach((li) => (li.kept = true)); release()")
    await expect(page.locator("pz-recs[state=ready]")).to_have_count(2)
    done = await page.evaluate("({...done})")
    first = page.locator("pz-recs").first.locator("li")
    told = await first.evaluate_all("cards => cards.map((li) => [li.dataset.pzItem, li.dataset.pzIndex, !!li.kept])")
    assert told == [["i11", "0", True], ["i10", "1", True], ["i99", "2", False], ["i9", "3", True], ["i0", "4", True]]
    await page.evaluate(FRAMES)
    assert await page.evaluate("document.querySelector('.pz-list').scrollLeft") == 0  # not where the first card went
    await expect(first.first).to_contain_text("Because you looked")
    await expect(first.nth(2)).to_contain_text("€9.50")
    await expect(page.get_by_role("region", name="For you").first).to_have_attribute("data-pz-token", "mine")
    assert done["NumberFormat"] == 1  # one formatter for all prices of a page
    assert "layout" not in done  # no layout is forced
    assert asked(shop) == 1


async def test_a_shelf_that_was_drawn_asks_when_the_shop_says_so(page: Page, shop: Shop) -> None:
    await visit(page, shop, "denied")
    await page.evaluate("release()")
    await expect(page.locator("pz-recs[state=ready]")).to_have_count(2)
    await page.evaluate("document.querySelector('pz-recs').refresh()")
    await expect(page.get_by_role("region", name="For you")).to_have_count(1)
    assert asked(shop) == 1


async def test_a_page_that_is_never_idle_is_told_all_the_same(page: Page, shop: Shop) -> None:
    shop.inline = "setInterval(() => { const until = performance.now() + 45; while (performance.now() < until); }, 50)"
    shop.attributes = 'data-consent="granted"'
    await page.goto(shop.url)
    await page.evaluate("release()")
    await shop.until(lambda: {"page_view", "view_item_list"} <= set(shop.names))
    await expect(page.locator("pz-recs[state=ready]")).to_have_count(2)
