"""A page of somebody's shop in the real Chromium, and a server that notes everything the page sends it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.asyncio.run import worker_serve
from hypercorn.config import Config
from playwright.async_api import Browser, BrowserContext, Page, async_playwright
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from app.storefront.assets import load_assets

ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
STUB = "window.pz = window.pz || function () { (pz.q = pz.q || []).push(arguments) };"
Batch = dict[str, Any]
ColorScheme = Literal["light", "dark"]


@dataclass
class Shop:
    """One server, two origins: the shop is `localhost`, the personalization server is `127.0.0.1` on the same port."""

    port: int = 0
    html: str = ""
    """Body of every page of the shop."""
    attributes: str = ""
    """Further attributes of the beacon's script element."""
    inline: str = ""
    """A script that runs before the beacon."""
    policy: str = "default-src * 'unsafe-inline'"
    """The page's Content-Security-Policy."""
    status: int = 202
    answer: Callable[[Batch], object] = field(default=lambda _: {})
    """What POST /v1/recommendations says; an exception becomes 500."""
    batches: list[Batch] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    notes: list[Any] = field(default_factory=list)
    """What pages said of themselves: `fetch('/note', {method: 'POST', body: JSON.stringify(…)})`."""
    go: bool = False
    """What GET /go answers to a page that waits to be told to go on."""
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def server(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def events(self) -> list[dict[str, Any]]:
        return [event for batch in self.batches for event in batch["events"]]

    @property
    def names(self) -> list[str]:
        return [event["name"] for event in self.events]

    def named(self, name: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["name"] == name]

    async def until(self, condition: Callable[[], bool], what: str = "the events") -> None:
        """Wait for what the page sends; a test that waits in vain says what came instead."""
        try:
            async with asyncio.timeout(8), self.changed:
                await self.changed.wait_for(condition)
        except TimeoutError:
            raise AssertionError(f"{what} did not come, only {self.names}") from None

    def reset(self) -> None:
        """As new, for the next test."""
        self.html = self.attributes = self.inline = ""
        self.policy = Shop.policy
        self.status, self.go = 202, False
        self.answer = lambda _: {}
        self.batches, self.requests, self.notes = [], [], []

    def app(self) -> ASGIApp:
        return Starlette(
            routes=[
                Route("/{name}.js", self._script),
                Route("/v1/events", self._take_events, methods=["POST", "OPTIONS"]),
                Route("/v1/recommendations", self._recommend, methods=["POST", "OPTIONS"]),
                Route("/go", self._may_go),
                Route("/note", self._take_note, methods=["POST"]),
                Route("/{path:path}", self._page),
            ]
        )

    async def _script(self, request: Request) -> Response:
        script = load_assets().files[request.path_params["name"] + ".js"]
        return Response(script.body, media_type=script.media_type)

    async def _page(self, _: Request) -> Response:
        return Response(
            f"""<!doctype html><html lang="en"><title>Shop</title>{self.inline and f"<script>{self.inline}</script>"}
            <script defer src="{self.server}/pz.js" data-key="pk_test" {self.attributes}></script>
            <script defer src="{self.server}/pz-recs.js"></script>
            <body>{self.html}</body></html>""",
            headers={"content-security-policy": self.policy},
            media_type="text/html",
        )

    async def _take_events(self, request: Request) -> Response:
        body = await request.body()
        async with self.changed:
            self.requests.append(request)
            if request.method == "POST" and self.status < 300:
                self.batches.append(json.loads(body))
            self.changed.notify_all()
        return Response(b"{}", self.status, {"access-control-allow-origin": "*"})

    async def _may_go(self, _: Request) -> Response:
        return Response("yes" if self.go else "not yet", media_type="text/plain")

    async def _take_note(self, request: Request) -> Response:
        async with self.changed:
            self.notes.append(await request.json())
            self.changed.notify_all()
        return Response(status_code=204)

    async def _recommend(self, request: Request) -> Response:
        body = json.loads(await request.body() or b"{}")
        async with self.changed:
            self.requests.append(request)
            self.changed.notify_all()
        answer = self.answer(body)
        if asyncio.iscoroutine(answer):
            answer = await answer
        return Response(json.dumps(answer).encode(), 200, {"access-control-allow-origin": "*"})


@asynccontextmanager
async def serving(app: ASGIApp) -> AsyncIterator[int]:
    """Serve an app on a free port of this machine, beside the test."""
    config = Config()
    config.bind = ["127.0.0.1:0"]
    config.errorlog = None
    config.graceful_timeout = config.shutdown_timeout = 0.1
    sockets = config.create_sockets()
    listener = sockets.insecure_sockets[0]
    listener.listen(64)
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(
            worker_serve(ASGIWrapper(app), config, sockets=sockets, shutdown_trigger=stop.wait)  # type: ignore[arg-type]
        )
        try:
            yield listener.getsockname()[1]
        finally:
            stop.set()


@asynccontextmanager
async def open_shop() -> AsyncIterator[Shop]:
    shop = Shop()
    async with serving(shop.app()) as port:
        shop.port = port
        yield shop


@asynccontextmanager
async def open_browser(chromium_path: str) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium_path, args=ARGUMENTS)
        yield browser
        await browser.close()


@asynccontextmanager
async def new_page(browser: Browser, *, color_scheme: ColorScheme = "light", width: int = 1280) -> AsyncIterator[Page]:
    """A page in a fresh profile; an error on it fails the test."""
    context: BrowserContext = await browser.new_context(
        color_scheme=color_scheme, viewport={"width": width, "height": 900}
    )
    page = await context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    await context.close()
    assert not errors


async def storage(page: Page) -> dict[str, dict[str, Any] | None]:
    """What the beacon keeps in this browser."""
    script = """() => Object.fromEntries(['localStorage', 'sessionStorage'].map(
        (name) => [name, window[name].length ? JSON.parse(window[name].getItem('pz')) : null]))"""
    found: dict[str, dict[str, Any] | None] = await page.evaluate(script)
    return found
