"""Puts event batches through the same intake as a beacon's, many at once, from inside the process."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from app.ingest.wire import read_batch
from app.node import Node
from store.api_keys import ApiKey

# Trusted as the shop's server: whoever runs an import owns the data directory.
IMPORT_KEY = ApiKey(id=0, kind="server")
EVENTS_PER_BATCH = 100_000


class Loader:
    """Counts what became of the events it loads."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.outcomes: Counter[str] = Counter()

    @property
    def events(self) -> int:
        """Accepted events."""
        return self.outcomes["accepted"]

    async def load(self, batches: Sequence[Mapping[str, Any]]) -> None:
        """Returns when all of them are committed. Raises a StoreFault where they cannot be.

        Prepared in slices that fit the writer's queue, so each slice is one group commit and never refused.
        """
        latest = max((event["ts"] for batch in batches for event in batch["events"]), default=0)
        self._node.clock.observe(latest)
        room = max(1, min(self._node.config.node.queue, self._node.config.node.group_max))
        waiting: list[Mapping[str, Any]] = []
        size = 0
        for batch in batches:
            waiting.append(batch)
            size += len(batch["events"])
            if size >= room:
                await self._commit(waiting)
                waiting, size = [], 0
        if waiting:
            await self._commit(waiting)

    async def _commit(self, batches: Sequence[Mapping[str, Any]]) -> None:
        intake = self._node.intake
        # When a batch was sent says how wrong a sender's clock is; told of a past, it would move the past to now.
        told = ({name: value for name, value in batch.items() if name != "sent"} for batch in batches)
        submitted = [
            intake.submit(
                intake.prepare(read_batch(msgspec.json.encode(batch), EVENTS_PER_BATCH), IMPORT_KEY),
                wait_for_vault=False,
            )
            for batch in told
        ]
        for answer in await asyncio.gather(*submitted):
            self.outcomes.update(result.reason or result.status for result in answer.results)
