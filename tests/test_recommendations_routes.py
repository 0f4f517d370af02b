from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from app.config import parse_config
from app.node import Node, open_node
from app.privacy.gatekeeper import ConsentSignal, Decision, Reason
from app.routes import create_app
from app.serving.answer import RecommendationsAnswer
from plugins.loading import shipped_names
from store.records import PersonRow, Purpose
from tests.small_shop import item

ANON = "a" * 22
SETTINGS: dict[str, Any] = {
    "server": {"allowed_origins": ["https://shop.example"]},
    "serving": {"exclude_at_most": 20, "body_bytes": 5000},
    "training": {"every_hours": 0},
    "plugins": {"folder": str(Path(__file__).parent / "drop_in"), **{name: {} for name in shipped_names()}},
}
PATH = "/v1/recommendations"


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    async with open_node(parse_config(SETTINGS), tmp_path / "personalize.toml") as node:
        await node.shop.put_items([item(number) for number in range(60)], node.clock.now())
        yield node


@pytest.fixture
async def shop(node: Node) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(create_app(node)), base_url="http://shop") as client:
        yield client


def asking(placement: str = "home", **visitor: str) -> dict[str, Any]:
    return {"visitor": visitor, "requests": [{"placement": placement, "limit": 5}]}


async def view(shop: httpx.AsyncClient, node: Node, *ids: str, consent: str = "granted", **who: str) -> None:
    now = node.clock.now_ms()
    events = [
        {"id": f"e{place}", "name": "view_item", "ts": now + place, "params": {"items": [{"item_id": item_id}]}}
        for place, item_id in enumerate(ids)
    ]
    batch = {
        "v": 1,
        "key": node.keys.first_keys["public"],
        "consent": consent,
        "session": "s1",
        **who,
        "events": events,
    }
    answer = await shop.post("/v1/events", json=batch, headers={"origin": "https://shop.example"})
    assert [result["status"] for result in answer.json()["results"]] == ["accepted"] * len(ids)


def ids_of(answer: httpx.Response) -> list[str]:
    told = msgspec.json.decode(answer.content, type=RecommendationsAnswer)
    return [found.id for found in told.results[0].items]


@pytest.mark.anyio
async def test_the_next_request_after_an_event_sees_it(shop: httpx.AsyncClient, node: Node) -> None:
    who = {"anon": ANON, "session": "s1", "consent": "granted"}
    before = await shop.post(PATH, json=asking("recently-viewed", **who))
    assert ids_of(before) == []
    await view(shop, node, "SKU20", "SKU30", anon=ANON)
    after = await shop.post(PATH, json=asking("recently-viewed", **who))
    assert after.json()["results"][0]["strategy"] == "personalized"
    assert ids_of(after) == ["SKU30", "SKU20"]
    assert after.headers["cache-control"] == "private, no-store"
    assert "recommend;dur=" in after.headers["server-timing"]


@pytest.mark.anyio
@pytest.mark.parametrize("consent", ["denied", "pending", "anonymous"])
async def test_who_agreed_to_nothing_gets_a_contextual_answer(
    shop: httpx.AsyncClient, node: Node, consent: str
) -> None:
    await view(shop, node, "SKU20", anon=ANON)
    body = asking(anon=ANON, session="s1", consent=consent) | {"context": {"item": "SKU3"}}
    told = (await shop.post(PATH, json=body)).json()["results"][0]
    assert told["strategy"] == "contextual"
    assert ids_of(await shop.post(PATH, json=asking("recently-viewed", anon=ANON, consent=consent))) == []


@pytest.mark.anyio
async def test_a_user_of_a_browser_must_be_signed_by_the_shop(shop: httpx.AsyncClient, node: Node) -> None:
    server = {"authorization": f"Bearer {node.keys.first_keys['server']}"}
    await view(shop, node, "SKU20", user="ann", key=node.keys.first_keys["server"])
    body = asking("recently-viewed", user="ann", consent="granted")
    assert ids_of(await shop.post(PATH, json=body)) == []
    assert ids_of(await shop.post(PATH, json=body, headers=server)) == ["SKU20"]


