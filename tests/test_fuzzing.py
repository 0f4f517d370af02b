"""Whatever is sent to an operation of /openapi.json, fitting its description or not: never a mistake of ours."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from starlette.applications import Starlette

from app.node import Node
from app.routes import OPERATIONS, create_app
from app.routes.openapi import document
from store.accounts import EVERY_ROLE
from tests.open_shop import open_shop
from tests.signed_in import headers_of

pytestmark = pytest.mark.anyio
Case = schemathesis.Case[Any]
MOST = 20
"""Requests of each operation."""
ADDRESS = "https://personalize.example"
DESCRIBED = schemathesis.openapi.from_dict(document(OPERATIONS, title="personalize", version="1"))
BY_LABEL = {found.ok().label: found.ok() for found in DESCRIBED.get_all_operations() if isinstance(found, Ok)}
DOCUMENTED = {
    f"{each.method.upper()} {each.path}": {each.status, *each.problems, *({201} if each.status == 200 else ())}
    for each in OPERATIONS
}
ANYWHERE = {404, 405, 429}
"""A fuzzed path may lead elsewhere; a password may be tried too often."""


@dataclass(frozen=True)
class Shop:
    """A node behind its HTTP surface."""

    node: Node
    app: Starlette

    server_key: str

    async def ask(self, case: Case) -> httpx.Response:
        """With every right there is, so that nothing is refused before it is read."""
        prepared = requests.Request(**case.as_transport_kwargs(base_url=ADDRESS)).prepare()
        told = {"authorization": f"Bearer {self.server_key}", **await headers_of(self.node, EVERY_ROLE)}
        sent = {str(name): str(value) for name, value in prepared.headers.items() if name.lower() not in told}
        body = prepared.body.encode() if isinstance(prepared.body, str) else prepared.body
        assert body is None or isinstance(body, bytes)
        # A crash is raised here, with its place in the program.
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport) as client:
            return await client.request(
                prepared.method or "", prepared.url or "", content=body, headers={**sent, **told}
            )


@pytest.fixture(scope="module")
async def shop(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shop]:
    folder = tmp_path_factory.mktemp("fuzzing")
    async with open_shop(folder, server={"requests_per_minute": 0}, admin={"attempts_per_minute": 2}) as node:
        yield Shop(node, create_app(node), await node.keys.create_api_key("server", now=0))


def cases(label: str) -> list[Case]:
    """Requests as described and, where there is something to get wrong, as not described."""
    operation = BY_LABEL[label]
    kinds = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
    if operation.body or operation.query or operation.headers:
        kinds |= operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)
    drawn: list[Case] = []

    # Drawn before anything is sent: hypothesis ends an example with an exception that would end the event loop too.
    @settings(
        max_examples=MOST, database=None, deadline=None, derandomize=True, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(kinds)
    def draw(case: Case) -> None:
        drawn.append(case)

    draw()
    return drawn


@pytest.mark.parametrize("label", BY_LABEL)
async def test_no_request_finds_a_mistake_of_ours(shop: Shop, label: str) -> None:
    for case in cases(label):
        answer = await shop.ask(case)
        told = f"{case.method} {case.formatted_path} {case.query} {case.body!r}: {answer.status_code} {answer.text}"
        assert answer.status_code < 500, told
        assert answer.status_code in DOCUMENTED[label] | ANYWHERE, told
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == "application/problem+json", told
