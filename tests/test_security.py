from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.node import Node
from app.routes import create_app
from tests.open_shop import batch, event, found_in_files, key_of, open_shop
from tests.signed_in import headers_of

pytestmark = pytest.mark.anyio
FAR = "203.0.113.7"


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    async with open_shop(tmp_path, server={"requests_per_minute": 5}) as node:
        yield node


def client(node: Node, address: str = FAR) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(create_app(node), client=(address, 1), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="https://personalize.example")


@pytest.mark.parametrize("path", ["/livez", "/v1/recommendations", "/v1/items", "/nowhere", "/v1/recommendations.html"])
async def test_every_answer_forbids_what_it_does_not_need(node: Node, path: str) -> None:
    async with client(node) as page:
        headers = (await page.get(path)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["strict-transport-security"] == "max-age=31536000"
    assert headers["referrer-policy"] == "strict-origin-when-cross-origin"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cache-control"]
    assert "server" not in headers


async def test_answers_about_someone_are_never_cached(node: Node) -> None:
    operator = await headers_of(node, "operator")
    async with client(node, "127.0.0.1") as page:
        answers = [
            await page.post("/v1/recommendations", json={"requests": [{"placement": "home"}]}),
            await page.post("/v1/search", json={"query": "shoe"}),
            await page.post("/v1/events", json={"key": key_of(node).shown, "v": 1, "events": []}),
            await page.get("/v1/admin/session", headers=operator),
            await page.get("/v1/audit", headers=operator),
            await page.get("/v1/items"),
        ]
    assert all("no-store" in answer.headers["cache-control"] for answer in answers)


async def test_a_flood_on_any_route_is_answered_429_with_when_to_come_back(node: Node) -> None:
    async with client(node) as flood, client(node, "198.51.100.1") as neighbour:
        paths = ["/v1/recommendations", "/v1/items", "/nowhere", "/openapi.json", "/v1/admin/session"]
        assert 429 not in [(await flood.get(path)).status_code for path in paths]
        held_off = await flood.get("/v1/recommendations", headers={"origin": "https://shop.example"})
        assert held_off.status_code == 429
        assert int(held_off.headers["retry-after"]) >= 1
        assert held_off.headers["access-control-allow-origin"] == "*"
        assert held_off.headers["content-type"] == "application/problem+json"
        assert (await neighbour.get("/v1/recommendations")).status_code == 200
        assert (await flood.get("/readyz")).status_code == 200
        assert "personalize_requests_held_off_total 1.0" in (await flood.get("/metrics")).text


async def test_the_shops_server_and_this_machine_are_not_held_off(node: Node, tmp_path: Path) -> None:
    secret = await node.keys.create_api_key("server", now=0)
    async with client(node) as server, client(node, "127.0.0.1") as here:
        told = {"authorization": f"Bearer {secret}"}
        assert {(await server.get("/v1/items", headers=told)).status_code for _ in range(8)} == {200}
        assert {(await here.get("/v1/recommendations")).status_code for _ in range(8)} == {200}
        guessed = {"authorization": "Bearer sk_" + "x" * 32}
        answers = [(await server.get("/v1/items", headers=guessed)).status_code for _ in range(6)]
        assert answers == [401] * 5 + [429]
    assert found_in_files(tmp_path, FAR) == []


async def test_behind_a_proxy_each_sender_is_held_off_alone(tmp_path: Path) -> None:
    async with (
        open_shop(tmp_path, server={"requests_per_minute": 2}, ingest={"proxies": 1}) as node,
        client(node, "127.0.0.1") as proxy,
    ):
        for sender, expected in (("203.0.113.1", [200, 200, 429]), ("198.51.100.9", [200])):
            told = {"x-forwarded-for": f"6.6.6.6, {sender}"}
            assert [(await proxy.get("/v1/recommendations", headers=told)).status_code for _ in expected] == expected


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/v1/events", "application/json"),
        ("/v1/events", "text/plain"),
        ("/v1/recommendations", "application/json"),
        ("/v1/search", "application/json"),
        ("/v1/items:batch", "application/json"),
        ("/v1/admin/login", "application/json"),
        ("/v1/consent", "application/json"),
    ],
)
@pytest.mark.parametrize("shape", ["[", '{"x":', '{"x":[', '{"visitor":{"x":[', '{"events":[[', '{"items":[{"x":['])
async def test_brackets_within_brackets_are_a_clear_no(node: Node, path: str, kind: str, shape: str) -> None:
    secret = await node.keys.create_api_key("server", now=0)
    told = {"content-type": kind, "authorization": f"Bearer {secret}"}
    async with client(node) as page:
        answer = await page.post(path, content=shape + "[" * 3_000, headers=told)
        whole = await page.post(path, content=shape + "[" * 1_500 + "]" * 1_500 + "}" * 3, headers=told)
    assert 400 <= answer.status_code < 500, answer.text
    assert 400 <= whole.status_code < 500, whole.text


@pytest.mark.parametrize(
    ("path", "size"),
    [("/v1/events", 2_000_000), ("/v1/recommendations", 2_000_000), ("/v1/search", 2_000_000),
     ("/v1/admin/login", 10_000), ("/v1/items:batch", 17_000_000), ("/v1/consent", 2_000_000)],
)  # fmt: skip
async def test_too_much_at_once_is_refused_unread(node: Node, path: str, size: int) -> None:
    secret = await node.keys.create_api_key("server", now=0)
    told = {"content-type": "application/json", "authorization": f"Bearer {secret}"}
    async with client(node) as page:
        assert (await page.post(path, content=b" " * size, headers=told)).status_code == 413


async def test_a_mistake_of_ours_says_nothing_about_itself(node: Node) -> None:
    async def broken(_: Request) -> Response:
        raise ValueError("secret of the shop")

    app = create_app(node)
    app.router.routes.append(Route("/broken", broken))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="https://personalize.example") as page:
        answer = await page.get("/broken")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"


async def test_pages_of_other_shops_cannot_send_or_read(tmp_path: Path) -> None:
    ours, theirs = "https://shop.example", "https://evil.example"
    async with open_shop(tmp_path, server={"allowed_origins": [ours]}) as node, client(node) as page:
        body = batch(event(node, "view_item", "e1", "S1"), key=key_of(node).shown)
        for origin, allowed in ((ours, True), (theirs, False), ("null", False)):
            told = {"origin": origin}
            sent = await page.post("/v1/events", content=body, headers={**told, "content-type": "text/plain"})
            assert sent.status_code == (202 if allowed else 403)
            asked = await page.options("/v1/events", headers={**told, "access-control-request-method": "POST"})
            assert (asked.headers.get("access-control-allow-origin") == origin) is allowed
            read = await page.get("/v1/recommendations", headers=told)
            assert (read.headers.get("access-control-allow-origin") == origin) is allowed
            for answer in (sent, asked, read):
                assert "access-control-allow-credentials" not in answer.headers
