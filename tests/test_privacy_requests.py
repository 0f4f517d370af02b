import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.node import Node
from app.privacy.receipts import receipt_is_genuine
from app.routes import create_app
from tests.open_shop import ANON, found_in_files, open_shop, row
from tests.people import OTHER, known, shop_for
from tests.signed_in import headers_of

pytestmark = pytest.mark.anyio
PATIENCE = 20.0
ME = {"personalize-visitor": json.dumps({"anon": ANON})}
ORDER = "/v1/privacy/requests"


@asynccontextmanager
async def open_shop_with_client(folder: Path) -> AsyncIterator[tuple[Node, httpx.AsyncClient]]:
    async with open_shop(folder, erasure={"answer_ms": 0}) as node:
        transport = httpx.ASGITransport(create_app(node))
        async with httpx.AsyncClient(transport=transport, base_url="https://shop.example") as client:
            yield node, client


async def asked(client: httpx.AsyncClient, officer: dict[str, str], kind: str, **visitor: str) -> dict[str, Any]:
    said = await client.post(ORDER, headers=officer, json={"kind": kind, "visitor": visitor or {"anon": ANON}})
    assert said.status_code == 201, said.text
    found: dict[str, Any] = said.json()
    return found


async def test_a_visitor_is_forgotten_and_sees_it_become_verified(tmp_path: Path) -> None:
    async with open_shop_with_client(tmp_path) as (node, client):
        await shop_for(node, ANON)
        said = await client.delete("/v1/me", headers=ME)
        assert said.status_code == 200
        assert "no-store" in said.headers["cache-control"]
        told = said.json()
        receipt = told["receipt"]
        assert receipt["state"] == "erased"
        assert receipt_is_genuine(receipt, node.keys.receipt_public_key)
        opened = hashlib.sha256(bytes.fromhex(told["opening"]) + f"anon|{ANON}".encode()).hexdigest()
        assert receipt["commitment"] == opened
        assert not known(node, ANON)
        assert (await client.get("/v1/me", headers=ME)).json()["known"] is False
        assert await node.erasures.until_verified(int(receipt["record_id"], 16), PATIENCE)
        later = (await client.get(told["status"])).json()
        assert later["state"] == "verified"
        assert later["search"]["found"] == 0


async def test_nobody_is_forgotten_on_a_strangers_word(tmp_path: Path) -> None:
    async with open_shop_with_client(tmp_path) as (node, client):
        await shop_for(node, ANON, user="ann@example.com", user_sig="")
        claims: list[dict[str, str]] = [{}, {"anon": "short"}, {"user": "ann@example.com"}, {"session": "visit-1"}]
        for claim in claims:
            said = await client.delete("/v1/me", headers={"personalize-visitor": json.dumps(claim)})
            assert said.status_code == 401, claim
        assert (await client.delete("/v1/me")).status_code == 401
        assert (await client.delete("/v1/me", headers={"personalize-visitor": "{"})).status_code == 400
        assert node.requests.closed(9) == []
        assert known(node, ANON)
        by_shop = {"authorization": "Bearer nonsense"}
        said = await client.delete(
            "/v1/me", headers={**by_shop, "personalize-visitor": json.dumps({"user": "ann@example.com"})}
        )
        assert said.status_code == 401


async def test_who_is_unknown_gets_the_same_answer(tmp_path: Path) -> None:
    async with open_shop_with_client(tmp_path) as (node, client):
        await shop_for(node, ANON)
        answers = []
        for name in (ANON, OTHER, ANON):
            said = await client.delete("/v1/me", headers={"personalize-visitor": json.dumps({"anon": name})})
            told = said.json()
            own = ("record_id", "commitment", "signature", "requested_at", "erased_at")
            answers.append((said.status_code, {key: told["receipt"][key] for key in told["receipt"] if key not in own}))
        assert answers[0] == answers[1] == answers[2]
        assert (await client.get("/v1/me/erasures/77")).status_code == 404
        assert (await client.get("/v1/me/erasures/nonsense")).status_code == 404
        assert (await client.get(f"/v1/me/erasures/{'f' * 40}")).status_code == 404


