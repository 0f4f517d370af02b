"""The beacon in the real browser, on a page of another origin than the server."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page

from tests.shop_page import STUB, Shop, new_page, open_browser, open_shop, storage

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

SHELF = """<section data-pz-list="home" data-pz-token="tok-1"><ul>
<li data-pz-item="boot" data-pz-index="0" data-pz-price="90"><a href="/p/boot" id="boot">Boot</a></li>
<li data-pz-item="sock" data-pz-index="1" data-pz-price="9"><a href="/p/sock" id="sock">Sock</a></li></ul></section>"""
BUY = """<form data-pz-currency="EUR"><div data-pz-item="boot" data-pz-price="90" data-pz-quantity="2">
<button type="button" data-pz-event="add_to_cart" id="buy">Buy</button></div></form>"""


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
    return server


@pytest.fixture
async def page(browser: Browser) -> AsyncIterator[Page]:
    async with new_page(browser) as page:
        await page.clock.install()
        yield page


async def visit(page: Page, shop: Shop, path: str = "/", consent: str = "granted") -> None:
    shop.attributes = f'data-consent="{consent}"'
    await page.goto(shop.url + path)


async def flush(page: Page) -> None:
    await page.evaluate("pz('flush')")


async def settled(page: Page) -> None:
    """The page's clock runs on until whatever would be sent has been sent."""
    await flush(page)
    await page.clock.run_for(3000)
    await page.evaluate("fetch('/barrier').then((answer) => answer.text())")


async def test_nothing_leaves_or_is_stored_before_the_visitor_decides(page: Page, shop: Shop) -> None:
    await visit(page, shop, consent="pending")
    await page.evaluate("pz('view_item', {items: [{item_id: 'boot'}]})")
    await settled(page)
    assert shop.requests == []
    assert await storage(page) == {"localStorage": None, "sessionStorage": None}
    await page.evaluate("pz('consent', 'granted', {purposes: ['vault.searches'], version: '2026-11'})")
    await shop.until(lambda: {"page_view", "view_item"} <= set(shop.names))
    batch = shop.batches[0]
    assert (batch["consent"], batch["purposes"], batch["consent_version"]) == ("granted", ["vault.searches"], "2026-11")
    assert re.fullmatch("[0-9a-f]{32}", batch["anon"])


async def test_at_most_fifty_events_wait_for_a_decision(page: Page, shop: Shop) -> None:
    await visit(page, shop, consent="pending")
    await page.evaluate("for (let i = 0; i < 200; i++) pz('view_item', {items: [{item_id: 'i' + i}]})")
    await page.evaluate("pz('consent', 'granted')")
    await shop.until(lambda: len(shop.events) >= 50)
    await settled(page)
    assert len(shop.events) == 50


async def test_a_visitor_who_said_no_is_not_heard_of(page: Page, shop: Shop) -> None:
    await visit(page, shop, consent="denied")
    await page.evaluate("pz('purchase', {transaction_id: 't', items: [{item_id: 'boot'}]})")
    await settled(page)
    await visit(page, shop, "/next", consent="denied")
    assert shop.requests == []
    assert await storage(page) == {"localStorage": None, "sessionStorage": None}


async def test_anonymous_events_carry_no_id_and_cannot_be_joined(page: Page, shop: Shop) -> None:
    await visit(page, shop, consent="anonymous")
    await page.evaluate("pz('identify', 'user-1', 'signature'); pz('view_item', {items: [{item_id: 'boot'}]})")
    await flush(page)
    await shop.until(lambda: {"page_view", "view_item"} <= set(shop.names))
    for batch in shop.batches:
        assert not batch.keys() & {"anon", "session", "user", "user_sig"}
    assert all("page" not in event for event in shop.events)
    prefixes = {event["id"].partition("-")[0] for event in shop.events}
    assert len(prefixes) == len(shop.events)
    assert await storage(page) == {"localStorage": None, "sessionStorage": None}


async def test_a_visitor_who_agreed_is_known_on_the_next_page(page: Page, shop: Shop) -> None:
    await visit(page, shop)
    await flush(page)
    await shop.until(lambda: len(shop.named("page_view")) == 1)
    await visit(page, shop, "/second")
    await flush(page)
    await shop.until(lambda: len(shop.named("page_view")) == 2)
    assert len({(batch["anon"], batch["session"]) for batch in shop.batches}) == 1
    assert await page.context.cookies() == []


