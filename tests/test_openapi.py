import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from app.routes import create_app
from tests.open_shop import open_shop

pytestmark = pytest.mark.anyio
API = ("/v1/", "/.well-known/", "/livez", "/readyz", "/metrics", "/openapi")


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[Starlette]:
    async with open_shop(tmp_path) as node:
        yield create_app(node)


@pytest.fixture
async def document(app: Starlette) -> dict[str, Any]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop") as client:
        said = await client.get("/openapi.json")
    assert said.headers["content-type"] == "application/json"
    found: dict[str, Any] = said.json()
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method.upper(), operation


def references(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield str(value)
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


async def test_every_route_of_the_api_is_described_and_nothing_else(app: Starlette, document: dict[str, Any]) -> None:
    served = {
        (re.sub(r":(path|int|str)}", "}", route.path), method)
        for route in app.routes
        if isinstance(route, Route) and route.path.startswith(API)
        for method in route.methods or ()
        if method not in ("HEAD", "OPTIONS")
    }
    # Several actions of one route, such as /v1/privacy/requests/{id}:execute, are described one by one.
    described = {(re.sub(r"(?<=}):\w+$", "", path), method) for path, method, _ in operations(document)}
    assert described == served


async def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    schemas = document["components"]["schemas"]
    led_to = set(references(document))
    assert led_to
    assert {reference.removeprefix("#/components/schemas/") for reference in led_to} <= schemas.keys()
    assert "ProblemDetails" in schemas


async def test_every_operation_says_what_it_does_and_how_it_fails(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(names) == len(set(names))
    for path, method, operation in operations(document):
        assert operation["summary"], (path, method)
        assert any(status.startswith("2") for status in operation["responses"])
        for status, response in operation["responses"].items():
            assert not status.startswith(("4", "5")) or list(response["content"]) == ["application/problem+json"]
        in_path = set(re.findall(r"{(\w+)}", path))
        assert {each["name"] for each in operation["parameters"] if each["in"] == "path"} == in_path


async def test_what_needs_the_shops_server_key_says_so(document: dict[str, Any]) -> None:
    secured = {(path, method) for path, method, operation in operations(document) if "security" in operation}
    assert {("/v1/items/{id}", "PUT"), ("/v1/items:batch", "POST"), ("/v1/events:import", "POST")} <= secured
    assert ("/v1/events", "POST") not in secured


async def test_the_bounds_that_validate_are_the_bounds_that_are_told(document: dict[str, Any]) -> None:
    (media,) = document["paths"]["/v1/events"]["post"]["requestBody"]["content"].values()
    name = media["schema"]["$ref"].removeprefix("#/components/schemas/")
    batch = document["components"]["schemas"][name]["properties"]
    assert json.dumps(batch["anon"]).count("128") == 1
    assert batch["v"] == {"enum": [1], "default": 1}
