import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.dialects.names import ALIASES
from app.ingest.wire import EVENT_NAMES, EventOnWire, EventResult, read_event
from app.node import Node
from app.routes import create_app
from tests.open_shop import batch, event, logged, open_shop, outcomes, send

AT = "2026-11-27T12:00:00Z"
AT_MS = 1_795_780_800_000
SHOPIFY_VIEW = {
    "id": "sh-1", "name": "product_viewed", "clientId": "c", "timestamp": AT,
    "data": {"productVariant": {"id": "v1", "sku": "SKU", "price": {"amount": 9.5, "currencyCode": "EUR"},
                                "product": {"id": "p1", "url": "/products/tee?variant=v1"}}},
}  # fmt: skip
SHOPIFY_ORDER = {
    "id": "sh-2", "name": "checkout_completed", "timestamp": AT,
    "data": {"checkout": {"totalPrice": {"amount": 19, "currencyCode": "EUR"}, "lineItems": [
        {"quantity": 2, "variant": {"id": "v1", "sku": "SKU", "price": {"amount": 9.5}, "product": {"id": "p1"}}}]}},
}  # fmt: skip
GOOGLE = {
    "eventType": "purchase-complete", "visitorId": "v", "eventTime": AT,
    "productDetails": [{"product": {"id": "SKU1"}, "quantity": 2}],
    "purchaseTransaction": {"revenue": 19.9, "currencyCode": "EUR"},
}  # fmt: skip
ALGOLIA = {
    "eventType": "conversion", "eventSubtype": "addToCart", "eventName": "Added", "index": "products", "userToken": "u",
    "timestamp": AT_MS, "objectIDs": ["SKU1", "SKU2"], "objectData": [{"price": 5, "quantity": 3}], "value": 15,
}  # fmt: skip


def read(told: object) -> EventOnWire | EventResult:
    return read_event(msgspec.Raw(json.dumps(told).encode()))


def understood(told: object) -> EventOnWire:
    found = read(told)
    assert isinstance(found, EventOnWire), found
    return found


def test_a_shopify_pixels_events_name_the_product_by_all_the_ids_it_may_have() -> None:
    seen = understood(SHOPIFY_VIEW)
    assert (seen.id, seen.name, seen.ts) == ("sh-1", "view_item", AT_MS)
    assert seen.params is not None
    assert seen.params.items is not None
    assert (seen.params.items[0].item_id, seen.params.items[0].also) == ("tee", ("p1", "SKU", "v1"))
    order = understood(SHOPIFY_ORDER)
    assert order.name == "purchase"
    assert order.params is not None
    assert order.params.items is not None
    assert (order.params.value, order.params.items[0].quantity, order.params.items[0].price) == (19, 2, 9.5)


def test_google_retail_and_algolia_events_get_an_id_that_stays_when_they_are_sent_again() -> None:
    for told, name in ((GOOGLE, "purchase"), (ALGOLIA, "add_to_cart")):
        first, second = understood(told), understood(told)
        assert (first.name, first.ts, first.id) == (name, AT_MS, second.id)
        assert understood({**told, "value": 16, "eventTime": "2026-11-27T12:00:01Z"}).id != first.id
    added = understood(ALGOLIA).params
    assert added is not None
    assert added.items is not None
    assert [(line.item_id, line.quantity) for line in added.items] == [("SKU1", 3), ("SKU2", None)]


def test_every_alias_means_an_event_of_ours() -> None:
    assert set(ALIASES.values()) <= EVENT_NAMES
    assert not set(ALIASES) & EVENT_NAMES


@pytest.mark.anyio
async def test_events_of_other_vendors_are_taken_beside_ours(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as node:
        ours = event(node, "Product Viewed", "1", "S1")
        google = {
            "eventType": "detail-page-view",
            "eventTime": node.clock.now_ms(),
            "productDetails": [{"product": {"id": "S2"}}],
        }
        unknown = event(node, "product_felt", "3", "S1")
        answer = await send(node, batch(ours, google, unknown, {"eventType": "nap"}))
        assert outcomes(answer) == ["accepted", "accepted", "unknown_event", "malformed"]
        assert [each.name for each in await logged(node)] == ["view_item", "view_item"]


json_values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=10,
)


@given(st.sampled_from([SHOPIFY_VIEW, SHOPIFY_ORDER, GOOGLE, ALGOLIA]), st.data())
def test_any_damage_to_a_foreign_event_is_an_answer_and_no_crash(told: dict[str, Any], data: st.DataObject) -> None:
    damaged = {**told, data.draw(st.sampled_from(sorted(told))): data.draw(json_values)}
    assert isinstance(read(damaged), EventOnWire | EventResult)


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    async with open_shop(tmp_path) as node:
        yield node


async def post(node: Node, body: object, media: str) -> httpx.Response:
    key = await node.keys.create_api_key("server", now=0)
    headers = {"authorization": f"Bearer {key}", "content-type": media}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(create_app(node)), base_url="http://node") as client:
        return await client.post("/v1/events", content=json.dumps(body), headers=headers)


def cloud_event(node: Node, identity: str, user: str, kind: str = "com.example.shop.view_item") -> dict[str, Any]:
    at = f"{node.clock.now_ms() // 1000 * 1000}"
    return {
        "specversion": "1.0", "id": identity, "source": "/shop", "type": kind, "time": int(at), "subject": user,
        "data": {"item": "S1", "consent": "granted"},
    }  # fmt: skip


@pytest.mark.anyio
async def test_cloudevents_come_single_and_in_batches_and_are_counted_once(node: Node) -> None:
    answer = await post(node, cloud_event(node, "1", "anna"), "application/cloudevents+json")
    assert (answer.status_code, [each["status"] for each in answer.json()["results"]]) == (202, ["accepted"])
    events = [cloud_event(node, "1", "anna"), cloud_event(node, "2", "bert", "shop.Product Viewed"), {"id": "3"}]
    told = (await post(node, events, "application/cloudevents-batch+json; charset=utf-8")).json()["results"]
    assert [each.get("reason", each["status"]) for each in told] == ["duplicate", "accepted", "malformed"]
    assert "source" in told[2]["detail"]


@pytest.mark.anyio
async def test_cloudevents_need_a_key_and_json(node: Node) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(create_app(node)), base_url="http://node") as client:
        headers = {"content-type": "application/cloudevents+json"}
        assert (await client.post("/v1/events", content="{}", headers=headers)).status_code == 401
    assert (await post(node, "x", "application/cloudevents+json")).json()["results"][0]["reason"] == "malformed"