async def test_a_consent_platforms_strings_go_along_with_ids_only(page: Page, shop: Shop) -> None:
    await visit(page, shop, consent="anonymous")
    await page.evaluate("pz('set', {region: 'FR', signals: {tcf: 'CPXxRfA', gcm: {ad_storage: 'denied'}}})")
    await flush(page)
    await shop.until(lambda: len(shop.batches) == 1)
    assert "signals" not in shop.batches[0]  # it says to the second when somebody decided: an id by another name
    await page.evaluate("pz('consent', 'granted')")
    assert (await page.evaluate("pz('visitor')"))["signals"]["tcf"] == "CPXxRfA"
    await page.evaluate("pz('view_item', {items: [{item_id: 'SKU1'}]})")
    await flush(page)
    await shop.until(lambda: bool(shop.named("view_item")))
    assert shop.batches[-1]["signals"] == {"tcf": "CPXxRfA", "gcm": {"ad_storage": "denied"}}


async def test_a_visit_ends_after_thirty_idle_minutes(page: Page, shop: Shop) -> None:
    await visit(page, shop)
    first = await page.evaluate("pz('visitor')")
    await page.evaluate("""() => { const kept = JSON.parse(localStorage.pz); kept.t -= 31 * 60e3;
        localStorage.pz = JSON.stringify(kept) }""")
    second = await page.evaluate("pz('visitor')")
    assert first["anon"] == second["anon"]
    assert first["session"] != second["session"]


async def test_for_this_visit_only_leaves_nothing_lasting(page: Page, shop: Shop) -> None:
    await visit(page, shop, consent="session")
    await flush(page)
    await shop.until(lambda: len(shop.batches) == 1)
    batch = shop.batches[0]
    assert batch["consent"] == "session"
    assert "anon" not in batch
    assert re.fullmatch("[0-9a-f]{32}", batch["session"])
    kept = await storage(page)
    assert kept["localStorage"] is None
    assert kept["sessionStorage"] is not None


@pytest.mark.parametrize(("decision", "state"), [("", "anonymous"), ("pz('consent', 'granted');", "granted")])
async def test_global_privacy_control_counts_unless_the_visitor_decided(
    page: Page, shop: Shop, decision: str, state: str
) -> None:
    await page.add_init_script("Object.defineProperty(navigator, 'globalPrivacyControl', {value: true})")
    shop.inline = STUB + decision
    await visit(page, shop, consent="pending")
    await flush(page)
    await shop.until(lambda: len(shop.batches) == 1)
    assert shop.batches[0]["consent"] == state
    assert ("anon" in shop.batches[0]) == (state == "granted")


async def test_withdrawing_removes_ids_and_what_waits_and_tells_the_server_once(page: Page, shop: Shop) -> None:
    await visit(page, shop)
    await flush(page)
    await shop.until(lambda: "page_view" in shop.names)
    anon = shop.batches[0]["anon"]
    await page.evaluate("pz('view_item', {items: [{item_id: 'secret'}]}); pz('consent', 'denied')")
    await shop.until(lambda: "consent_update" in shop.names)
    await settled(page)
    assert (shop.batches[-1]["anon"], shop.batches[-1]["consent"]) == (anon, "denied")
    assert "view_item" not in shop.names
    assert await storage(page) == {"localStorage": None, "sessionStorage": None}


async def test_narrowing_to_this_visit_ends_what_outlives_it(page: Page, shop: Shop) -> None:
    await visit(page, shop)
    anon = (await page.evaluate("pz('visitor')"))["anon"]
    await page.evaluate("pz('consent', 'session')")
    await shop.until(lambda: "consent_update" in shop.names)
    update = next(batch for batch in shop.batches if batch["events"][0]["name"] == "consent_update")
    assert (update["anon"], update["consent"]) == (anon, "denied")
    assert (await page.evaluate("pz('visitor')"))["anon"] is None
    assert (await storage(page))["localStorage"] is None


async def test_a_decision_that_cannot_be_read_is_a_no(page: Page, shop: Shop) -> None:
    await visit(page, shop)
    await page.evaluate("pz('consent', 'grantde')")
    assert (await page.evaluate("pz('visitor')"))["consent"] == "denied"
    assert await storage(page) == {"localStorage": None, "sessionStorage": None}


