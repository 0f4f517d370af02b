"""A node that takes batches in as fast as it can and tells each one it acknowledged: to be killed.

Run: python tests/ingest_under_load.py FOLDER BASE_MS
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from app.node import Node
from tests.open_shop import batch, open_shop, send

PEOPLE = 5
CLIENTS = 16
EVENTS = 2


def numbered(number: int, base_ms: int) -> bytes:
    """The same batch for the same number, as a retry would send it."""
    viewed = {"id": f"view-{number}", "name": "view_item", "ts": base_ms, "item": f"S{number % 12}"}
    lines = {"items": [{"item_id": f"S{number % 12}", "quantity": 1, "price": float(number)}]}
    bought = {"id": f"buy-{number}", "name": "purchase", "ts": base_ms, "params": lines}
    return batch(viewed, bought, anon=visitor(number), purposes=["vault.purchases"])


def visitor(number: int) -> str:
    return f"visitor {number % PEOPLE}".ljust(32, ".")


async def _send_for_ever(node: Node, first: int, base_ms: int) -> None:
    number = first
    while True:
        said = await send(node, numbered(number, base_ms))
        assert [each.status for each in said.results] == ["accepted"] * EVENTS
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()
        number += CLIENTS


async def _main(folder: Path, base_ms: int) -> None:
    async with open_shop(folder) as node, asyncio.TaskGroup() as group:
        for client in range(CLIENTS):
            group.create_task(_send_for_ever(node, client, base_ms))


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1]), int(sys.argv[2])))
