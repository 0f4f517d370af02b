"""Who may ask what: every route of the server × everyone who may knock. A route that is not in MATRIX fails here."""

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from app.node import Node
from app.routes import OPERATIONS, create_app
from app.routes.admin import CONFIRM, CSRF_HEADER
from store.accounts import ROLE_NAMES
from tests.console_doors import ACTS, FORM, PAGES
from tests.open_shop import ANON, ITEMS, open_shop
from tests.signed_in import headers_of

pytestmark = pytest.mark.anyio

ROLES = frozenset(ROLE_NAMES)
EVERYONE = frozenset({"nobody", "guesser", "public", "server", *ROLES})
WITH_KEY = frozenset({"public", "server"})
SERVER = frozenset({"server"})
PRIVACY = frozenset({"privacy"})
OPERATOR = frozenset({"operator"})
MARKETER = frozenset({"marketer"})
JSON = "application/json"


@dataclass(frozen=True)
class Door:
    """One method of one path: who may, and a request that shows it."""

    may: frozenset[str]
    body: object = None
    path: str = ""
    """Where the template has placeholders."""
    media: str = JSON
    confirmed: bool = False
    """Wants the password entered again."""
    proof: bool = False
    """Answers only whoever proves to be the visitor."""


MATRIX: dict[str, Door] = {
    "POST /v1/recommendations": Door(EVERYONE, {"requests": [{"placement": "home"}]}),
    "OPTIONS /v1/recommendations": Door(EVERYONE),
    "GET /v1/recommendations": Door(EVERYONE),
    "GET /v1/recommendations.html": Door(EVERYONE),
    "GET /v1/recommendations/{request_id}/why": Door(EVERYONE, path="/v1/recommendations/none/why"),
    "POST /v1/events": Door(WITH_KEY, {"v": 1, "consent": "denied", "events": []}),
    "OPTIONS /v1/events": Door(EVERYONE),
    "POST /v1/events:import": Door(SERVER, "", media="application/x-ndjson"),
    "POST /v1/search": Door(EVERYONE, {"query": "shoe"}),
    "POST /v1/items:batch": Door(SERVER, {"items": []}),
    "GET /v1/items": Door(SERVER),
    "GET /v1/items/{id:path}": Door(SERVER, path="/v1/items/S0"),
    "PUT /v1/items/{id:path}": Door(SERVER, {"title": "Red shoe"}, path="/v1/items/S0"),
    "DELETE /v1/items/{id:path}": Door(SERVER, path="/v1/items/S1"),
    **{
        f"{method} /v1/{kind}": Door(*door)
        for kind in ("batch", "track", "page", "screen", "identify", "group", "alias")
        for method, door in (("POST", (WITH_KEY, {"batch": [], "type": kind})), ("OPTIONS", (EVERYONE,)))
    },
    "POST /v1/segment/{letter}": Door(WITH_KEY, {"type": "page"}, path="/v1/segment/p"),
    "OPTIONS /v1/segment/{letter}": Door(EVERYONE, path="/v1/segment/p"),
    "GET /v1/projects/{key}/settings": Door(EVERYONE, path="/v1/projects/pk_x/settings"),
    "GET /v1/imports": Door(SERVER),
    "POST /v1/imports": Door(SERVER, "id,title,price\nS0,Red shoe,5\n", path="/v1/imports?preview=1", media="text/csv"),
    "POST /v1/consent": Door(EVERYONE, {"visitor": {"anon": ANON}, "state": "denied"}),
    "OPTIONS /v1/consent": Door(EVERYONE),
    "GET /.well-known/gpc.json": Door(EVERYONE),
    "GET /.well-known/personalize-receipts.json": Door(EVERYONE),
    "GET /v1/me": Door(EVERYONE, proof=True),
    "OPTIONS /v1/me": Door(EVERYONE),
    "GET /v1/me/export": Door(EVERYONE, proof=True),
    "OPTIONS /v1/me/export": Door(EVERYONE),
    "GET /v1/me/vault/{category}": Door(frozenset(), path="/v1/me/vault/purchases", proof=True),
    "OPTIONS /v1/me/vault/{category}": Door(EVERYONE, path="/v1/me/vault/purchases"),
    "DELETE /v1/me": Door(EVERYONE, proof=True),
    "GET /v1/me/erasures/{id}": Door(EVERYONE, path="/v1/me/erasures/0"),
    "OPTIONS /v1/me/erasures/{id}": Door(EVERYONE, path="/v1/me/erasures/0"),
    "GET /v1/privacy/requests": Door(PRIVACY),
    "POST /v1/privacy/requests": Door(PRIVACY, {}),
    "GET /v1/privacy/requests/{id}": Door(PRIVACY, path="/v1/privacy/requests/0"),
    "POST /v1/privacy/requests/{id}": Door(PRIVACY, path="/v1/privacy/requests/0:execute", confirmed=True),
    "GET /v1/privacy/retention": Door(PRIVACY),
    "GET /v1/privacy/budget": Door(PRIVACY),
    "GET /v1/privacy/consent-stats": Door(PRIVACY),
    "GET /v1/privacy/aggregates": Door(PRIVACY),
    "GET /v1/experience": Door(EVERYONE),
    "POST /v1/experience": Door(EVERYONE, {}),
    "OPTIONS /v1/experience": Door(EVERYONE),
    "GET /v1/experiments": Door(MARKETER),
    "POST /v1/experiments": Door(MARKETER, {}),
    "GET /v1/experiments/{id}": Door(MARKETER, path="/v1/experiments/none"),
    "GET /v1/experiments/{id}/results": Door(MARKETER, path="/v1/experiments/none/results"),
    "GET /v1/experiments/{id}/pins": Door(MARKETER, path="/v1/experiments/none/pins"),
    "PUT /v1/experiments/{id}": Door(MARKETER, {}, path="/v1/experiments/none"),
    "DELETE /v1/experiments/{id}": Door(MARKETER, path="/v1/experiments/none"),
    "POST /v1/experiments/{id}": Door(MARKETER, path="/v1/experiments/none:start"),
    "GET /v1/pages": Door(ROLES),
    "GET /v1/pages/versions": Door(ROLES),
    "PUT /v1/pages/{page}": Door(MARKETER, {"sections": ["home"]}, path="/v1/pages/none"),
    "DELETE /v1/pages/{page}": Door(MARKETER, path="/v1/pages/none"),
    "POST /v1/pages:publish": Door(MARKETER, {}),
    "POST /v1/pages:rollback": Door(MARKETER, {}),
    "POST /v1/pages:discard": Door(MARKETER),
    "GET /v1/rules": Door(MARKETER),
    "POST /v1/rules": Door(MARKETER, {"name": "none"}),
    "GET /v1/rules/{id}": Door(MARKETER, path="/v1/rules/none"),
    "PUT /v1/rules/{id}": Door(MARKETER, {"name": "none"}, path="/v1/rules/none"),
    "DELETE /v1/rules/{id}": Door(MARKETER, path="/v1/rules/none"),
    "POST /v1/rules:preview": Door(MARKETER, {}),
    "POST /v1/rules:publish": Door(MARKETER, {}),
    "POST /v1/rules:rollback": Door(MARKETER, {}),
    "POST /v1/rules:discard": Door(MARKETER),
    "GET /v1/rules:export": Door(MARKETER),
    "POST /v1/rules:import": Door(MARKETER, "", media="application/toml"),
    "GET /v1/rules:pinned-or-automatic": Door(MARKETER),
    "GET /v1/rules/versions": Door(MARKETER),
    "GET /v1/rules/versions/{version}": Door(MARKETER, path="/v1/rules/versions/r1"),
    "GET /v1/rules/versions/{version}/diff": Door(MARKETER, path="/v1/rules/versions/r1/diff"),
    "GET /v1/personas": Door(MARKETER),
    "PUT /v1/personas/{id}": Door(MARKETER, {"name": "Anna"}, path="/v1/personas/anna"),
    "DELETE /v1/personas/{id}": Door(MARKETER, path="/v1/personas/none"),
    "POST /v1/admin/login": Door(EVERYONE, {"name": "nobody"}),
    "POST /v1/admin/logout": Door(ROLES),
    "GET /v1/admin/session": Door(ROLES),
    "POST /v1/admin/confirm": Door(ROLES, {"password": "guess"}),
    "POST /v1/admin/password": Door(ROLES, {"password": "guess", "new": "short"}),
    "GET /v1/admin/users": Door(OPERATOR),
    "POST /v1/admin/users": Door(OPERATOR, {"name": "grace", "roles": [], "password": "short"}, confirmed=True),
    "PATCH /v1/admin/users/{name}": Door(OPERATOR, {}, path="/v1/admin/users/none", confirmed=True),
    "DELETE /v1/admin/users/{name}": Door(OPERATOR, path="/v1/admin/users/none", confirmed=True),
    "GET /v1/audit": Door(PRIVACY | OPERATOR),
    "GET /v1/keys": Door(OPERATOR),
    "POST /v1/keys": Door(OPERATOR, {"kind": "public"}, confirmed=True),
    "DELETE /v1/keys/{id}": Door(OPERATOR, path="/v1/keys/999", confirmed=True),
    "GET /v1/segments": Door(OPERATOR | {"marketer"}),
    "GET /v1/models": Door(OPERATOR),
    "GET /v1/models/{id}": Door(OPERATOR, path="/v1/models/none"),
    "POST /v1/models/{id}": Door(OPERATOR, path="/v1/models/none:promote"),
    "GET /v1/training-runs": Door(OPERATOR),
    "POST /v1/training-runs": Door(OPERATOR),
    "GET /livez": Door(EVERYONE),
    "GET /readyz": Door(EVERYONE),
    "GET /metrics": Door(EVERYONE),
    "GET /openapi.json": Door(EVERYONE),
    "GET /console": Door(EVERYONE),
    "GET /console/sign-in": Door(EVERYONE),
    "POST /console/sign-in": Door(EVERYONE, "staff_name=nobody", media=FORM),
    "GET /console/{rest:path}": Door(ROLES, path="/console/none"),
    **{f"GET /console{page.template or '/'}": Door(page.may, path=page.address) for page in PAGES},
    **{f"GET /console{page.twin or f'{page.template}.json'}": Door(page.may, path=page.json) for page in PAGES},
    **{
        f"POST /console{act.template}": Door(act.may, act.body, act.address, FORM, confirmed=act.confirmed)
        for act in ACTS
    },
    "GET an asset": Door(EVERYONE, path="/pz.js"),
    "GET /demo": Door(EVERYONE),
    "GET /demo/": Door(EVERYONE),
    "GET /demo/c/{path:path}": Door(EVERYONE, path="/demo/c/shoes"),
    "GET /demo/p/{id}": Door(EVERYONE, path="/demo/p/S2"),
    "GET /demo/cart": Door(EVERYONE),
    "POST /demo/cart": Door(EVERYONE),
    "POST /demo/checkout": Door(EVERYONE),
    "GET /demo/thanks": Door(EVERYONE),
    "GET /demo/search": Door(EVERYONE),
    "POST /demo/search": Door(EVERYONE),
    "POST /demo/region": Door(EVERYONE),
    "GET /demo/img/{name}.svg": Door(EVERYONE, path="/demo/img/none.svg"),
    "GET /demo/{rest:path}": Door(EVERYONE, path="/demo/none"),
}
ACTION = re.compile(r"(?<=}):\w+$")
"""Several actions of one route, such as /v1/privacy/requests/{id}:execute."""
ASSET = re.compile(r"/[\w-]+(\.[0-9a-f]{12})?\.(js|css|svg|woff2|txt)")


