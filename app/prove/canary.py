"""A visitor made up for the proof, with ids, a query, a product and a place that occur nowhere else."""

from __future__ import annotations

import logging
import secrets
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from starlette.types import ASGIApp

from app.config import Config, parse_config
from app.node import Node, open_node
from app.privacy.byte_scan import Needle, Scanned, scan, text_needles
from app.privacy.erasure_case import Case, needles_of, new_case
from app.prove.asking import Said, ask
from app.routes import OPERATIONS, create_app
from store.erasure import events_of, find_people
from store.records import Item
from store.trace import read_trace

CATALOGUE = "shop.db"
"""Where the product's title belongs, and nothing else of the visitor."""
LOG = "debug.log"
VAULT_NAMES = ["vault.purchases", "vault.searches", "vault.location"]


def _word() -> str:
    return secrets.token_hex(8)


@dataclass(frozen=True)
class Canary:
    """Who is to be forgotten."""

    anon: str = field(default_factory=lambda: secrets.token_hex(16))
    user: str = field(default_factory=lambda: f"canary-{_word()}@shop.example")
    session: str = field(default_factory=lambda: secrets.token_hex(16))
    query: str = field(default_factory=lambda: f"canaryquery{_word()} for a {_word()}")
    title: str = field(default_factory=lambda: f"Canary cage {_word()}")
    item: str = field(default_factory=lambda: f"cage-{_word()}")
    lat: float = field(default_factory=lambda: 40 + secrets.randbelow(10**10) / 10**9)
    lon: float = field(default_factory=lambda: 10 + secrets.randbelow(10**10) / 10**9)

    @property
    def ids(self) -> list[tuple[str, str]]:
        return [("user", self.user), ("anon", self.anon), ("session", self.session)]

    @property
    def header(self) -> dict[str, str]:
        told = {"anon": self.anon, "user": self.user, "session": self.session, "consent": "granted"}
        return {"personalize-visitor": msgspec.json.encode(told).decode()}

    def in_clear(self) -> list[Needle]:
        """What must not be readable in any file at any time."""
        found = [each for kind, name in self.ids for each in text_needles(f"{kind} id", name)]
        found += text_needles("query", self.query)
        for word in self.query.split():
            found += text_needles("word of the query", word) if len(word) > 8 else []
        for name, degrees in (("latitude", self.lat), ("longitude", self.lon)):
            found += [Needle(name, struct.pack(order, degrees)) for order in (">d", "<d")]
            found += text_needles(name, repr(degrees))
        return found

    def of_catalogue(self) -> list[Needle]:
        """What belongs in the catalogue, and nowhere near a person."""
        return [*text_needles("item title", self.title), *text_needles("item id", self.item)]


@dataclass
class Scene:
    """A scratch node with the canary in it."""

    node: Node
    app: ASGIApp
    canary: Canary
    server: dict[str, str]
    public: str
    case: Case
    counted: list[int] = field(default_factory=list)
    """Hashes of the canary's events among the counted ids."""
    called: dict[str, int] = field(default_factory=dict)
    """Operation -> status it answered with."""

    async def ask(self, method: str, target: str, told: object = None, **headers: str) -> Said:
        body = b"" if told is None else told if isinstance(told, bytes) else msgspec.json.encode(told)
        sent = {"content-type": "application/json", **headers}
        said = await ask(self.app, method, target, body=body, headers=sent)
        self.called[f"{method} {target.partition('?')[0]}"] = said.status
        return said

    def notice(self) -> None:
        """Remember what leads to the canary now, to look for it later."""
        node = self.node
        people = find_people(node.reader, [name for kind, told in self.canary.ids
                                           for name in node.keys.pseudonyms(kind, told)])  # fmt: skip
        self.case.people = list(dict.fromkeys([*self.case.people, *(each.surrogate for each in people)]))
        self.case.keys = list(dict.fromkeys([*self.case.keys, *(each.key for each in people)]))
        bodies = [*node.vault.ciphertexts(self.case.people), *node.keys.wrapped_keys(self.case.people)]
        self.case.ciphertexts = list(dict.fromkeys([*self.case.ciphertexts, *(body[:28] for body in bodies)]))
        runs = [run for each in people for run in read_trace(each.trace)]
        self.counted += [event.counted for _, event in events_of(node.reader, self.case.people, runs)]

    def needles(self) -> list[Needle]:
        """Everything that must be in no file after the erasure."""
        return [*needles_of(self.case, self.node.keys), *self.canary.in_clear()]

    def search(self) -> Scanned:
        """Every byte of every file: for the person, and outside the catalogue for the product."""
        found = scan(self.node.folder, self.needles())
        goods = scan(self.node.folder, self.canary.of_catalogue())
        strays = tuple(each for each in goods.sightings if each.file.removesuffix("-wal") != CATALOGUE)
        return found._replace(sightings=found.sightings + strays)