@pytest.mark.anyio
async def test_a_gatekeeper_that_says_no_means_that_no_row_is_read(shop: httpx.AsyncClient, node: Node) -> None:
    await view(shop, node, "SKU20", anon=ANON)

    class No:
        def allow(self, signal: ConsentSignal, record: PersonRow | None, now: float) -> Decision:
            assert record is None
            return Decision(Purpose.NONE, Reason.DENIED)

        def at_most(self, signal: ConsentSignal) -> Purpose:
            return Purpose.NONE

        def decided(self, signal: ConsentSignal) -> Purpose | None:
            return None

    node.gatekeeper = No()
    body = asking("recently-viewed", anon=ANON, session="s1", consent="granted")
    assert ids_of(await shop.post(PATH, json=body)) == []


@pytest.mark.anyio
async def test_global_privacy_control_is_honoured_and_said_to_be(shop: httpx.AsyncClient) -> None:
    answer = await shop.post(PATH, json=asking(session="s1"), headers={"sec-gpc": "1"})
    assert answer.headers["gpc-honoured"] == "1"


@pytest.mark.anyio
async def test_a_contextual_list_may_be_cached_and_is_the_same_for_everyone(shop: httpx.AsyncClient) -> None:
    query = {"placement": "new", "limit": "4", "region": "DE", "exclude": "SKU1,SKU2", "filter": "price < 20"}
    first, second = [await shop.get(PATH, params=query) for _ in range(2)]
    assert first.headers["cache-control"].startswith("public, max-age=30")
    assert "personalize-visitor" in first.headers["vary"], "a cache keeps it from the shop's server asking for somebody"
    assert ids_of(first) == ids_of(second) == ["SKU0", "SKU3", "SKU4", "SKU5"]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"anon": ANON}, 400), ({"limit": "many"}, 400),
        ({"limit": "9" * 5_000}, 400), ({"limit": "\u0663"}, 400), ({"limit": "0"}, 400), ({"placement": "hom"}, 404),
        ({"filter": "prize < 3"}, 400), ({"exclude": ",".join(f"SKU{number}" for number in range(30))}, 400),
    ],
)  # fmt: skip
async def test_a_url_says_what_is_wrong_with_it(shop: httpx.AsyncClient, query: dict[str, str], status: int) -> None:
    answer = await shop.get(PATH, params=query)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]


@pytest.mark.anyio
async def test_every_bound_that_is_passed_is_told_with_its_pointer(shop: httpx.AsyncClient) -> None:
    body = asking()
    body["requests"] += [{"placement": "home", "limit": 60}, {"placement": "home", "exclude": ["x"] * 30}]
    answer = await shop.post(PATH, json=body)
    assert answer.status_code == 400
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/requests/1/limit", "/requests/2/exclude"]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("body", "status", "pointer"),
    [
        (b"{", 400, None),
        (b'{"requests": []}', 400, "/requests"),
        (b'{"requests": [{"placement": 3}]}', 400, "/requests/0/placement"),
        (b'{"requests": [{"placement": "hom"}]}', 404, None),
        (b'{"requests": [{"placement": "home", "filter": "price <"}]}', 400, "/requests/0/filter"),
        (b'{"requests": [{"placement": "home"}], "key": "pk_nobody_knows_this_one"}', 401, None),
        (b'{"requests": [{"placement": "home"}]}' + b" " * 6000, 413, None),
    ],
)
async def test_a_body_says_what_is_wrong_with_it(
    shop: httpx.AsyncClient, body: bytes, status: int, pointer: str | None
) -> None:
    answer = await shop.post(PATH, content=body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    if pointer is not None:
        assert answer.json()["errors"][0]["pointer"] == pointer


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("wrong", "pointer", "detail"),
    [
        ({"requests": [{"placement": "home", "fliter": "price < 5"}]}, "/requests/0/fliter", "did you mean 'filter'?"),
        ({"requests": [{"placement": "home"}], "visiter": {}}, "/visiter", "did you mean 'visitor'?"),
        ({"requests": [{"placement": "home"}], "context": {"cat": []}}, "/context/cat", "did you mean 'cart'?"),
        ({"requests": [{"placement": "home"}], "context": {"zzz": 1}}, "/context/zzz", "known here: cart, category,"),
        (
            {"requests": [{"placement": "home"}], "visitor": {"consent": "granted", "signals": {"tfc": "a no"}}},
            "/visitor/signals/tfc",
            "did you mean 'tcf'?",
        ),
    ],
)
async def test_a_misspelt_field_is_told_and_never_left_out_in_silence(
    shop: httpx.AsyncClient, wrong: dict[str, Any], pointer: str, detail: str
) -> None:
    answer = await shop.post(PATH, json=wrong)
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert error["pointer"] == pointer
    assert detail in error["detail"]


