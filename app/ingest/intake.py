"""Takes batches in and says "accepted" once they are on disk; what belongs in the vault follows before the answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Literal

from app.ingest.incoming import Incoming
from app.ingest.meter import IngestMeter
from app.ingest.recorder import Recorder
from app.ingest.steps import Preparation
from app.ingest.wire import BatchOnWire, BatchResult
from app.ingest.work import Recorded
from plugins.manager import Plugins
from store.api_keys import ApiKey
from store.clock import Clock
from store.database import Database, Transaction
from store.event_log import SqliteEventLog
from store.faults import StoreFault
from store.moves import Moves
from store.records import LoggedEvent
from store.vault import VaultStore
from store.writer import GroupWriter, WriterClosed

Job = Callable[[], Coroutine[Any, Any, None]]
log = logging.getLogger("personalize.ingest")

_VAULT_PATIENCE_SECONDS = 1.0
"""How long an answer waits for the vault; the events are safe before that."""
_VAULT_RETRY_SECONDS = 1.0


class Intake:
    """The one way in for events, and the owner of person.db's one writer. Its `jobs` run in the node's task group."""

    def __init__(
        self,
        *,
        database: Database,
        preparation: Preparation,
        recorder: Recorder,
        event_log: SqliteEventLog,
        vault: VaultStore,
        moves: Moves,
        plugins: Plugins,
        clock: Clock,
        meter: IngestMeter,
        queue: int,
        group_max: int,
        clicked: Callable[[LoggedEvent], None] | None = None,
    ) -> None:
        """`queue` bounds the events that wait for the disk, `group_max` those written in one transaction. `clicked`
        hears of clicks that are credited to a list, after their commit."""
        self._preparation = preparation
        self._log = event_log
        self._vault = vault
        self._moves = moves
        self._plugins = plugins
        self._clock = clock
        self._meter = meter
        self._observed = bool(plugins.names("event_stored"))
        self._clicked = clicked
        self.writer: GroupWriter[Incoming, Recorded] = GroupWriter(
            database,
            recorder.apply,
            bound=queue,
            group_max=group_max,
            size=lambda incoming: max(1, len(incoming.drafts)),
        )
        self._vaulted = vault.applied(event_log.epoch())
        self._released = 0  # whatever the vault took over before a crash is still to be removed from the log
        self._due = event_log.head()
        self._sealed = asyncio.Event()
        self._sealed.set()  # a crash may have left something for the vault
        self._moved = asyncio.Event()
        self.withdrawn = asyncio.Event()
        """Set whenever somebody took back a category of the vault."""
        self.withdrawn.set()  # a crash may have left something to be emptied
        self._all_written = False
        self._drained = asyncio.Event()

    def jobs(self) -> list[tuple[str, Job]]:
        """What has to run, by name, for as long as the node is open; a crash of one has to end it."""
        return [("event writer", self._write), ("vault", self._fill_vault)]

    async def drain(self) -> None:
        """Take no more batches, finish those taken, and hand the vault what is due to it; then the jobs are over."""
        self.writer.close()
        await self._drained.wait()

    async def _write(self) -> None:
        try:
            await self.writer.run()
        finally:
            self._all_written = True
            self._sealed.set()

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
        recorded = await self._write_down(incoming)
        self._meter.results(recorded.results)
        for event in recorded.events:
            self._clock.observe(event.at_ms)
            if self._observed:
                self._plugins.event_stored(event)
            if self._clicked is not None and event.request and event.name == "select_item":
                self._clicked(event)
        if recorded.sealed_at:
            self._due = max(self._due, recorded.sealed_at)
            self._sealed.set()
            if wait_for_vault:
                await self.until_vaulted(recorded.sealed_at)
        return BatchResult(recorded.results, _gpc(recorded.gpc_honoured))

    async def decide(self, incoming: Incoming) -> Recorded:
        """Take over a decision (`incoming.choice`): on return it is in force, and in the ledger. Raises as `submit`."""
        return await self._write_down(incoming)

    async def _write_down(self, incoming: Incoming) -> Recorded:
        recorded = await self.writer.submit(incoming)
        if recorded.moved:
            self._sealed.set()
        if recorded.withdrew:
            self.withdrawn.set()
        return recorded

    async def until_vaulted(self, sequence: int | None = None, patience: float = _VAULT_PATIENCE_SECONDS) -> None:
        """Return when the vault has come that far (None: as far as all that was accepted), or after `patience`
        seconds at the latest."""
        sequence = self._due if sequence is None else sequence
        try:
            async with asyncio.timeout(patience):
                while self._vaulted < sequence:
                    await self._moved.wait()
        except TimeoutError:
            log.warning("the vault is behind: purchases show up late")

    async def _fill_vault(self) -> None:
        """The vault as a consumer of the log: takes over what is sealed, after every commit that brought some."""
        try:
            await self._until_all_written()
        finally:
            self._drained.set()

    async def _until_all_written(self) -> None:
        while True:
            await self._sealed.wait()
            self._sealed.clear()
            last = self._all_written
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
        moves = self._moves.pending()  # before the log is read: nothing more is sealed for the old numbers
        committed = self._log.head()
        position = await self._vault.catch_up(self._log)
        self._vaulted = max(committed, position)
        self._moved.set()
        self._moved = asyncio.Event()
        if moves:
            await self._moves.carry_over(moves)  # meanwhile the vault reads both numbers
        if position <= self._released and not moves:
            return

        async def release(transaction: Transaction) -> None:
            self._log.release(transaction, position)
            if moves:
                self._moves.forget(transaction, moves)

        await self.writer.exclusive(release)
        self._released = position
        if moves and self._moves.pending(1):
            self._sealed.set()


def _gpc(honoured: bool) -> Literal["", "honoured"]:
    return "honoured" if honoured else ""
