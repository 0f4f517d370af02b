import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from app.node import Node
from app.problem import Problem
from app.routes import events
from app.routes.answers import on_problem
from app.routes.intake_door import IntakeDoor
from store.api_keys import Kind
from tests.open_shop import batch, event, key_of, logged, open_shop

pytestmark = pytest.mark.anyio
SHOP = "https://shop.example"


@asynccontextmanager
async def served(folder: Path, **sections: dict[str, Any]) -> AsyncIterator[tuple[Node, httpx.AsyncClient]]:
    async with open_shop(folder, **sections) as node:
        app = Starlette(routes=events.routes(node, IntakeDoor(node)), exception_handlers={Problem: on_problem})
        transport = httpx.ASGITransport(app, client=("198.51.100.7", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://pz.example") as client:
            yield node, client


async def text_of(node: Node, kind: Kind, origins: Sequence[str] = ()) -> str:
    return await node.keys.create_api_key(kind, origins, now=node.clock.now())


def beacon(node: Node, *names: str, key: str | None = None, consent: str | None = "granted") -> bytes:
    told = [event(node, name, f"{name}-{place}", "S1") for place, name in enumerate(names or ("view_item",))]
    return batch(*told, key=key if key is not None else key_of(node).shown, consent=consent)


async def test_a_beacon_is_told_what_became_of_each_event(tmp_path: Path) -> None:
    async with served(tmp_path) as (node, client):
        body = beacon(node, "view_item", "tap_dance")
        said = await client.post(
            "/v1/events", content=body, headers={"content-type": "text/plain;charset=UTF-8", "origin": SHOP}
        )
        assert said.status_code == 202
        assert said.headers["access-control-allow-origin"] == SHOP
        assert "access-control-allow-credentials" not in said.headers
        assert said.headers["cache-control"] == "no-store"
        assert said.json() == {
            "results": [
                {"id": "view_item-0", "status": "accepted"},
                {"id": "tap_dance-1", "status": "dropped", "reason": "unknown_event"},
            ]
        }


async def test_global_privacy_control_is_honoured_and_said(tmp_path: Path) -> None:
    async with served(tmp_path) as (node, client):
        for value, said in (("1", "honoured"), ("0", None), ("true", None)):
            answer = await client.post("/v1/events", content=beacon(node, consent=None), headers={"sec-gpc": value})
            assert answer.json().get("gpc") == said
            assert answer.json()["results"][0]["status"] == (
                "dropped" if said else ("accepted", "duplicate")[value != "0"]
            )


@pytest.mark.parametrize(
    ("body", "kind", "status", "pointer"),
    [
        (b"", "text/plain", 400, ""),
        (b"not json", "application/json", 400, ""),
        (b'{"events":3}', "text/plain", 400, "/events"),
        (b'{"events":[],"anon":7}', "text/plain", 400, "/anon"),
        (b'{"events":[],"consent":"granted","signals":{"uspapi":"a no"}}', "text/plain", 400, "/signals/uspapi"),
        (b"[" * 60_000, "text/plain", 400, ""),
        (b"<events/>", "application/xml", 415, None),
        (b'{"events":[]}', "text/plain", 401, None),
        (b'{"events":[],"key":"pk_nobody-has-this-key-at-all"}', "text/plain", 401, None),
        (b" " * 65_537, "text/plain", 413, None),
        (b" " * 1_048_577, "application/json", 413, None),
    ],
)
async def test_what_cannot_be_taken_is_refused_as_a_problem(
    tmp_path: Path, body: bytes, kind: str, status: int, pointer: str | None
) -> None:
    async with served(tmp_path) as (node, client):
        said = await client.post("/v1/events", content=body, headers={"content-type": kind, "origin": SHOP})
        assert said.status_code == status
        assert said.headers["content-type"] == "application/problem+json"
        assert said.headers["access-control-allow-origin"] == SHOP  # or the beacon would take it for a broken network
        assert [error["pointer"] for error in said.json().get("errors", [])] == ([] if pointer is None else [pointer])
        assert await logged(node) == []


async def test_a_body_of_unannounced_length_is_cut_off_at_the_bound(tmp_path: Path) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 10_000

    async with served(tmp_path) as (_, client):
        said = await client.post("/v1/events", content=endless(), headers={"content-type": "text/plain"})
        assert said.status_code == 413


async def test_a_public_key_works_only_from_its_origins(tmp_path: Path) -> None:
    async with served(tmp_path) as (node, client):
        key = await text_of(node, "public", origins=[SHOP])
        for origin, status in (
            (SHOP, 202),
            ("https://evil.example", 403),
            ("https://shop.example.evil", 403),
            (None, 403),
        ):
            headers = {"origin": origin} if origin else {}
            assert (
                await client.post("/v1/events", content=beacon(node, key=key), headers=headers)
            ).status_code == status


async def test_the_servers_list_of_origins_holds_for_every_key(tmp_path: Path) -> None:
    async with served(tmp_path, server={"allowed_origins": [SHOP]}) as (node, client):
        for origin, status in ((SHOP, 202), ("https://evil.example", 403)):
            assert (
                await client.post("/v1/events", content=beacon(node), headers={"origin": origin})
            ).status_code == status
            preflight = await client.options("/v1/events", headers={"origin": origin})
            assert preflight.status_code == (204 if status == 202 else 403)
            assert ("access-control-allow-origin" in preflight.headers) == (status == 202)


async def test_the_shops_server_sends_with_its_key_in_a_header(tmp_path: Path) -> None:
    async with served(tmp_path) as (node, client):
        key = await text_of(node, "server")
        body = batch(event(node, "view_item", "e1", "S1"), user="ann")
        said = await client.post("/v1/events", content=body, headers={"authorization": f"Bearer {key}"})
        assert said.status_code == 202
        assert [each.trust for each in await logged(node)] == [3]
        wrong = await client.post("/v1/events", content=body, headers={"authorization": f"Bearer {key}x"})
        assert wrong.status_code == 401
        assert key not in wrong.text


async def test_a_flood_is_told_to_wait_but_not_the_shops_server(tmp_path: Path) -> None:
    async with served(tmp_path, ingest={"batches_per_minute": 3}) as (node, client):
        said = [await client.post("/v1/events", content=beacon(node)) for _ in range(5)]
        assert [each.status_code for each in said] == [202, 202, 202, 429, 429]
        assert 1 <= int(said[-1].headers["retry-after"]) <= 60
        bearer = {"authorization": f"Bearer {await text_of(node, 'server')}"}
        assert (await client.post("/v1/events", content=beacon(node), headers=bearer)).status_code == 202


async def test_a_stopping_or_full_server_says_when_to_come_back(tmp_path: Path) -> None:
    async with served(tmp_path) as (node, client):
        node.intake.writer.close()
        said = await client.post("/v1/events", content=beacon(node))
        assert (said.status_code, said.headers["retry-after"]) == (503, "1")
    async with served(tmp_path / "full", node={"max_database_mb": 1}) as (node, client):
        statuses = set()
        for number in range(60):
            told = [event(node, "view_item", f"{number}-{place}", "S1") for place in range(300)]
            body = batch(*told, key=key_of(node).shown, anon=f"{number:032}")
            statuses.add((await client.post("/v1/events", content=body)).status_code)
        assert statuses == {202, 503}


async def test_an_import_takes_any_age_lists_bad_lines_and_may_be_repeated(tmp_path: Path) -> None:
    async with served(tmp_path, ingest={"import_errors": 2, "import_window": 4}) as (node, client):
        bearer = {"authorization": f"Bearer {await text_of(node, 'server')}", "content-type": "application/x-ndjson"}
        years_ago = 3 * 365 * 86_400
        lines = [
            batch(
                *(event(node, "view_item", f"{n}-{e}", f"S{e}", ago=years_ago) for e in range(3)),
                event(node, "purchase", f"{n}-buy", ago=years_ago, items=[{"item_id": "S1", "quantity": 1}]),
                anon=f"{n:032}", purposes=["vault.purchases"],
            )
            for n in range(40)
        ]  # fmt: skip
        body = b"\n".join([b"{", *lines[:20], b"", b'{"events":1}', *lines[20:], b"[]"])
        said = await client.post("/v1/events:import", content=body, headers=bearer)
        assert said.status_code == 200
        found = said.json()
        assert (found["lines"], found["accepted"], found["dropped"]) == (43, 160, {})
        assert [error["line"] for error in found["errors"]] == [1, 23]
        assert found["errors_left_out"] == 1
        bought = node.vault._reader.execute("SELECT count(*) FROM purchases").fetchone()
        assert bought == (40,)
        again = (await client.post("/v1/events:import", content=b"\n".join(lines), headers=bearer)).json()
        assert (again["accepted"], again["duplicate"]) == (0, 160)
        assert len(await logged(node)) == 160


async def test_an_import_needs_a_server_key_and_lines_of_bounded_length(tmp_path: Path) -> None:
    async with served(tmp_path, ingest={"batch_bytes": 2_000}) as (node, client):
        ndjson = {"content-type": "application/x-ndjson"}
        assert (await client.post("/v1/events:import", content=b"", headers=ndjson)).status_code == 401
        public = {**ndjson, "authorization": f"Bearer {key_of(node).shown}"}
        assert (await client.post("/v1/events:import", content=b"", headers=public)).status_code == 401
        server = {**ndjson, "authorization": f"Bearer {await text_of(node, 'server')}"}
        assert (await client.post("/v1/events:import", content=b"", headers=server)).json()["lines"] == 0
        plain = {**server, "content-type": "text/csv"}
        assert (await client.post("/v1/events:import", content=b"", headers=plain)).status_code == 415
        long = json.dumps({"events": [], "x": "y" * 3000}).encode()
        said = await client.post("/v1/events:import", content=b"{}\n" + long, headers=server)
        assert (said.status_code, "line 2" in said.json()["detail"]) == (413, True)
