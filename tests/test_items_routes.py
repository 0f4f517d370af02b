from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.config import parse_config
from app.node import Node, open_node
from app.routes import create_app

SETTINGS = {
    "catalogue": {"item_bytes": 2_000, "batch_items": 5, "batch_bytes": 20_000, "page_items": 3},
    "training": {"every_hours": 0},
    "plugins": {"in_stock": {}, "region": {}},
}


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    async with open_node(parse_config(SETTINGS), tmp_path / "personalize.toml") as node:
        yield node


@pytest.fixture
async def shop(node: Node) -> AsyncIterator[httpx.AsyncClient]:
    """The shop's own server."""
    headers = {"authorization": f"Bearer {node.keys.first_keys['server']}"}
    transport = httpx.ASGITransport(create_app(node))
    async with httpx.AsyncClient(transport=transport, base_url="http://shop", headers=headers) as client:
        yield client


async def found(shop: httpx.AsyncClient, query: str) -> list[str]:
    answer = (await shop.post("/v1/search", json={"query": query})).json()
    return [item["id"] for item in answer["items"]]


@pytest.mark.anyio
async def test_an_item_is_found_from_the_answer_on_and_not_after_it_was_removed(shop: httpx.AsyncClient) -> None:
    answer = await shop.put("/v1/items/SKU1", json={"title": "Brass lamp", "price": 20, "attributes": {"watts": 40}})
    assert (answer.status_code, answer.json()) == (201, {"id": "SKU1", "status": "stored"})
    assert await found(shop, "lamp") == ["SKU1"]
    item = (await shop.get("/v1/items/SKU1")).json()
    assert (item["title"], item["price"], item["attributes"]) == ("Brass lamp", 20, {"watts": 40})

    assert (await shop.put("/v1/items/SKU1", json={"title": "Brass lantern"})).status_code == 200
    assert await found(shop, "lamp") == []
    assert await found(shop, "lantern") == ["SKU1"]

    assert (await shop.delete("/v1/items/SKU1")).status_code == 204
    assert await found(shop, "lantern") == []
    assert (await shop.get("/v1/items/SKU1")).status_code == 404
    assert (await shop.delete("/v1/items/SKU1")).status_code == 404


@pytest.mark.anyio
@pytest.mark.parametrize("gone", [{"availability": "out_of_stock"}, {"hidden": True}])
async def test_sold_out_and_hidden_items_never_appear(shop: httpx.AsyncClient, gone: dict[str, Any]) -> None:
    await shop.put("/v1/items/SKU1", json={"title": "Brass lamp"})
    await shop.put("/v1/items/SKU1", json={"title": "Brass lamp"} | gone)
    assert await found(shop, "lamp") == []
    await shop.put("/v1/items/SKU1", json={"title": "Brass lamp"})
    assert await found(shop, "lamp") == ["SKU1"]


@pytest.mark.anyio
async def test_ids_may_hold_slashes_and_spaces(shop: httpx.AsyncClient) -> None:
    assert (await shop.put("/v1/items/lamps%2F7 b", json={"title": "Lamp"})).status_code == 201
    assert (await shop.get("/v1/items/lamps%2F7 b")).json()["id"] == "lamps/7 b"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b"{", ""),
        (b'{"title": 5}', "/title"),
        (b'{"title": "x", "colour": "red"}', "/colour"),
        (b'{"title": "x", "url": "javascript:alert(1)"}', "/url"),
        (b'{"title": "x", "id": "other"}', "/id"),
        (b'{"title": ""}', "/title"),
    ],
)
async def test_a_wrong_item_is_answered_with_where_it_is_wrong(
    shop: httpx.AsyncClient, body: bytes, pointer: str
) -> None:
    answer = await shop.put("/v1/items/SKU1", content=body)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert (await shop.get("/v1/items/SKU1")).status_code == 404


@pytest.mark.anyio
async def test_a_batch_answers_per_item_and_keeps_the_good_ones(shop: httpx.AsyncClient) -> None:
    items = [
        {"id": "a", "title": "Lamp"},
        {"id": "b"},
        {"title": "no id"},
        5,
        {"id": "c", "title": "Lamp", "price": -1},
    ]
    answer = await shop.post("/v1/items:batch", json={"items": items})
    assert answer.status_code == 200
    results = answer.json()["results"]
    assert [(result["id"], result["status"]) for result in results] == [
        ("a", "stored"), ("b", "rejected"), ("", "rejected"), ("", "rejected"), ("c", "rejected"),
    ]  # fmt: skip
    assert results[4]["errors"] == [{"pointer": "/price", "detail": "must be a number from 0 to 1,000,000,000"}]
    assert await found(shop, "lamp") == ["a"]


@pytest.mark.anyio
async def test_bounds_are_kept(shop: httpx.AsyncClient) -> None:
    assert (await shop.put("/v1/items/a", json={"title": "x" * 3_000})).status_code == 413
    assert (await shop.post("/v1/items:batch", json={"items": [{}] * 6})).status_code == 400
    assert (await shop.post("/v1/items:batch", content=b"[" * 30_000)).status_code == 413
    assert (await shop.post("/v1/items:batch", content=b"[]")).status_code == 400
    assert (await shop.get("/v1/items?limit=4")).status_code == 400
    assert (await shop.get("/v1/items?after=x")).status_code == 400


@pytest.mark.anyio
async def test_the_catalogue_is_read_page_by_page(shop: httpx.AsyncClient) -> None:
    await shop.post("/v1/items:batch", json={"items": [{"id": f"i{n}", "title": "Lamp"} for n in range(5)]})
    await shop.delete("/v1/items/i1")
    ids: list[str] = []
    page = {"next": "-1"}
    while "next" in page:
        page = (await shop.get("/v1/items", params={"limit": 2, "after": page["next"]})).json()
        ids += [item["id"] for item in page["items"]]
    assert ids == ["i0", "i2", "i3", "i4"]


@pytest.mark.anyio
async def test_only_the_shops_server_may(node: Node, shop: httpx.AsyncClient) -> None:
    public = {"authorization": f"Bearer {node.keys.first_keys['public']}"}
    for method, path in [("PUT", "/v1/items/a"), ("GET", "/v1/items/a"), ("DELETE", "/v1/items/a"),
                         ("GET", "/v1/items"), ("POST", "/v1/items:batch")]:  # fmt: skip
        for headers, status in (
            ({"authorization": "Bearer sk_guess"}, 401),
            ({"authorization": ""}, 401),
            (public, 403),
        ):
            answer = await shop.request(method, path, json={"title": "Lamp"}, headers=headers)
            assert answer.status_code == status
    assert node.catalogue.size == 0
