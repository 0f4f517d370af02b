"""No personal read or write without the gatekeeper's yes, on any route; the vault never without the name."""

import json
import random
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.routing import Route

from app.dialects.segment import KINDS
from app.node import Node
from app.privacy.gatekeeper import NOTHING, ConsentSignal, Decision, Gate, gpc_signal
from app.routes import create_app
from store.database import Transaction
from store.fields import FIELDS
from store.records import PURPOSE_NAMES, VAULT, PersonRow, Purpose
from store.vault import CATEGORY_NAMES
from tests.open_shop import batch, event, open_shop, send

pytestmark = pytest.mark.anyio
NEXT_SESSION = "9" * 32
SAYS_YES = {"consent": "granted", "purposes": ["vault.purchases", "vault.searches", "vault.location"]}
WHO = {"anon": "a" * 32, "session": "5" * 32}
VISITOR = {**WHO, **SAYS_YES}
PERSONAL = re.compile(
    r"\b(FROM|INTO|UPDATE|JOIN)\s+(" + "|".join({each.table.replace("*", r"\d+") for each in FIELDS}) + r")\b"
)
RIGHTS = ("/v1/consent", "/v1/me", "/v1/me/export", "/v1/me/erasures/", "/v1/privacy/")
"""What a person, or a privacy officer on behalf of one, may do whatever was consented to: the law asks for it."""
NOT_ABOUT_VISITORS = (
    "/v1/admin/", "/v1/audit", "/v1/keys", "/v1/experiments", "/v1/imports", "/v1/models", "/v1/pages",
    "/v1/personas", "/v1/projects/", "/v1/rules", "/v1/segments", "/v1/training-runs",
    "/livez", "/readyz", "/metrics", "/openapi.json",
    "/.well-known/",
)  # fmt: skip
"""Nobody is named in these."""
FOR_STAFF = "/console"
"""Staff see these, by the roles of tests/test_access.py; a person's data only where the law gives a right to it."""
SCRIPTS = re.compile(
    r"/(pz|pz-recs|pz-all|demo|icon|console|inter|inter-license)(\.[0-9a-f]{12})?\.(js|css|svg|woff2|txt)"
)


class DenyAll:
    """Takes the gatekeeper's place."""

    def allow(self, signal: ConsentSignal, record: PersonRow | None, now: float) -> Decision:
        return NOTHING

    def at_most(self, signal: ConsentSignal) -> Purpose:
        return Purpose.NONE

    def decided(self, signal: ConsentSignal) -> Purpose | None:
        return None


class Watch:
    """Every statement that touches a table about people, in any of the files."""

    def __init__(self) -> None:
        self.statements: list[str] = []

    def note(self, statement: str) -> None:
        if PERSONAL.search(statement):
            self.statements.append(" ".join(statement.split()))

    async def over(self, node: Node) -> None:
        for reader in (node.reader, node.vault._reader, node.keys._reader):
            reader.set_trace_callback(self.note)
        for database in (node.database, node.vault._database, node.keys._database):
            await database.run(lambda connection: connection.set_trace_callback(self.note))

    def seen(self) -> list[str]:
        found, self.statements = self.statements, []
        return found


@asynccontextmanager
async def asked_with(folder: Path, gate: Gate | None) -> AsyncIterator[tuple[Node, httpx.AsyncClient, Watch]]:
    async with open_shop(
        folder, server={"demo": True}, experiences={"home": {"sections": ["home", "recently-viewed"]}}
    ) as node:
        if gate is not None:
            node.gatekeeper = gate
        watch = Watch()
        await settled(node)
        await watch.over(node)
        secret = await node.keys.create_api_key("server", now=0)
        headers = {"authorization": f"Bearer {secret}"}
        transport = httpx.ASGITransport(create_app(node))
        async with httpx.AsyncClient(transport=transport, base_url="http://shop", headers=headers) as http:
            yield node, http, watch


async def settled(node: Node) -> None:
    """What a start finds to be finished is finished."""

    async def nothing(_: Transaction) -> None:
        pass

    await node.withdrawals.until_empty()
    while node.intake._released < node.vault.applied(node.log.epoch()):
        await node.intake.writer.exclusive(nothing)