@dataclass(frozen=True)
class Shop:
    """A node that serves everything there is."""

    node: Node
    app: Starlette


@pytest.fixture(scope="module")
async def shop(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shop]:
    folder: Path = tmp_path_factory.mktemp("access")
    async with open_shop(folder, server={"demo": True}, admin={"attempts_per_minute": 1000}) as node:
        await node.shop.put_items(ITEMS, node.clock.now())
        yield Shop(node, create_app(node))


async def told_by(node: Node, who: str) -> dict[str, str]:
    """The headers by which somebody is known."""
    if who in ROLES:
        return await headers_of(node, who)
    if who in ("public", "server"):
        kept = next((key.shown for key in node.keys.api_keys() if key.kind == "public" == who), "")
        return {"authorization": f"Bearer {kept or await node.keys.create_api_key('server', now=0)}"}
    return {"authorization": "Bearer sk_" + "A" * 32} if who == "guesser" else {}


async def knock(shop: Shop, name: str, headers: dict[str, str]) -> httpx.Response:
    door, (method, _, template) = MATRIX[name], name.partition(" ")
    content = door.body if isinstance(door.body, str) else json.dumps(door.body)
    transport = httpx.ASGITransport(shop.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="https://personalize.example") as client:
        return await client.request(
            method, door.path or template, content=None if door.body is None else content,
            headers={**({"content-type": door.media} if door.body is not None else {}), **headers},
        )  # fmt: skip


