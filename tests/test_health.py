from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from app.node import Node
from app.routes import create_app
from store.database import open_reader
from tests.open_shop import batch, event, open_shop, send

pytestmark = pytest.mark.anyio


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    async with open_shop(tmp_path) as node:
        yield node


@pytest.fixture
async def client(node: Node) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(create_app(node)), base_url="http://shop") as client:
        yield client


async def test_an_open_node_is_alive_and_ready(client: httpx.AsyncClient) -> None:
    assert (await client.get("/livez")).json() == {"status": "alive"}
    ready = await client.get("/readyz")
    assert (ready.status_code, ready.json()) == (
        200, {"status": "ready", "generation": "", "items": 12, "problems": []},
    )  # fmt: skip
    assert ready.headers["cache-control"] == "no-store"


async def test_a_stalled_job_turns_it_red_and_it_stays_alive(node: Node, client: httpx.AsyncClient) -> None:
    node.stalled["retention sweep"] = "what has expired could not be removed: the disk is full"
    said = await client.get("/readyz")
    assert (said.status_code, said.json()["status"]) == (503, "not ready")
    assert said.json()["problems"] == ["what has expired could not be removed: the disk is full"]
    assert (await client.get("/livez")).status_code == 200


async def test_what_happens_is_counted_and_nobody_is_named(node: Node, client: httpx.AsyncClient) -> None:
    await send(node, batch(event(node, "view_item", "e1", "S1"), user="ann@example.org"), kind="server")
    await client.post("/v1/recommendations", json={"requests": [{"placement": "home"}]})
    said = await client.get("/metrics")
    assert said.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = said.text.splitlines()
    assert "personalize_items 12.0" in lines
    assert "personalize_events_waiting 0.0" in lines
    assert any(line.startswith("personalize_ingest_events_total{") and line.endswith(" 1.0") for line in lines)
    assert "ann" not in said.text
    assert "a1b2c3d4" not in said.text


async def test_two_nodes_in_one_process_count_for_themselves(node: Node, tmp_path: Path) -> None:
    async with open_shop(tmp_path / "other") as other:
        node.metrics.counter("something", "Something.").inc()
        assert b"personalize_something_total 1.0" in node.metrics.text()
        assert b"personalize_something" not in other.metrics.text()


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/v2/nothing", 404), ("PUT", "/livez", 405)])
async def test_what_is_not_there_is_a_problem_that_says_where_to_look(
    client: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    said = await client.request(method, path)
    assert (said.status_code, said.headers["content-type"]) == (status, "application/problem+json")
    assert said.json()["status"] == status
    assert "/openapi.json" in said.json()["detail"]


async def test_every_answer_forbids_guessing_its_type(client: httpx.AsyncClient) -> None:
    for path in ("/livez", "/openapi.json", "/nothing"):
        headers = (await client.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "strict-origin-when-cross-origin"


async def test_a_store_that_cannot_be_written_is_no_server_error(node: Node, client: httpx.AsyncClient) -> None:
    await node.shop.database.execute("PRAGMA query_only = ON")
    bearer = {"authorization": f"Bearer {await node.keys.create_api_key('server', now=0)}"}
    said = await client.put("/v1/items/NEW", json={"title": "New"}, headers=bearer)
    assert (said.status_code, said.headers["content-type"]) == (503, "application/problem+json")
    assert said.headers["retry-after"]
    assert str(node.folder) not in said.text
    assert node.catalogue.number("NEW") is None
    await node.shop.database.execute("PRAGMA query_only = OFF")
    assert (await client.put("/v1/items/NEW", json={"title": "New"}, headers=bearer)).status_code == 201


async def test_a_node_closes_with_whole_files(tmp_path: Path) -> None:
    async with open_shop(tmp_path / "closing") as node:
        await send(node, batch(event(node, "view_item", "e1", "S1")))
        folder = node.folder
    assert sorted(path.name for path in folder.iterdir() if path.suffix != ".db") == ["lock"]
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "keys.db").stat().st_mode & 0o077 == 0
    reader = open_reader(folder / "person.db")
    assert reader.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    reader.close()