async def test_another_tab_that_withdraws_silences_this_one(page: Page, shop: Shop) -> None:
    await visit(page, shop)
    await flush(page)
    await shop.until(lambda: "page_view" in shop.names)
    other = await page.context.new_page()
    await other.goto(shop.url)
    await other.evaluate("pz('consent', 'denied')")
    await page.wait_for_function("pz('visitor').consent == 'pending'")
    assert await storage(page) == {"localStorage": None, "sessionStorage": None}


async def test_what_a_visitor_cleared_is_not_written_back_when_the_page_is_left(page: Page, shop: Shop) -> None:
    await visit(page, shop)
    await flush(page)
    await shop.until(lambda: "page_view" in shop.names)
    anon = shop.batches[0]["anon"]
    shop.status = 503
    await page.evaluate("pz('purchase', {transaction_id: 't', items: [{item_id: 'boot'}]})")
    await shop.until(lambda: len(shop.requests) == 2)
    shop.status = 202
    await page.evaluate("pz('view_item', {items: [{item_id: 'boot'}]}); localStorage.clear()")
    await page.clock.fast_forward(20_000)  # engaged time to tell
    await page.goto("about:blank")
    later = await browser_page(page)
    await visit(later, shop, "/later", consent="pending")
    assert await storage(later) == {"localStorage": None, "sessionStorage": None}
    await later.evaluate("pz('consent', 'granted')")
    await shop.until(lambda: len(shop.batches) == 2)
    assert "purchase" not in shop.names
    assert shop.batches[1]["anon"] != anon
    assert len({event["id"].partition("-")[0] for event in shop.batches[1]["events"]}) == 1  # of the later page alone


async def test_what_a_visitor_cleared_in_one_tab_is_written_back_by_none(page: Page, shop: Shop) -> None:
    await visit(page, shop)
    other = await browser_page(page)
    await visit(other, shop, "/other")
    anon = (await other.evaluate("pz('visitor')"))["anon"]
    assert (await page.evaluate("pz('visitor')"))["anon"] == anon
    await other.evaluate("localStorage.clear()")
    await page.evaluate("pz('add_to_cart', {items: [{item_id: 'boot'}]})")
    for tab in (page, other):
        assert (await tab.evaluate("pz('visitor')")).get("anon") is None
        await tab.goto("about:blank")
    later = await browser_page(page)
    await visit(later, shop, "/later", consent="pending")
    assert await storage(later) == {"localStorage": None, "sessionStorage": None}
    assert "add_to_cart" not in shop.names


async def test_a_browser_that_keeps_nothing_is_not_taken_for_one_that_was_cleared(page: Page, shop: Shop) -> None:
    shop.inline = "Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError') }"
    await visit(page, shop)
    await page.evaluate("pz('view_item', {items: [{item_id: 'boot'}]})")
    await flush(page)
    await shop.until(lambda: "view_item" in shop.names)
    assert {batch["consent"] for batch in shop.batches} == {"granted"}
    assert len({batch["anon"] for batch in shop.batches}) == 1


async def test_requests_need_no_preflight_and_carry_neither_cookies_nor_query_strings(page: Page, shop: Shop) -> None:
    await page.context.add_cookies([{"name": "secret", "value": "1", "url": shop.server}])
    shop.attributes = 'data-consent="granted"'
    await page.goto(shop.url + "/p/1?email=someone@example.org#part")
    await flush(page)
    await shop.until(lambda: len(shop.batches) == 1)
    [request] = shop.requests
    assert request.method == "POST"
    assert request.headers["content-type"].startswith("text/plain")
    assert "cookie" not in request.headers
    assert shop.batches[0]["page"]["url"] == "/p/1"
    assert "example.org" not in str(shop.batches)


async def test_a_purchase_survives_an_unwell_server_and_a_closed_page(page: Page, shop: Shop) -> None:
    await visit(page, shop)
    shop.status = 503
    await page.evaluate("pz('purchase', {transaction_id: 't', items: [{item_id: 'boot'}], currency: 'EUR', value: 90})")
    await shop.until(lambda: len(shop.requests) >= 1)
    await page.close()
    assert shop.batches == []
    shop.status = 202
    later = await browser_page(page)
    await visit(later, shop, "/later")
    await flush(later)
    await shop.until(lambda: "purchase" in shop.names)
    await later.wait_for_function("!JSON.parse(localStorage.pz).q.length")
    assert len({event["id"] for event in shop.named("purchase")}) == 1


