from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.config import parse_config
from app.node import Node, open_node
from app.routes import create_app
from tests.small_shop import item

SETTINGS = {
    "search": {"query_characters": 40, "limit": 7, "limit_at_most": 30, "body_bytes": 5_000},
    "training": {"every_hours": 0},
    "plugins": {"in_stock": {}, "region": {}, "affinity": {}, "taste": {}},
}


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    async with open_node(parse_config(SETTINGS), tmp_path / "personalize.toml") as node:
        await node.shop.put_items([item(number) for number in range(60)], 1_790_000_000.0)
        yield node


@pytest.fixture
async def client(node: Node) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(create_app(node)), base_url="http://shop") as client:
        yield client


async def search(client: httpx.AsyncClient, query: str, **told: object) -> httpx.Response:
    return await client.post("/v1/search", json={"query": query, **told})


@pytest.mark.anyio
async def test_an_answer_has_items_a_token_the_total_and_corrections(node: Node, client: httpx.AsyncClient) -> None:
    answer = await search(client, "wallking shoes")
    told = answer.json()
    assert answer.status_code == 200
    assert len(told["items"]) == 7
    assert told["items"][0] == {
        "id": "SKU1", "title": "Item 1", "url": "/p/SKU1", "image": {"url": "/img/SKU1.svg", "alt": "Item 1"},
        "price": 2.0, "currency": "EUR", "availability": "in_stock", "index": 0,
    }  # fmt: skip
    assert told["total"] == 15
    assert told["corrected"] == {"wallking": "walking"}
    assert told["strategy"] == "popular"
    attribution = node.tokens.read(told["token"], node.clock.now())
    assert attribution is not None
    assert (attribution.request, attribution.placement) == (told["request_id"], "search")


@pytest.mark.anyio
async def test_an_answer_is_nobody_elses(client: httpx.AsyncClient) -> None:
    assert (await search(client, "item")).headers["cache-control"] == "private, no-store"
    assert (await client.get("/v1/search?query=item")).status_code == 405


@pytest.mark.anyio
async def test_filter_region_exclude_fields_and_pages(client: httpx.AsyncClient) -> None:
    told = (await search(client, "item", filter="price < 5", exclude=["SKU0", "SKU9999"], fields=["price"])).json()
    assert [entry["id"] for entry in told["items"]] == ["SKU1", "SKU2", "SKU3"]
    assert set(told["items"][0]) == {"id", "price", "index"}
    assert told["missing_ids"] == ["SKU9999"]
    found = {
        entry["id"] for entry in (await search(client, "item", limit=30, context={"region": "DE"})).json()["items"]
    }
    assert "SKU13" not in found
    whole = (await search(client, "item", limit=20)).json()["items"]
    page = (await search(client, "item", limit=10, offset=10)).json()["items"]
    assert [entry["id"] for entry in page] == [entry["id"] for entry in whole[10:]]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("body", "pointer", "said"),
    [
        ({"query": "x" * 41}, "/query", "41 is more than 40"),
        ({"query": 5}, "/query", "Expected 'str'"),
        ({}, "", "missing required field 'query'"),
        ({"query": "x", "limit": 31}, "/limit", "31 is more than 30"),
        ({"query": "x", "filter": "prise < 3"}, "/filter", "character 1 (prise < 3): unknown field 'prise'"),
    ],
)
async def test_a_wrong_search_is_answered_with_where_and_why(
    client: httpx.AsyncClient, body: dict[str, Any], pointer: str, said: str
) -> None:
    answer = await client.post("/v1/search", json=body)
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert error["pointer"] == pointer
    assert said in error["detail"]


@pytest.mark.anyio
async def test_what_is_no_json_or_too_large_is_refused(client: httpx.AsyncClient) -> None:
    assert (await client.post("/v1/search", content=b"{")).status_code == 400
    assert (await client.post("/v1/search", content=b" " * 6_000)).status_code == 413
    assert (await search(client, "item", key="pk_guess")).status_code == 401


@pytest.mark.anyio
async def test_no_file_holds_a_query(node: Node, client: httpx.AsyncClient) -> None:
    visitor = {"anon": "a" * 32, "session": "s" * 32, "consent": "granted", "purposes": ["vault.searches"]}
    await search(client, "quixotic item", visitor=visitor)
    await search(client, "quixotic item", visitor={"consent": "denied"})
    files = [path for path in node.folder.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if b"quixotic" in path.read_bytes().lower()]