async def test_an_officer_sees_the_deadline_looks_carries_out_and_then_nobody_knows_who_it_was(tmp_path: Path) -> None:
    async with open_shop_with_client(tmp_path) as (node, client):
        await shop_for(node, ANON)
        officer = await headers_of(node, "privacy")
        made = await asked(client, officer, "erasure")
        listed = (await client.get(ORDER, headers=officer)).json()
        assert [each["id"] for each in listed["open"]] == [made["id"]]
        assert made["due"] > made["opened"]
        assert made["state"] == "open"
        heard = await client.post(f"{ORDER}/{made['id']}:acknowledge", headers=officer)
        assert heard.json()["state"] == "acknowledged"
        longer = (await client.post(f"{ORDER}/{made['id']}:extend", headers=officer)).json()
        assert longer["due"] > made["due"]
        assert (await client.post(f"{ORDER}/{made['id']}:extend", headers=officer)).status_code == 409
        preview = (await client.post(f"{ORDER}/{made['id']}:preview", headers=officer)).json()
        assert preview["known"]
        assert {each["table"]: each["rows"] for each in preview["held"]}["profiles"] == 1
        done = (await client.post(f"{ORDER}/{made['id']}:execute", headers=officer)).json()
        assert done["request"]["state"] == "answered"
        receipt = done["request"]["receipt"]
        assert receipt["counts"]["events"] == 3
        assert receipt_is_genuine(receipt, node.keys.receipt_public_key)
        assert receipt["commitment"] == made["commitment"]
        assert not known(node, ANON)
        assert (await client.post(f"{ORDER}/{made['id']}:execute", headers=officer)).status_code == 409
        assert await node.erasures.until_verified(int(made["id"], 16), PATIENCE)
        stored = node.requests.get(int(made["id"], 16))
        assert stored is not None
        assert stored.subject is None
    assert found_in_files(tmp_path / "data", ANON) == []


async def test_access_hands_out_everything_and_leaves_a_receipt_without_a_name(tmp_path: Path) -> None:
    async with open_shop_with_client(tmp_path) as (node, client):
        await shop_for(node, ANON)
        officer = await headers_of(node, "privacy")
        made = await asked(client, officer, "access")
        assert found_in_files(tmp_path / "data", ANON) == [], "while it is open the name is sealed"
        done = (await client.post(f"{ORDER}/{made['id']}:execute", headers=officer)).json()
        rows = {each["table"]: each["rows"] for each in done["export"]}
        assert len(rows["purchases"]) == 1
        receipt = done["request"]["receipt"]
        assert receipt["handed out"]["vault.db/purchases"] == 1
        assert receipt_is_genuine(receipt, node.keys.receipt_public_key)


@pytest.mark.parametrize("kind", ["objection", "restriction"])
async def test_an_objection_or_a_pause_holds_from_the_next_request(tmp_path: Path, kind: str) -> None:
    async with open_shop_with_client(tmp_path) as (node, client):
        await shop_for(node, ANON)
        officer = await headers_of(node, "privacy")
        made = await asked(client, officer, kind)
        assert (await client.post(f"{ORDER}/{made['id']}:execute", headers=officer)).status_code == 200
        person = row(node)
        assert person is not None
        assert person.consent == 0


async def test_only_a_privacy_officer_may_look_and_only_with_a_fresh_password(tmp_path: Path) -> None:
    async with open_shop_with_client(tmp_path) as (node, client):
        officer = await headers_of(node, "privacy")
        made = await asked(client, officer, "erasure")
        server = {"authorization": f"Bearer {await node.keys.create_api_key('server', now=node.clock.now())}"}
        nobodys: list[dict[str, str]] = [{}, server]
        for headers in nobodys:
            assert (await client.get(ORDER, headers=headers)).status_code == 401
            assert (await client.post(f"{ORDER}/{made['id']}:execute", headers=headers)).status_code == 401
        marketer = await headers_of(node, "marketer")
        assert (await client.get(ORDER, headers=marketer)).status_code == 403
        stale = await headers_of(node, "privacy", confirmed=False)
        assert (await client.post(f"{ORDER}/{made['id']}:execute", headers=stale)).status_code == 403
        assert (await client.get(f"{ORDER}/1234", headers=officer)).status_code == 404
        assert (await client.post(f"{ORDER}/{made['id']}:explode", headers=officer)).status_code == 404


async def test_a_request_that_cannot_be_meant_is_refused(tmp_path: Path) -> None:
    async with open_shop_with_client(tmp_path) as (node, client):
        officer = await headers_of(node, "privacy")
        me = {"anon": ANON}
        wrongs: list[dict[str, object]] = [
            {"kind": "curiosity", "visitor": me},
            {"kind": "access", "visitor": {}},
            {"kind": "access", "visitor": me, "jurisdiction": "atlantis"},
            {"kind": "access"},
        ]
        for wrong in wrongs:
            assert (await client.post(ORDER, headers=officer, json=wrong)).status_code == 400, wrong
        assert (await client.post(ORDER, headers=officer, content=b"\xff")).status_code == 400
        assert node.requests.open(9) == []


async def test_an_erasure_answers_whatever_else_the_person_had_asked_for(tmp_path: Path) -> None:
    async with open_shop_with_client(tmp_path) as (node, client):
        officer = await headers_of(node, "privacy")
        mine, theirs = await asked(client, officer, "access"), await asked(client, officer, "access", anon=OTHER)
        await client.delete("/v1/me", headers=ME)
        assert (await client.get(f"{ORDER}/{mine['id']}", headers=officer)).json()["state"] == "erased"
        assert (await client.get(f"{ORDER}/{theirs['id']}", headers=officer)).json()["state"] == "open"