async def browser_page(page: Page) -> Page:
    return await page.context.new_page()


async def test_a_purchase_arrives_where_send_beacon_is_blocked(page: Page, shop: Shop) -> None:
    await page.add_init_script("navigator.sendBeacon = () => { throw new Error('blocked') }")
    await visit(page, shop)
    await page.evaluate("pz('purchase', {transaction_id: 't', items: [{item_id: 'boot'}]})")
    await shop.until(lambda: "purchase" in shop.names)
    await page.evaluate("pz('view_item', {items: [{item_id: 'sock'}]})")
    await page.goto("about:blank")
    await shop.until(lambda: "view_item" in shop.names)


async def test_what_waits_is_sent_when_the_page_is_left(page: Page, shop: Shop) -> None:
    await visit(page, shop)
    await page.evaluate("pz('view_item', {items: [{item_id: 'boot'}]})")
    await page.goto("about:blank")
    await shop.until(lambda: {"page_view", "view_item"} <= set(shop.names))


async def test_a_click_on_a_shelf_gets_the_credit_for_what_is_bought_later(page: Page, shop: Shop) -> None:
    shop.html = SHELF + BUY
    await visit(page, shop)
    await page.click("#boot")
    await page.wait_for_url("**/p/boot")
    await shop.until(lambda: "select_item" in shop.names)
    [clicked] = shop.named("select_item")[0]["params"]["items"]
    assert (clicked["item_id"], clicked["index"], clicked["item_list_id"], clicked["token"]) == (
        "boot", 0, "home", "tok-1",
    )  # fmt: skip
    await page.click("#buy")
    await shop.until(lambda: "add_to_cart" in shop.names)
    cart = shop.named("add_to_cart")[0]["params"]
    assert (cart["value"], cart["currency"], cart["items"][0]["quantity"]) == (180, "EUR", 2)
    assert cart["items"][0]["token"] == "tok-1"


async def test_a_middle_click_counts_and_a_right_click_does_not(page: Page, shop: Shop) -> None:
    shop.html = SHELF
    await visit(page, shop)
    await page.click("#sock", button="right")
    await page.click("#boot", button="middle")
    await flush(page)
    await shop.until(lambda: "select_item" in shop.names)
    await settled(page)
    assert [event["params"]["items"][0]["item_id"] for event in shop.named("select_item")] == ["boot"]


async def in_sight(page: Page, shop: Shop) -> None:
    """Let the browser look, then its clock run on, until the shelf has been told."""
    while "view_item_list" not in shop.names:
        await page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        await settled(page)


async def test_what_was_in_sight_for_a_second_is_told_once_per_page(page: Page, shop: Shop) -> None:
    shop.html = SHELF + '<div style="height:3000px"></div><div data-pz-list="foot"><p data-pz-item="late">Far</p></div>'
    await visit(page, shop)
    await in_sight(page, shop)
    await page.evaluate("document.querySelector('section').style.display = 'none'")
    await page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    await page.evaluate("document.querySelector('section').style.display = ''")
    await settled(page)
    [seen] = shop.named("view_item_list")
    assert seen["params"]["item_list_id"] == "home"
    assert [item["item_id"] for item in seen["params"]["items"]] == ["boot", "sock"]


async def test_cards_that_come_later_are_seen_too(page: Page, shop: Shop) -> None:
    await visit(page, shop)
    await page.evaluate("html => document.body.insertAdjacentHTML('beforeend', html)", SHELF)
    await in_sight(page, shop)


async def test_a_page_change_without_loading_is_a_page_view(page: Page, shop: Shop) -> None:
    await visit(page, shop)
    await page.evaluate("history.pushState({}, '', '/second?q=1'); history.replaceState({}, '', '/second?q=2')")
    await flush(page)
    await shop.until(lambda: len(shop.named("page_view")) == 2)
    await page.evaluate("history.back()")
    await flush(page)
    await shop.until(lambda: len(shop.named("page_view")) == 3)
    assert len({event["page"] for event in shop.named("page_view")}) == 3
    assert shop.batches[-1]["page"] == {"url": "/", "ref": "/second"}


