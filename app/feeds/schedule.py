"""Pulls configured feeds again and again; a feed that cannot be taken is said by /readyz until one is."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from app.feeds.take import Busy, Taken
from store.faults import StoreFault

if TYPE_CHECKING:
    from app.node import Node

logger = logging.getLogger("personalize")


async def pull(node: Node, name: str) -> Taken:
    """One configured feed, now. Raises Busy or a StoreFault."""
    options = node.config.feeds[name]
    return await node.feeds.take(name, options, node.config_path.parent / options.file if options.file else None)


async def pull_on_schedule(node: Node, name: str) -> None:
    """Soon after the start, then every `every_minutes`."""
    await asyncio.sleep(FIRST_AFTER)
    while True:
        try:
            taken = await pull(node, name)
        except Busy:
            await asyncio.sleep(FIRST_AFTER)
            continue
        except StoreFault as fault:
            node.behind[f"feed {name}"] = f"feed {name} could not be taken: {fault.what}"
        else:
            if taken.status in ("failed", "refused"):
                logger.error("feed %s: %s", name, taken.detail)
                node.behind[f"feed {name}"] = f"feed {name} could not be taken: {taken.detail}"
            else:
                node.behind.pop(f"feed {name}", None)
        await asyncio.sleep(node.config.feeds[name].every_minutes * 60)


FIRST_AFTER = 5.0
"""Seconds after the start, and after another feed was in the way."""