def methods_of(route: Route) -> list[str]:
    path = "an asset" if ASSET.fullmatch(route.path) else route.path
    return [f"{method} {path}" for method in sorted((route.methods or set()) - {"HEAD"})]


async def test_every_route_is_in_the_matrix_and_every_entry_is_a_route(shop: Shop) -> None:
    routes = shop.app.routes
    assert all(isinstance(route, Route) for route in routes)
    found = {name for route in routes if isinstance(route, Route) for name in methods_of(route)}
    assert found - set(MATRIX) == set(), "say in MATRIX who may ask this"
    assert set(MATRIX) - found == set()


@pytest.mark.parametrize("name", MATRIX)
async def test_a_route_answers_those_who_may_and_no_one_else(shop: Shop, name: str) -> None:
    door = MATRIX[name]
    proof = {"personalize-visitor": json.dumps({"anon": ANON})} if door.proof else {}
    for who in sorted(EVERYONE):
        answer = await knock(shop, name, {**await told_by(shop.node, who), **proof})
        assert answer.status_code < 500, f"{who}: {answer.text}"
        if who in door.may:
            # A key that is none is told so wherever keys are looked at, also where none is needed.
            guessed = who == "guesser" and answer.status_code == 401
            assert guessed or answer.status_code not in (401, 403), f"{who}: {answer.status_code} {answer.text}"
        else:
            assert answer.status_code in (401, 403), f"{who}: {answer.status_code}"


