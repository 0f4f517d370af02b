"""Asks the console as a browser would: signed in with a cookie, reading pages, sending their forms."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from html import unescape
from html.parser import HTMLParser

import httpx
from starlette.applications import Starlette

from app.node import Node
from app.routes.admin import COOKIE
from store.accounts import EVERY_ROLE
from tests.signed_in import headers_of

HTML = {"accept": "text/html,application/xhtml+xml"}
ATTACK = "<img src=x onerror=alert(1)><script>alert(2)</script>"
Fields = dict[str, str | list[str]]


@dataclass(frozen=True)
class Console:
    """An open node and its application."""

    node: Node
    app: Starlette

    @asynccontextmanager
    async def browser(self, *roles: str, confirmed: bool = True) -> AsyncIterator[httpx.AsyncClient]:
        """Somebody signed in with one role, or with every, or not at all, asking as a browser does."""
        told = roles[0] if len(roles) == 1 else EVERY_ROLE
        headers = await headers_of(self.node, told, confirmed=confirmed) if roles else {}
        session = headers.get("cookie", "").partition("=")[2]
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app), base_url="https://personalize.example", headers=HTML,
            cookies={COOKIE: session} if session else {},
        ) as client:  # fmt: skip
            yield client


def hidden(page: str, name: str) -> str:
    """The value of a hidden field."""
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found, f"no {name} in the page"
    return unescape(found[1])


def read_tags(page: str) -> list[tuple[str, dict[str, str | None]]]:
    """Every element's name and attributes, as a browser reads them."""
    found: list[tuple[str, dict[str, str | None]]] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.append((tag, dict(attrs)))

    Reader().feed(page)
    return found


async def fill_in(client: httpx.AsyncClient, page: str, action: str, **fields: str | list[str]) -> httpx.Response:
    """Open a page and send its form."""
    told = (await client.get(page)).text
    sealed: Fields = {"csrf": hidden(told, "csrf"), "once": hidden(told, "once")}
    return await client.post(action, data={**sealed, **fields})


async def undo(client: httpx.AsyncClient, page: str) -> httpx.Response:
    """Press the button that takes back what was just done."""
    told = (await client.get(page)).text
    notice = told[told.index('<div class="notices"') : told.index("</header>", told.index('<div class="notices"'))]
    form = re.search(r'<form method="post" action="([^"]+)" class="inline">(.*?)</form>', notice, re.S)
    assert form, "nothing can be taken back"
    fields = {name: unescape(value) for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', form[2])}
    return await client.post(unescape(form[1]), data=fields)
