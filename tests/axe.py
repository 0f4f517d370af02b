"""Asks axe-core what in a page is in the way of people who see, hear or point otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Page

AXE = Path(__file__).parent.parent / "node_modules/axe-core/axe.min.js"
_CHECK = """async () => {
    const found = await axe.run(document, {resultTypes: ['violations']});
    const told = (each) => each.nodes.map((node) => node.html.slice(0, 160)).join(' | ');
    return found.violations.map((each) => each.id + ': ' + told(each));
}"""


async def violations(page: Page) -> list[str]:
    """Every rule that the page breaks, with its elements; evaluated, so that no policy is in the way."""
    if not AXE.is_file():
        pytest.fail(f"{AXE} is missing; `make test` installs it")
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(AXE.read_text())
    found: list[str] = await page.evaluate(_CHECK)
    return found
