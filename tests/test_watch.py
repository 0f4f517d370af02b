"""Check my installation: the events of the browser that asks, and what they say about the shop's pages."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.ingest.watch import MINUTES, Seen, checklist
from app.node import Node
from app.routes import create_app
from tests.open_shop import ANON, event, open_shop
from tests.signed_in import headers_of

pytestmark = pytest.mark.anyio
MINE, OTHERS = {"user-agent": "Mine/1"}, {"user-agent": "Other/1"}


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    async with open_shop(tmp_path) as node:
        yield node


@pytest.fixture
async def client(node: Node) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(node))
    async with httpx.AsyncClient(transport=transport, base_url="https://personalize.example") as client:
        yield client


async def send(node: Node, client: httpx.AsyncClient, browser: dict[str, str], *events: dict[str, Any]) -> None:
    key = await node.keys.create_api_key("public", now=0)
    body = {"key": key, "consent": "granted", "anon": ANON, "session": "visit-1", "events": events}
    assert (await client.post("/v1/events", content=json.dumps(body), headers=browser)).status_code == 202


async def watched(node: Node, client: httpx.AsyncClient) -> dict[str, Any]:
    signed_in = await headers_of(node, "operator")
    answer = await client.get("/console/setup/watch.json", headers={**signed_in, **MINE})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_one_sees_the_events_of_ones_own_browser_and_of_no_other(node: Node, client: httpx.AsyncClient) -> None:
    await send(node, client, MINE, event(node, "view_item", "before", "S1"))
    assert (await watched(node, client))["watching"] is False
    node.watches.begin(_Asking(MINE), node.clock.now())  # type: ignore[arg-type]
    await send(node, client, MINE, event(node, "view_item", "1", "S1"), event(node, "view_item", "2", "nobody's"))
    await send(node, client, OTHERS, event(node, "add_to_cart", "3", "S1"))
    told = await watched(node, client)
    assert [(each["name"], each["items"], each.get("reason", "")) for each in told["events"]] == [
        ("view_item", ["nobody's"], "unknown_item"), ("view_item", ["S1"], ""),
    ]  # fmt: skip
    assert ANON not in json.dumps(told)
    states = {check["name"]: check["state"] for check in told["checks"]}
    assert states["The script reaches us"] == "good"
    assert states["Product ids match the catalogue"] == "wrong"
    assert states["Purchases have value and currency"] == "waiting"


class _Asking:
    """A request of a browser, as far as a watch looks at it."""

    client = httpx.URL("https://127.0.0.1")

    def __init__(self, headers: dict[str, str]) -> None:
        self.headers = headers


async def test_a_watch_ends_by_itself(node: Node, client: httpx.AsyncClient) -> None:
    node.watches.begin(_Asking(MINE), node.clock.now() - MINUTES * 60 - 1)  # type: ignore[arg-type]
    await send(node, client, MINE, event(node, "view_item", "1", "S1"))
    assert await watched(node, client) == {
        "watching": False, "events": [], "checks": (await watched(node, client))["checks"],
    }  # fmt: skip


def seen(
    name: str, *items: str, at: float = 0, consent: str = "granted", value: bool = False, reason: str = ""
) -> Seen:
    return Seen(at, name, consent, list(items), value, "dropped" if reason else "accepted", reason)


@pytest.mark.parametrize(
    ("events", "check", "state"),
    [
        ([], "The script reaches us", "waiting"),
        ([seen("page_view", consent="")], "Consent is told", "wrong"),
        ([seen("page_view")], "Consent is told", "good"),
        ([seen("purchase", "a")], "Purchases have value and currency", "wrong"),
        ([seen("purchase", "a", value=True)], "Purchases have value and currency", "good"),
        ([seen("view_item", "a", at=10.5), seen("view_item", "a", at=10)], "No view counts twice", "wrong"),
        ([seen("view_item", "a", at=20), seen("view_item", "a", at=10)], "No view counts twice", "good"),
        ([seen("view_item", "b", at=10.5), seen("view_item", "a", at=10)], "No view counts twice", "good"),
        ([seen("view_item_list", "b")], "Shelves are seen", "good"),
    ],
)  # fmt: skip
def test_the_checklist_says_what_is_wrong_and_what_would_be_right(events: list[Seen], check: str, state: str) -> None:
    (found,) = [each for each in checklist(events) if each.name == check]
    assert found.state == state
    assert state == "good" or found.remedy
