from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import msgspec
import pytest

from app.problem import Problem, read_json
from app.routes import create_app
from app.serving.request import RecommendationsOnWire
from tests.open_shop import open_shop


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with open_shop(tmp_path) as node:
        key = await node.keys.create_api_key("server", now=0)
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(create_app(node)),
            base_url="http://shop",
            headers={"authorization": f"Bearer {key}", "content-type": "application/json"},
        ) as client:
            yield client


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/recommendations", b'{"requests": [{"placement": "\xff"}]}'),
        ("POST", "/v1/search", b'{"query": "\xff"}'),
        ("POST", "/v1/events", b'{"key": "\xff", "events": []}'),
        ("POST", "/v1/consent", b'{"visitor": {"anon": "\xff"}}'),
        ("PUT", "/v1/items/S1", b'{"title": "\xff"}'),
        ("POST", "/v1/admin/login", b'{"name": "\xff", "password": "x"}'),
    ],
)
async def test_text_that_is_not_utf8_is_the_senders_mistake(
    shop: httpx.AsyncClient, method: str, path: str, body: bytes
) -> None:
    answer = await shop.request(method, path, content=body)
    assert answer.status_code == 400
    assert "utf-8" in answer.text.lower()


@pytest.mark.anyio
async def test_one_product_that_is_not_utf8_does_not_spoil_its_batch(shop: httpx.AsyncClient) -> None:
    body = b'{"items": [{"id": "good", "title": "A"}, {"id": "bad", "title": "\xff"}]}'
    answer = await shop.post("/v1/items:batch", content=body)
    assert [each["status"] for each in answer.json()["results"]] == ["stored", "rejected"]


@pytest.mark.parametrize(
    ("body", "pointer", "said"),
    [
        (b"", None, "the body is empty"),
        (b'{"requests"', None, "truncated"),
        (b"[]", "", "Expected 'object'"),
        (b'{"requests": [{"placement": 3}]}', "/requests/0/placement", "Expected 'str'"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(body: bytes, pointer: str | None, said: str) -> None:
    with pytest.raises(Problem) as raised:
        read_json(msgspec.json.Decoder(RecommendationsOnWire).decode, body)
    details = raised.value.details
    assert details.status == 400
    assert said in (details.detail if pointer is None else details.errors[0].detail)
    assert [error.pointer for error in details.errors] == ([] if pointer is None else [pointer])


@pytest.mark.anyio
async def test_a_wrong_method_is_answered_with_every_right_one(shop: httpx.AsyncClient) -> None:
    answer = await shop.patch("/v1/items/S1")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "DELETE, GET, HEAD, PUT"
    assert "DELETE, GET, HEAD, PUT" in answer.json()["detail"]