def told_events(node: Node, item: str, round_of: str) -> bytes:
    names = [
        "view_item",
        "select_item",
        "add_to_cart",
        "dismiss_item",
        "user_engagement",
        "consent_update",
        "page_view",
    ]
    events = [event(node, name, f"{round_of}-{name}", item) for name in names]
    events.append(event(node, "search", f"{round_of}-s", search_term="red shoe"))
    bought = [{"item_id": item, "quantity": 1, "price": 3.0}]
    events += [event(node, name, f"{round_of}-{name}", items=bought, value=3.0) for name in ("purchase", "refund")]
    more: dict[str, Any] = {**VISITOR, "location": {"lat": 1.0, "lon": 2.0}}
    return batch(*events, **more)


def questions(node: Node, round_of: str) -> dict[tuple[str, str], list[tuple[str, dict[str, Any]]]]:
    """(method, route) -> requests that name a visitor wherever the route can hear of one."""
    header = {"headers": {"personalize-visitor": json.dumps(VISITOR)}}
    lists = {"requests": [{"placement": name} for name in ("home", "cart", "recently-viewed", "buy-again")]}
    item = {"id": "S9", "title": "shoe", "category": ["shoes"], "price": 5.0}
    typed = {"headers": {"content-type": "application/json"}}
    message = {
        "type": "track",
        "event": "Product Viewed",
        "anonymousId": VISITOR["anon"],
        "messageId": f"{round_of}-message",
        "timestamp": datetime.fromtimestamp(node.clock.now(), UTC).isoformat(),
        "properties": {"product_id": "S1"},
    }
    lines = {"content-type": "application/x-ndjson"}
    return {
        ("POST", "/v1/recommendations"): [("/v1/recommendations", {"json": {**lists, "visitor": VISITOR}})],
        ("GET", "/v1/recommendations"): [("/v1/recommendations?placement=home", {})],
        ("GET", "/v1/recommendations.html"): [("/v1/recommendations.html?placement=home", header)],
        ("GET", "/v1/recommendations/{request_id}/why"): [("/v1/recommendations/unknown/why", header)],
        ("POST", "/v1/events"): [("/v1/events", {"content": told_events(node, "S1", round_of), **typed})],
        ("POST", "/v1/events:import"): [
            ("/v1/events:import", {"content": told_events(node, "S2", f"{round_of}i"), "headers": lines})
        ],
        ("GET", "/v1/experience"): [("/v1/experience", header)],
        ("POST", "/v1/experience"): [("/v1/experience", {"json": {"visitor": VISITOR}})],
        ("POST", "/v1/search"): [("/v1/search", {"json": {"query": "red shoe", "visitor": VISITOR}})],
        ("POST", "/v1/items:batch"): [("/v1/items:batch", {"json": {"items": [item]}})],
        ("GET", "/v1/items"): [("/v1/items", {})],
        ("GET", "/v1/items/{id:path}"): [("/v1/items/S1", {})],
        ("PUT", "/v1/items/{id:path}"): [("/v1/items/S9", {"json": item})],
        ("DELETE", "/v1/items/{id:path}"): [("/v1/items/S9", {})],
        ("GET", "/v1/me/vault/{category}"): [
            (f"/v1/me/vault/{name}", header) for name in ("purchases", "searches", "location")
        ],
        ("POST", "/v1/batch"): [("/v1/batch", {"json": {"batch": [message]}})],
        **{("POST", f"/v1/{kind}"): [(f"/v1/{kind}", {"json": {**message, "type": kind}})] for kind in KINDS},
        ("POST", "/v1/segment/{letter}"): [("/v1/segment/t", {"json": message})],
        ("GET", "/demo/"): [("/demo/", header)],
        ("GET", "/demo/p/{id}"): [("/demo/p/S1", header)],
        ("GET", "/demo/c/{path:path}"): [("/demo/c/shoes", header)],
        ("GET", "/demo/cart"): [("/demo/cart", header)],
        ("POST", "/demo/cart"): [("/demo/cart", {"data": {"item": "S1", "action": "add"}})],
        ("POST", "/demo/checkout"): [("/demo/checkout", {})],
        ("GET", "/demo/thanks"): [("/demo/thanks", {})],
        ("GET", "/demo/search"): [("/demo/search?q=shoe", {})],
        ("POST", "/demo/search"): [("/demo/search", {"data": {"q": "red shoe"}})],
        ("POST", "/demo/region"): [("/demo/region", {"data": {"region": "FR"}})],
        ("GET", "/demo/img/{name}.svg"): [("/demo/img/S1.svg", {})],
        ("GET", "/demo/{rest:path}"): [("/demo/nowhere", {})],
        ("GET", "/demo"): [("/demo", {})],
    }


