"""Views are counted right where a page comes back from Chromium's cache or was rendered ahead: by real navigations."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import async_playwright

from tests.shop_page import ARGUMENTS, Shop, open_shop

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

NOTE = "const note = (...said) => fetch('/note', {method: 'POST', keepalive: true, body: JSON.stringify(said)});"
SHOWN = "addEventListener('pageshow', (e) => { (window.shown = window.shown || []).push(e.persisted) });"
AHEAD = """<script type="speculationrules">
{"prerender": [{"urls": ["/visited", "/never"], "eagerness": "immediate"}]}</script>"""
# Says what became of a page, and goes on by itself once the server says so: a browser that is driven through its
# debugger does not render ahead.
BY_ITSELF = (
    NOTE
    + """
note('runs', location.pathname, document.prerendering);
document.addEventListener('prerenderingchange', () =>
    note('shown', location.pathname, performance.getEntriesByType('navigation')[0].activationStart));
if (location.pathname == '/start') (async () => {
    while ((await (await fetch('/go')).text()) != 'yes') await new Promise((done) => setTimeout(done, 100));
    location.href = '/visited';
})();"""
)


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with open_shop() as shop:
        shop.attributes = 'data-consent="granted"'
        yield shop


def views(shop: Shop) -> list[str]:
    """Paths of the pages whose views were told, in order."""
    return [batch["page"]["url"] for batch in shop.batches for event in batch["events"] if event["name"] == "page_view"]


async def test_going_back_to_a_page_that_the_browser_kept_is_a_view(shop: Shop, chromium_path: str) -> None:
    shop.inline = SHOWN
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium_path, args=ARGUMENTS, ignore_default_args=["--disable-back-forward-cache"]
        )
        page = await browser.new_page()
        await page.goto(f"{shop.url}/first")
        await shop.until(lambda: views(shop) == ["/first"])
        await page.evaluate("window.kept = true")
        await page.goto(f"{shop.url}/second")
        await shop.until(lambda: views(shop) == ["/first", "/second"])
        await page.go_back(wait_until="commit")
        await page.wait_for_function("(window.shown || []).length == 2")
        why_not = await page.evaluate(
            "JSON.stringify(performance.getEntriesByType('navigation')[0].notRestoredReasons)"
        )
        assert await page.evaluate("[window.kept, ...window.shown]") == [True, False, True], why_not
        await shop.until(lambda: views(shop) == ["/first", "/second", "/first"])
        await browser.close()
    assert len({event["page"] for event in shop.named("page_view")}) == 3
    assert len({batch["anon"] for batch in shop.batches}) == 1


@asynccontextmanager
async def visitor(chromium_path: str, profile: Path, url: str) -> AsyncIterator[None]:
    """A Chromium that nobody drives, at an address."""
    process = await asyncio.create_subprocess_exec(
        chromium_path, "--headless=new", f"--user-data-dir={profile}", *ARGUMENTS, url,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield
    finally:
        process.terminate()
        await process.wait()


async def test_a_page_rendered_ahead_is_a_view_once_it_is_shown_and_none_if_it_never_is(
    shop: Shop, chromium_path: str, tmp_path: Path
) -> None:
    shop.inline, shop.html = BY_ITSELF, AHEAD
    async with visitor(chromium_path, tmp_path / "profile", f"{shop.url}/start"):
        await shop.until(lambda: {"/visited", "/never"} <= {said[1] for said in shop.notes}, "pages rendered ahead")
        assert ["runs", "/visited", True] in shop.notes
        assert ["runs", "/never", True] in shop.notes
        await shop.until(lambda: views(shop) == ["/start"])
        shop.go = True
        await shop.until(lambda: "/visited" in views(shop))
        [activation] = [said[2] for said in shop.notes if said[:2] == ["shown", "/visited"]]
        assert activation > 0
    assert views(shop) == ["/start", "/visited"]
    visited = next(batch for batch in shop.batches if batch["page"]["url"] == "/visited")
    assert visited["page"]["ref"] == f"{shop.url}/start"