def scratch_config() -> Config:
    return parse_config({"erasure": {"answer_ms": 0}})


@asynccontextmanager
async def scene(folder: Path, canary: Canary) -> AsyncIterator[Scene]:
    """A node in an empty folder, or the one that is there, with the canary's product in its catalogue; everything that
    is logged, at the most talkative, goes to a file among those that are searched."""
    config = scratch_config()
    with logged_at_debug(folder / config.node.data):
        async with open_node(config, folder / "personalize.toml") as node:
            goods = [Item(id=f"S{n}", title=f"Shoe {n}", category=("shoes",), price=10.0) for n in range(9)]
            await node.shop.put_items([*goods, Item(id=canary.item, title=canary.title, price=99.0)], node.clock.now())
            key = await node.keys.create_api_key("server", now=node.clock.now())
            public = await node.keys.create_api_key("public", now=node.clock.now())
            case = new_case(canary.ids, b"", config, node.folder, int(node.clock.now()))
            yield Scene(node, create_app(node), canary, {"authorization": f"Bearer {key}"}, public, case)


@contextmanager
def logged_at_debug(folder: Path) -> Iterator[None]:
    """Every log line of every library, at DEBUG, into the data directory."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    handler, root = logging.FileHandler(folder / LOG, encoding="utf-8"), logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    logging.getLogger("personalize").debug("everything is logged here, at the most talkative")
    try:
        yield
    finally:
        root.setLevel(before)
        root.removeHandler(handler)
        handler.close()


async def live(stage: Scene) -> None:
    """Look, search, buy, say where one is, sign in, ask for lists: once through every endpoint there is."""
    canary, node = stage.canary, stage.node
    said = await stage.ask("POST", "/v1/events", batch_of(stage), **{"content-type": "text/plain"})
    assert said.status == 202, said
    signed_in = batch_of(stage, user=canary.user, anon=None, key="")
    await stage.ask("POST", "/v1/events", signed_in, **stage.server)
    await stage.ask("POST", "/v1/events:import", signed_in, **stage.server | {"content-type": "application/x-ndjson"})
    visitor = msgspec.json.decode(canary.header["personalize-visitor"])
    lists = {"requests": [{"placement": "home"}], "visitor": visitor, "explain": True}
    told = await stage.ask("POST", "/v1/recommendations", lists, **stage.server)
    request_id = told.json().get("request_id", "none")
    await stage.ask("GET", f"/v1/recommendations/{request_id}/why")
    await stage.ask("POST", "/v1/search", {"query": canary.query, "visitor": visitor}, **stage.server)
    await stage.ask("GET", "/v1/recommendations.html?placement=home", **stage.server, **canary.header)
    await stage.ask("POST", "/v1/consent", {"visitor": visitor, "purposes": {"profile": True}}, **stage.server)
    for operation in OPERATIONS:
        method, path = operation.method.upper(), operation.path
        if (method, path) == ("DELETE", "/v1/me"):
            continue  # that is what is to be proved
        target = path.replace("{category}", "searches").replace("{request_id}", request_id).replace("{id}", canary.item)
        target = target.replace("{name}", "nobody").replace("{number}", "0")
        body = b"" if method in ("GET", "DELETE") else b"{}"
        if f"{method} {target}" not in stage.called and "{" not in target and method != "DELETE":
            await stage.ask(method, target, body, **stage.server, **canary.header)
    await stage.ask("POST", "/v1/events", batch_of(stage, number=1), **{"content-type": "text/plain"})
    await node.intake.until_vaulted()
    await node.withdrawals.until_empty()
    stage.notice()


def batch_of(stage: Scene, *, number: int = 0, ago_ms: int = 0, **more: object) -> dict[str, Any]:
    """What the beacon would send."""
    canary, now = stage.canary, stage.node.clock.now_ms() - ago_ms
    bought = {"items": [{"item_id": canary.item, "quantity": 1, "price": 99.0}], "value": 99.0}
    events = [
        {"id": f"{canary.session}-{number}-v", "name": "view_item", "ts": now, "item": canary.item},
        {"id": f"{canary.session}-{number}-s", "name": "search", "ts": now, "params": {"search_term": canary.query}},
        {"id": f"{canary.session}-{number}-b", "name": "purchase", "ts": now, "params": bought},
    ]
    told = {
        "v": 1, "key": stage.public, "anon": canary.anon, "session": canary.session, "consent": "granted",
        "purposes": VAULT_NAMES, "location": {"lat": canary.lat, "lon": canary.lon}, "events": events, **more,
    }  # fmt: skip
    return {name: value for name, value in told.items() if value is not None}
