"""Takes batches in and says "accepted" once they are on disk; what belongs in the vault follows before the answer."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Literal

from app.ingest.incoming import Incoming
from app.ingest.meter import IngestMeter
from app.ingest.recorder import Recorded, Recorder
from app.ingest.steps import Preparation
from app.ingest.wire import BatchOnWire, BatchResult
from app.search.query_affinities import query_affinities
from app.serving.token import Attribution
from store.api_keys import ApiKey
from store.database import Transaction
from store.faults import StoreFault
from store.writer import GroupWriter, WriterClosed

if TYPE_CHECKING:
    from app.node import Node

log = logging.getLogger("personalize.ingest")

_VAULT_PATIENCE_SECONDS = 1.0
"""How long an answer waits for the vault; the events are safe before that."""
_VAULT_RETRY_SECONDS = 1.0


class Intake:
    """The one way in for events, and the owner of person.db's one writer; `run` it for as long as the node is open."""

    def __init__(self, node: Node) -> None:
        self._log = node.log
        self._vault = node.vault
        self._plugins = node.plugins
        self._clock = node.clock
        self._meter = IngestMeter(node.metrics)
        self._observed = bool(node.plugins.names("event_stored"))
        self._preparation = Preparation(
            clock=node.clock,
            keys=node.keys,
            catalogue=node.catalogue,
            gatekeeper=node.gatekeeper,
            limits=node.config.ingest,
            understand=lambda text: query_affinities(text, node.catalogue, node.search),
            attribute=lambda token: _credited(node.tokens.read(token, node.clock.now())),
            meter=self._meter,
        )
        recorder = Recorder(
            person=node.person,
            log=node.log,
            vault=node.vault,
            keys=node.keys,
            catalogue=node.catalogue,
            gatekeeper=node.gatekeeper,
            plugins=node.plugins,
            options=node.config.features,
            clock=node.clock,
            meter=self._meter,
        )
        self.writer: GroupWriter[Incoming, Recorded] = GroupWriter(
            node.database,
            recorder.apply,
            bound=node.config.node.queue,
            group_max=node.config.node.group_max,
            size=lambda incoming: max(1, len(incoming.drafts)),
        )
        self._vaulted = node.vault.applied(node.log.epoch())
        self._sealed = asyncio.Event()
        self._sealed.set()  # a crash may have left something for the vault
        self._moved = asyncio.Event()
        self._written = False

    async def run(self) -> None:
        """Writes until `close`, then finishes what was taken and hands the vault what is still due to it."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._fill_vault(), name="vault")
            await self.writer.run()
            self._written = True
            self._sealed.set()

    def close(self) -> None:
        """Take no more batches."""
        self.writer.close()

    def prepare(self, batch: BatchOnWire, key: ApiKey, *, gpc: bool = False) -> Incoming:
        """Everything that can be said about a batch without the disk."""
        return self._preparation.prepare(batch, key, gpc=gpc)

    async def submit(self, incoming: Incoming, *, wait_for_vault: bool = True) -> BatchResult:
        """What became of each event, after the commit. Without `wait_for_vault` purchases may appear a moment later.

        Raises QueueFull, WriterClosed or a StoreFault: then nothing was kept, and the sender may try again.
        """
        if not incoming.drafts:
            results = [result for result in incoming.results if result is not None]
            self._meter.results(results)
            return BatchResult(results, _gpc(incoming.gpc_honoured))
        recorded = await self.writer.submit(incoming)
        self._meter.results(recorded.results)
        for event in recorded.events:
            self._clock.observe(event.at_ms)
            if self._observed:
                self._plugins.event_stored(event)
        if recorded.sealed_at:
            self._sealed.set()
            if wait_for_vault:
                await self.until_vaulted(recorded.sealed_at)
        return BatchResult(recorded.results, _gpc(recorded.gpc_honoured))

    async def until_vaulted(self, sequence: int) -> None:
        """Return when the vault has come that far, or after a second at the latest."""
        try:
            async with asyncio.timeout(_VAULT_PATIENCE_SECONDS):
                while self._vaulted < sequence:
                    await self._moved.wait()
        except TimeoutError:
            log.warning("the vault is behind: purchases show up late")

    async def _fill_vault(self) -> None:
        """The vault as a consumer of the log: takes over what is sealed, after every commit that brought some."""
        while True:
            await self._sealed.wait()
            self._sealed.clear()
            last = self._written
            try:
                await self._catch_up()
            except WriterClosed:
                pass  # the node stops: the vault has it, the next start removes it from the log
            except StoreFault as fault:
                log.error("the vault cannot be written; what is due to it waits in the log: %s", fault)
                if not last:
                    self._sealed.set()
                    await asyncio.sleep(_VAULT_RETRY_SECONDS)
            if last:
                return

    async def _catch_up(self) -> None:
        position = await self._vault.catch_up(self._log)
        if position <= self._vaulted:
            return
        self._vaulted = position
        self._moved.set()
        self._moved = asyncio.Event()

        async def release(transaction: Transaction) -> None:
            self._log.release(transaction, position)

        await self.writer.exclusive(release)


def _credited(told: Attribution | None) -> tuple[str, str] | None:
    return (told.request, told.placement) if told else None


def _gpc(honoured: bool) -> Literal["", "honoured"]:
    return "honoured" if honoured else ""