async def test_engaged_time_is_told_when_the_page_is_left(page: Page, shop: Shop) -> None:
    shop.html = '<script type="application/json" data-pz-event="view_item">{"items":[{"item_id":"boot"}]}</script>'
    await visit(page, shop)
    await page.clock.fast_forward(12_000)
    await page.mouse.move(5, 5)
    await page.clock.fast_forward(300_000)
    await page.goto("about:blank")
    await shop.until(lambda: "user_engagement" in shop.names)
    [engaged] = shop.named("user_engagement")
    assert engaged["item"] == "boot"
    assert 41_000 <= engaged["params"]["engagement_time_msec"] <= 44_000  # 12 s, then at most 30 s without a move
    assert engaged["params"]["percent_scrolled"] == 100


async def test_data_in_the_page_becomes_an_event(page: Page, shop: Shop) -> None:
    shop.html = """<script type="application/json" data-pz-event="purchase">
        {"transaction_id": "t1", "currency": "EUR", "value": 9, "items": [{"item_id": "sock"}]}</script>"""
    await visit(page, shop)
    await shop.until(lambda: "purchase" in shop.names)
    assert shop.named("purchase")[0]["item"] == "sock"


async def test_a_server_that_is_gone_for_good_is_left_alone(page: Page, shop: Shop) -> None:
    shop.status = 410
    await visit(page, shop)
    await flush(page)
    await shop.until(lambda: len(shop.requests) == 1)
    await settled(page)
    await page.evaluate("pz('add_to_cart', {items: [{item_id: 'boot'}]})")
    await settled(page)
    assert len(shop.requests) == 1


async def test_five_thousand_events_are_bounded_in_memory_and_requests(page: Page, shop: Shop) -> None:
    await visit(page, shop)
    await page.evaluate("for (let i = 0; i < 5000; i++) pz('view_item', {items: [{item_id: 'i' + i}]})")
    await settled(page)
    await settled(page)
    assert len(shop.events) <= 220
    assert len(shop.requests) <= 10


HOSTILE = """
Object.freeze(Array.prototype); Object.freeze(Object.prototype);
const refuse = { get() { throw new DOMException('no', 'SecurityError') } };
Object.defineProperty(window, 'localStorage', refuse); Object.defineProperty(window, 'sessionStorage', refuse);
delete Navigator.prototype.sendBeacon;
"""


async def test_on_a_hostile_page_the_beacon_still_works_and_never_throws(page: Page, shop: Shop) -> None:
    shop.inline = HOSTILE
    shop.html = SHELF + '<script type="application/json" data-pz-event="view_item">not json</script>'
    await visit(page, shop)
    await page.evaluate("pz('view_item', null); pz(); pz('toString'); pz('purchase', {items: 'x'})")
    await page.evaluate("pz('consent', 'granted'); pz('add_to_cart', {items: [{item_id: 'boot'}]})")
    await shop.until(lambda: "add_to_cart" in shop.names)


async def test_on_a_page_whose_policy_forbids_the_server_nothing_is_sent_and_nothing_breaks(
    page: Page, shop: Shop
) -> None:
    shop.policy = f"default-src 'none'; script-src {shop.server} 'unsafe-inline'; connect-src 'self'"
    shop.html = SHELF + "<button onclick=\"document.title = 'bought'\">Buy</button>"
    await visit(page, shop)
    await page.evaluate("for (let i = 0; i < 5000; i++) pz('view_item', {items: [{item_id: 'i' + i}]})")
    await page.evaluate("pz('purchase', {items: [{item_id: 'boot'}], transaction_id: 't'})")
    await page.click("button")
    await page.clock.run_for(120_000)
    assert await page.title() == "bought"
    assert shop.requests == []
    kept = (await storage(page))["localStorage"]
    assert kept is not None
    assert len(kept["q"]) == 1  # the purchase waits for a page that may send it


DATA_LAYER = """window.dataLayer = [{event: 'gtm.js'}];
function gtag() { dataLayer.push(arguments) }
gtag('event', 'view_item', {items: [{item_id: 'boot', price: 90}], currency: 'EUR', user_data: {email: 'a@b.c'}});"""