@pytest.mark.parametrize("name", [name for name, door in MATRIX.items() if door.proof])
@pytest.mark.parametrize("visitor", [None, {}, {"anon": "short"}, {"user": "anna"}, {"user": "anna", "user_sig": "00"}])
async def test_what_is_about_a_person_is_told_to_that_person_only(
    shop: Shop, name: str, visitor: dict[str, str] | None
) -> None:
    told = {} if visitor is None else {"personalize-visitor": json.dumps(visitor)}
    # The shop's server says itself whom it asks for.
    for who in sorted(EVERYONE - SERVER if visitor else EVERYONE):
        answer = await knock(shop, name, {**await told_by(shop.node, who), **told})
        assert answer.status_code in (400, 401, 403), f"{who}: {answer.status_code}"


SIGNED_IN = [name for name, door in MATRIX.items() if door.may and door.may <= ROLES]


@pytest.mark.parametrize("name", [name for name in SIGNED_IN if not name.startswith("GET")])
async def test_what_changes_something_wants_the_token_of_a_page_of_ours(shop: Shop, name: str) -> None:
    for who in sorted(MATRIX[name].may):
        headers = await told_by(shop.node, who)
        del headers[CSRF_HEADER]
        assert (await knock(shop, name, headers)).status_code == 403


@pytest.mark.parametrize("name", SIGNED_IN)
async def test_what_is_not_for_a_screen_left_open_wants_the_password(shop: Shop, name: str) -> None:
    for who in sorted(MATRIX[name].may):
        headers = await headers_of(shop.node, who, confirmed=False)
        answer = await knock(shop, name, headers)
        wanted = answer.status_code == 403 and answer.json()["type"] == CONFIRM
        assert wanted is MATRIX[name].confirmed


def test_the_api_description_says_the_same() -> None:
    doors = {re.sub(r":path}", "}", name): door for name, door in MATRIX.items()}
    named = {"": EVERYONE, "public": WITH_KEY, "server": SERVER, "admin": ROLES}
    said = {
        f"{each.method.upper()} {ACTION.sub('', each.path)}": named.get(each.key, frozenset(each.key.split(" or ")))
        for each in OPERATIONS
    }
    assert {name for name, may in said.items() if doors[name].may != may and not doors[name].proof} == set()
    assert {name for name in doors if " /v1/" in name and not name.startswith("OPTIONS")} - set(said) == set()
