import base64
import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.dialects.names import SEGMENT
from app.dialects.segment import SegmentOptions, hear
from app.ingest.wire import EVENT_NAMES
from app.node import Node
from app.routes import create_app
from store.records import Purpose
from tests.open_shop import EVERYTHING, logged, open_shop

pytestmark = pytest.mark.anyio
NOW = "2026-11-27T12:00:00.000Z"


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    async with open_shop(tmp_path) as node:
        yield node


@pytest.fixture
async def client(node: Node) -> AsyncIterator[httpx.AsyncClient]:
    key = await node.keys.create_api_key("server", now=0)
    basic = base64.b64encode(f"{key}:".encode()).decode()
    transport = httpx.ASGITransport(create_app(node))
    headers = {"authorization": f"Basic {basic}"}
    async with httpx.AsyncClient(transport=transport, base_url="https://node", headers=headers) as client:
        yield client


def track(node: Node, event: str, identity: str, user: str = "anna", **properties: object) -> dict[str, Any]:
    at = node.clock.now_ms()
    return {
        "type": "track", "event": event, "messageId": identity, "userId": user, "timestamp": at,
        "properties": properties,
        "context": {"personalize": {"consent": "granted", "purposes": ["vault.purchases"]}},
    }  # fmt: skip


async def test_a_batch_of_several_visitors_reaches_each_of_them(client: httpx.AsyncClient, node: Node) -> None:
    messages = [
        track(node, "Product Viewed", "m1", product_id="S1"),
        track(node, "Product Added", "m2", product_id="nobody's", sku="S2", quantity=1),
        track(node, "Product Viewed", "m3", "bert", product_id="S3"),
        track(node, "Product Viewed", "m4", "bert", product_id="none"),
        track(node, "Party Begun", "m5"),
        {"type": "identify", "messageId": "m6", "userId": "anna", "traits": {"email": "anna@example.org"}},
    ]
    answer = await client.post("/v1/batch", json={"batch": messages})
    assert answer.status_code == 200
    told = answer.json()
    assert told["success"] is True
    assert [each.get("reason", each["status"]) for each in told["results"]] == [
        "accepted", "accepted", "accepted", "unknown_item", "unknown_event", "accepted",
    ]  # fmt: skip
    assert [(event.name, event.lines[0].item) for event in await logged(node)] == [
        ("view_item", node.catalogue.number("S1")),
        ("add_to_cart", node.catalogue.number("S2")),
        ("view_item", node.catalogue.number("S3")),
    ]
    again = (await client.post("/v1/batch", json={"batch": messages})).json()["results"]
    assert [each["status"] for each in again[:3]] == ["duplicate"] * 3
    row = node.person.read(node.keys.pseudonym("user", "bert"), EVERYTHING)
    assert row is not None
    assert Purpose(row.consent) == Purpose.NONE or row.profile is not None


async def test_an_order_brings_its_lines_and_its_value_to_the_vault(client: httpx.AsyncClient, node: Node) -> None:
    order = track(
        node, "Order Completed", "o1", order_id="A", revenue=31.5, currency="EUR",
        products=[{"product_id": "S1", "quantity": 2, "price": 10.5}, {"sku": "S2", "quantity": 1, "price": 10.5}],
    )  # fmt: skip
    assert (await client.post("/v1/track", json=order)).json()["results"][0]["status"] == "accepted"
    await node.intake.until_vaulted(patience=5)
    (event,) = await logged(node)
    assert event.name == "purchase"


async def test_gzip_a_wrong_key_and_a_broken_body_are_answered(client: httpx.AsyncClient, node: Node) -> None:
    body = json.dumps({"batch": [track(node, "Product Viewed", "m1", product_id="S1")]}).encode()
    zipped = {"content-encoding": "gzip"}
    assert (await client.post("/v1/batch", content=gzip.compress(body), headers=zipped)).status_code == 200
    assert (await client.post("/v1/batch", content=body, headers=zipped)).status_code == 400
    bomb = gzip.compress(bytes(3_000_000))
    assert (await client.post("/v1/batch", content=bomb, headers=zipped)).status_code == 413
    assert (await client.post("/v1/batch", content=b"{")).status_code == 400
    assert (await client.post("/v1/batch", json={"batch": 3})).status_code == 400
    assert (await client.post("/v1/segment/z", json={})).status_code == 404
    for wrong in (b"Basic " + base64.b64encode(b"nobody:"), b"Basic ?", "Basic é".encode("latin-1"), b"Bearer pk_no"):
        answer = await client.post("/v1/batch", content=body, headers={b"authorization": wrong})
        assert answer.status_code == 401, wrong


async def test_what_nobody_explained_of_consent_grants_nothing(client: httpx.AsyncClient, node: Node) -> None:
    message = track(node, "Product Viewed", "m1", product_id="S1")
    message["context"] = {"consent": {"categoryPreferences": {"Advertising": True}}}
    answer = await client.post("/v1/track", json=message)
    assert answer.json()["results"][0]["reason"] == "no_consent"
    assert await logged(node) == []


def test_consent_categories_grant_the_types_the_operator_names() -> None:
    options = SegmentOptions(categories={"Analytics": ["analytics_storage"], "Ads": ["personalization_storage"]})

    def told(preferences: dict[str, bool]) -> tuple[object, object]:
        message = {
            "type": "page", "messageId": "1", "timestamp": NOW, "anonymousId": "a",
            "context": {"consent": {"categoryPreferences": preferences}},
        }  # fmt: skip
        envelope = hear([message], options).groups[0].envelope
        return envelope.get("consent"), envelope.get("signals")

    assert told({"Analytics": True, "Ads": False}) == (
        "granted", {"gcm": {"analytics_storage": "granted", "personalization_storage": "denied"}},
    )  # fmt: skip
    assert told({"Analytics": False, "Ads": False}) == ("denied", None)
    assert told({"Marketing": True}) == ("denied", None)
    assert told({}) == (None, None)


def test_every_name_of_the_spec_means_an_event_of_ours() -> None:
    assert set(SEGMENT.values()) <= EVENT_NAMES


@pytest.mark.parametrize(
    "junk", [None, 3, "x", [], {"type": "track"}, {"type": "boo"}, {"type": "page", "timestamp": "x"}]
)
def test_messages_that_are_none_are_told_one_by_one(junk: object) -> None:
    heard = hear([junk, {"type": "page", "messageId": "1", "timestamp": NOW, "anonymousId": "a"}], SegmentOptions())
    assert list(heard.unknown) == [0]
    assert heard.groups[0].places == [1]