async def test_what_a_page_tells_google_is_heard_without_a_line_of_our_own(page: Page, shop: Shop) -> None:
    shop.inline = DATA_LAYER
    await visit(page, shop)
    await page.evaluate(
        """const boots = [{item_id: 'boot', quantity: 2}];
        dataLayer.push({event: 'add_to_cart', ecommerce: {currency: 'EUR', items: boots}});
        gtag('event', 'view_search_results', {search_term: 'boots'}); gtag('event', 'scroll', {});
        dataLayer.push({user: 'anna'});
        dataLayer.push({event: 'purchase', ecommerce: {transaction_id: 'A1', value: 180, items: boots}})"""
    )
    await settled(page)
    await shop.until(lambda: "purchase" in shop.names)
    assert sorted(set(shop.names)) == ["add_to_cart", "page_view", "purchase", "view_item", "view_search_results"]
    assert shop.named("view_item")[0]["params"] == {
        "items": [{"item_id": "boot", "price": 90}],
        "currency": "EUR",
    }
    assert shop.named("purchase")[0]["params"]["transaction_id"] == "A1"
    assert await page.evaluate("dataLayer.length") == 7  # the page's own layer is as it would be without us


async def test_a_product_in_the_page_is_viewed_once_however_often_it_is_told(page: Page, shop: Shop) -> None:
    product = (
        '{"@context":"https://schema.org","@graph":[{"@type":"WebPage"},{"@type":"Product","sku":"boot","name":"B"}]}'
    )
    shop.html = f'<script type="application/ld+json">{product}</script>'
    await visit(page, shop)
    await page.evaluate(
        """window.dataLayer = window.dataLayer || [];
        dataLayer.push({event: 'view_item', ecommerce: {items: [{item_id: 'boot'}]}})"""
    )
    await page.evaluate("history.pushState({}, '', '/p/other')")
    await settled(page)
    await shop.until(lambda: shop.names.count("page_view") == 2)
    assert [event["params"]["items"][0]["item_id"] for event in shop.named("view_item")] == ["boot"]


async def test_google_consent_mode_decides_where_the_shop_says_so(page: Page, shop: Shop) -> None:
    shop.inline = """window.dataLayer = []; function gtag() { dataLayer.push(arguments) }
    const no = {analytics_storage: 'denied', personalization_storage: 'denied'};
    gtag('consent', 'default', {...no, wait_for_update: 500})"""
    await visit(page, shop, consent="google")
    await settled(page)
    assert shop.batches == []
    assert await storage(page) == {"localStorage": None, "sessionStorage": None}
    await page.evaluate("gtag('consent', 'update', {analytics_storage: 'granted', personalization_storage: 'granted'})")
    await flush(page)
    await shop.until(lambda: "page_view" in shop.names)
    assert shop.batches[0]["consent"] == "granted"
    assert shop.batches[0]["signals"]["gcm"]["analytics_storage"] == "granted"
    await page.evaluate("gtag('consent', 'update', no)")
    await shop.until(lambda: "consent_update" in shop.names)
    assert shop.batches[-1]["consent"] == "denied"
    assert await page.evaluate("localStorage.getItem('pz')") is None


async def test_a_page_kept_in_the_back_forward_cache_is_viewed_anew(page: Page, shop: Shop) -> None:
    await visit(page, shop)
    await page.clock.run_for(100)
    await page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', {persisted: false}))")
    await page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")
    await settled(page)
    await shop.until(lambda: shop.names.count("page_view") == 2)


async def test_what_happens_offline_arrives_when_the_network_is_back(page: Page, shop: Shop) -> None:
    await visit(page, shop)
    await settled(page)
    await page.context.set_offline(True)
    await page.evaluate("pz('view_item', {items: [{item_id: 'boot'}]}); pz('flush')")
    await page.clock.run_for(2_000)
    await page.context.set_offline(False)
    await page.clock.run_for(60_000)
    await shop.until(lambda: "view_item" in shop.names)
    assert len(shop.named("view_item")) == 1


async def test_a_page_rendered_ahead_is_not_viewed_before_it_is_shown(page: Page, shop: Shop) -> None:
    shop.inline = "Object.defineProperty(document, 'prerendering', {value: true, configurable: true})"
    await visit(page, shop)
    await page.clock.run_for(3_000)
    assert await page.evaluate("typeof (window.pz || {}).on") == "undefined"
    assert shop.batches == []
    await page.evaluate("document.dispatchEvent(new Event('prerenderingchange'))")
    await flush(page)
    await shop.until(lambda: "page_view" in shop.names)


async def test_cards_in_a_tab_in_the_background_are_not_seen(page: Page, shop: Shop) -> None:
    shop.inline = "Object.defineProperty(document, 'hidden', {value: true, configurable: true})"
    shop.html = SHELF
    await visit(page, shop)
    await page.clock.run_for(5_000)
    await settled(page)
    assert "view_item_list" not in shop.names