async def ask_everything(node: Node, http: httpx.AsyncClient, round_of: str) -> dict[str, httpx.Response]:
    answers = {}
    for (method, route), requests in questions(node, round_of).items():
        for path, more in requests:
            answer = await http.request(method, path, **more)
            assert answer.status_code < 500, (method, path, answer.text)
            answers[f"{method} {route} {path}"] = answer
    return answers


async def test_every_route_is_asked_or_named_as_one_that_needs_no_consent(tmp_path: Path) -> None:
    async with asked_with(tmp_path, None) as (node, _, _):
        asked = questions(node, "r")
        for route in create_app(node).routes:
            assert isinstance(route, Route)
            named = SCRIPTS.fullmatch(route.path) or route.path.startswith((*RIGHTS, *NOT_ABOUT_VISITORS, FOR_STAFF))
            if named and not route.path.startswith("/v1/me/vault"):
                continue
            for method in (route.methods or set()) - {"HEAD", "OPTIONS"}:
                assert (method, route.path) in asked, (
                    "a new route: ask it here, with a visitor where it can hear of one"
                )


async def test_a_gatekeeper_that_always_says_no_means_no_personal_read_and_no_personal_write(tmp_path: Path) -> None:
    async with asked_with(tmp_path, None) as (node, http, watch):
        await ask_everything(node, http, "yes")
        said_yes = watch.seen()
        # what the watch has to notice where consent is given: the test would be blind otherwise
        for table in ("people", "profiles", "seen", "events_", "sealed", "consent_ledger", "purchases", "searches",
                      "locations", "person_keys"):  # fmt: skip
            assert any(re.search(rf"\b{table}", statement) for statement in said_yes), table
    async with asked_with(tmp_path, DenyAll()) as (node, http, watch):
        answers = await ask_everything(node, http, "no")
        assert watch.seen() == []
        for name, answer in answers.items():
            if "/vault/" in name:
                assert answer.status_code == 403, name
            assert "personalized" not in answer.text or "/demo" in name, name
            assert "buy_again" not in answer.text, name
        results = {
            each.get("reason", each["status"]) for each in answers["POST /v1/events /v1/events"].json()["results"]
        }
        assert results == {"no_consent", "no_visitor"}


STATES = [None, "granted", "granted", "granted", "session", "denied", "anonymous", "pending", "Granted", "yes", ""]
REGIONS = ["", "DE", "US-CA", "XN", "ATLANTIS"]
NAMES = [*PURPOSE_NAMES, "vault", "vault.*", "Vault.Purchases", "everything"]
CATEGORIES = {"vault.purchases": "purchases", "vault.searches": "searches", "vault.location": "location"}
RECORDS = ["none", "none", "decided", "decided", "expired", "objected", "restricted"]


class Case:
    """A random state of consent, and what follows from PRIVACY.md section 1, told without our code."""

    def __init__(self, number: int, chance: random.Random) -> None:
        self.who = {"anon": f"{number:032x}", "session": f"{number + 10_000:032x}"}
        self.state = chance.choice(STATES)
        self.named = chance.sample(NAMES, chance.randint(0, len(NAMES)))
        self.region = chance.choice(REGIONS)
        self.gpc = chance.choice([[], ["1"], ["0"], ["1", "0"], ["true"]])
        self.record = chance.choice(RECORDS)
        self.recorded = chance.sample(sorted(CATEGORIES), chance.randint(0, 3))
        self.proved = chance.random() < 0.9
        if not self.proved:
            self.who = {"user": f"user-{number}", "user_sig": "0" * 64}

    def allows(self, name: str) -> bool:
        if not self.proved or (self.region == "XN" and name == "vault.location"):
            return False  # nobody, or switched off there
        decided = self.record == "decided" and name in self.recorded
        if not self.state:
            return decided  # a request that says nothing is answered by the person's own decision
        return self.state == "granted" and name in self.named and (decided or self.record == "none")

    def __repr__(self) -> str:
        return f"{self.__dict__}"


