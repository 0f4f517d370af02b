"""A shop whose shoppers come through the front door, trained as a schedule would."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from app.learning.train import train
from app.node import Node
from tests.open_shop import batch, event, open_shop, send

BEGAN = 1_750_000_000
DAY = 86_400
SMALL = {"dimensions": 8, "iterations": 2, "content_dimensions": 8, "every_hours": 0}
EXACT: dict[str, Any] = {"privacy": {"learned": "exact"}, "training": SMALL, "node": {"clock": "events"}}


@asynccontextmanager
async def shop(folder: Path, **sections: dict[str, Any]) -> AsyncIterator[Node]:
    async with open_shop(folder, **{**EXACT, **sections}) as node:
        node.clock.observe(BEGAN * 1000)
        yield node


async def clicks(node: Node, name: str, *items: str, buys: str = "", **told: object) -> None:
    """A visit of somebody, who agreed to everything unless told otherwise."""
    events = [event(node, "view_item", f"{name}-{place}", item) for place, item in enumerate(items)]
    if buys:
        events.append(event(node, "purchase", f"{name}-buy", items=[{"item_id": buys, "quantity": 1}]))
    envelope = {"anon": None, "user": name, "session": f"visit of {name}", "purposes": ["vault.purchases"], **told}
    await send(node, batch(*events, **envelope), kind="server")  # type: ignore[arg-type]


async def trained(node: Node) -> dict[str, Any]:
    """The card of a training beside the open node, as a schedule would run it."""
    return await asyncio.to_thread(train, node.config, node.config_path, lambda _step, _seconds: None)
