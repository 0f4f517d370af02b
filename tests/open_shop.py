"""A node with a few items in a folder of its own, and batches as a beacon would send them."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from app.config import Config, parse_config
from app.ingest.wire import BatchResult, read_batch
from app.node import Node, open_node
from store.api_keys import ApiKey, Kind
from store.records import Item, LoggedEvent, PersonRow, Purpose

ANON = "a1b2c3d4" * 4
SESSION = "visit-5f3c9a77"
EVERYTHING = Purpose(127)
ITEMS = [
    Item(id=f"S{number}", title=f"{color} shoe {number}", category=("shoes", color), brand="Alder", price=10.0 + number)
    for number, color in enumerate(["red", "green", "blue"] * 4)
]


@asynccontextmanager
async def open_shop(folder: Path, **sections: dict[str, Any]) -> AsyncIterator[Node]:
    """An open node whose catalogue holds S0..S11; `sections` are tables of the configuration."""
    config: Config = parse_config({"server": {"demo": False}, **sections})
    async with open_node(config, folder / "personalize.toml") as node:
        if node.catalogue.number("S0") is None:
            await node.shop.put_items(ITEMS, node.clock.now())
        for kind in ("public", "server"):
            if not any(key.kind == kind for key in node.keys.api_keys()):
                await node.keys.create_api_key(kind, now=node.clock.now())
        yield node


def key_of(node: Node, kind: Kind = "public") -> ApiKey:
    return next(key for key in node.keys.api_keys() if key.kind == kind)


def event(node: Node, name: str, identity: str, item: str = "", *, ago: float = 0, **params: object) -> dict[str, Any]:
    """One event that happened `ago` seconds before now."""
    at = node.clock.now_ms() - int(ago * 1000)
    return {"id": identity, "name": name, "ts": at, **({"item": item} if item else {}), "params": params}


def batch(*events: dict[str, Any], consent: str | None = "granted", **more: object) -> bytes:
    """The envelope; None leaves a field out."""
    told = {"v": 1, "consent": consent, "anon": ANON, "session": SESSION, **more, "events": events}
    return json.dumps({name: value for name, value in told.items() if value is not None}).encode()


async def send(node: Node, body: bytes, *, kind: Kind = "public", gpc: bool = False) -> BatchResult:
    return await node.intake.submit(node.intake.prepare(read_batch(body, 1000), key_of(node, kind), gpc=gpc))


def outcomes(result: BatchResult) -> list[str]:
    """Status, or the reason where there is one."""
    return [each.reason or each.status for each in result.results]


async def logged(node: Node) -> list[LoggedEvent]:
    return [each for _, each in await node.log.read_from(0, 10_000)]


def row(node: Node, kind: str = "anon", name: str = ANON) -> PersonRow | None:
    return node.person.read(node.keys.pseudonym(kind, name), EVERYTHING)


def found_in_files(folder: Path, *needles: str) -> list[str]:
    """Which needles occur in any file of the data directory, in any spelling a database might use."""
    content = b"".join(file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file())
    spellings = [(each, (each.encode(), each.encode("utf-16-le"), each.encode().hex().encode())) for each in needles]
    return [needle for needle, ways in spellings if any(way in content for way in ways)]