async def prepare(node: Node, http: httpx.AsyncClient, case: Case) -> None:
    if case.record == "none" or not case.proved:
        return
    purposes = {"session": True, "profile": True, **dict.fromkeys(case.recorded, True)}
    more: dict[str, Any] = {}
    if case.record == "objected":
        more = {"object": sorted(CATEGORIES)}
        purposes = {"session": True, "profile": True}
    if case.record == "restricted":
        more = {"restrict": True}
    told = {"visitor": case.who, "purposes": purposes, **more}
    answer = await http.post("/v1/consent", json=told)
    assert answer.status_code == 200, answer.text
    if case.record == "expired":
        held = node.person.read(node.keys.pseudonym("anon", case.who["anon"]), Purpose.NONE)
        assert held is not None
        sql = "UPDATE profiles SET consent_at = 1000, consent = consent | ? WHERE surrogate = ?"
        await node.database.execute(sql, (int(VAULT), held.surrogate))


async def test_whatever_state_consent_is_in_the_vault_opens_only_by_name(tmp_path: Path) -> None:
    chance = random.Random(20_261_122)
    consent = {"more": {"xn": {"regions": ["XN"], "location": "off"}}}
    opened = refused = 0
    async with open_shop(tmp_path, consent=consent) as node:
        transport = httpx.ASGITransport(create_app(node))
        async with httpx.AsyncClient(transport=transport, base_url="http://shop") as http:
            for number in range(1, 251):
                case = Case(number, chance)
                await prepare(node, http, case)
                bought = [{"item_id": "S1", "quantity": 1, "price": 3.0}]
                who: dict[str, Any] = {"anon": None, "session": None, **case.who}
                body = batch(
                    event(node, "search", f"s{number}", search_term="red shoe"),
                    event(node, "purchase", f"p{number}", items=bought, value=3.0),
                    consent=case.state, purposes=case.named, region=case.region,
                    location={"lat": 1.0, "lon": 2.0}, **who,
                )  # fmt: skip
                await send(node, body, gpc=gpc_signal(case.gpc))
                asking = {**case.who, "consent": case.state, "purposes": case.named}
                headers = [("personalize-visitor", json.dumps(asking)), *(("sec-gpc", value) for value in case.gpc)]
                for name, category in CATEGORIES.items():
                    answer = await http.get(f"/v1/me/vault/{category}", headers=headers)
                    held = kept(node, case, name)
                    if case.allows(name):
                        opened += 1
                        assert held == 1, case
                        assert answer.status_code == 200, case
                        assert len(answer.json()["entries"]) == 1
                    else:
                        refused += 1
                        assert held == 0, (name, case)
                        # in the region where it is off nothing was stored; asked from elsewhere it is empty, not closed
                        off = case.region == "XN" and name == "vault.location"
                        elsewhere = off and answer.status_code == 200 and answer.json()["entries"] == []
                        assert elsewhere or answer.status_code == (403 if case.proved else 401), (name, case)
    assert opened > 50
    assert refused > 400


def kept(node: Node, case: Case, name: str) -> int:
    """Entries of one category, whoever of the names the visitor used holds them."""
    total = 0
    category = next(each for each, told in CATEGORY_NAMES.items() if told == name)
    for kind in ("anon", "session", "user"):
        if kind in case.who:
            held = node.person.read(node.keys.pseudonym(kind, case.who[kind]), Purpose.NONE)
            total += 0 if held is None else len(node.vault.kept(held.surrogate, category) or [])
    return total