@pytest.mark.anyio
async def test_what_else_is_said_of_a_visitor_is_dropped(shop: httpx.AsyncClient) -> None:
    who = {"anon": ANON, "consent": "granted", "email": "somebody@shop.example"}
    answer = await shop.post(PATH, json={"visitor": who, "requests": [{"placement": "home"}]})
    assert answer.status_code == 200
    assert "somebody" not in answer.text


@pytest.mark.anyio
async def test_unknown_items_of_the_request_are_told(shop: httpx.AsyncClient) -> None:
    body = asking() | {"context": {"item": "gone", "cart": ["SKU1", "lost"]}}
    assert (await shop.post(PATH, json=body)).json()["results"][0]["missing_ids"] == ["lost", "gone"]


@pytest.mark.anyio
async def test_why_is_answered_for_a_while_and_with_explain_at_once(shop: httpx.AsyncClient) -> None:
    body = asking() | {"explain": True}
    told = (await shop.post(PATH, json=body)).json()["results"][0]
    why = await shop.get(f"{PATH}/{told['request_id']}/why")
    assert why.json() == told["explanation"]
    assert [one["id"] for one in why.json()["items"]] == [one["id"] for one in told["items"]]
    missing = await shop.get(f"{PATH}/0123456789abcdef/why")
    assert missing.status_code == 404
    assert "explain" in missing.json()["detail"]


@pytest.mark.anyio
async def test_html_is_for_everyone_unless_the_shops_server_says_for_whom(shop: httpx.AsyncClient, node: Node) -> None:
    await view(shop, node, "SKU20", anon=ANON)
    page = f"{PATH}.html?placement=recently-viewed"
    nobody = await shop.get(page)
    assert nobody.headers["cache-control"].startswith("public")
    assert nobody.text == ""
    visitor = {"personalize-visitor": f'{{"anon": "{ANON}", "session": "s1", "consent": "granted"}}'}
    assert (await shop.get(page, headers=visitor)).status_code == 401
    public = {"authorization": f"Bearer {node.keys.first_keys['public']}"}
    assert (await shop.get(page, headers=visitor | public)).status_code == 401
    server = {"authorization": f"Bearer {node.keys.first_keys['server']}"}
    personal = await shop.get(page, headers=visitor | server)
    assert personal.headers["cache-control"] == "private, no-store"
    assert 'data-pz-item="SKU20"' in personal.text
    assert (await shop.get(page, headers=server | {"personalize-visitor": "ann"})).status_code == 400


@pytest.mark.anyio
async def test_only_pages_of_allowed_origins_may_read_answers(shop: httpx.AsyncClient) -> None:
    allowed = {"origin": "https://shop.example"}
    for answer in (
        await shop.post(PATH, json=asking(), headers=allowed),
        await shop.post(PATH, content=b"{", headers=allowed),
        await shop.options(PATH, headers=allowed),
    ):
        assert answer.headers["access-control-allow-origin"] == "https://shop.example"
        assert "access-control-allow-credentials" not in answer.headers
    stranger = await shop.post(PATH, json=asking(), headers={"origin": "https://evil.example"})
    assert "access-control-allow-origin" not in stranger.headers
    assert stranger.headers["vary"] == "origin"


@pytest.mark.anyio
async def test_a_broken_rule_answers_200_with_no_items(tmp_path: Path) -> None:
    settings = SETTINGS | {"plugins": SETTINGS["plugins"] | {"broken_keep": {}}}
    async with open_node(parse_config(settings), tmp_path / "personalize.toml") as node:
        await node.shop.put_items([item(number) for number in range(60)], node.clock.now())
        async with httpx.AsyncClient(transport=httpx.ASGITransport(create_app(node)), base_url="http://shop") as shop:
            answer = await shop.post(PATH, json=asking())
    assert answer.status_code == 200
    assert answer.json()["results"][0] | {"request_id": "", "token": "", "title": ""} == {
        "placement": "home", "title": "", "request_id": "", "token": "", "strategy": "fallback", "items": [],
        "missing_ids": [],
    }  # fmt: skip
