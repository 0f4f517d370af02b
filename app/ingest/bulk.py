"""Loads many batches, a line each, as fast as the disk takes them, and sums up what became of their events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec

from app.ingest.incoming import Incoming
from app.ingest.intake import Intake
from app.ingest.options import IngestLimits
from app.ingest.wire import BatchResult, Refused, read_batch
from store.api_keys import ApiKey
from store.writer import QueueFull

_FULL_QUEUE_SECONDS = 0.02
_VAULT_SECONDS = 30.0


class LineError(msgspec.Struct, frozen=True):
    """A line that could not be read."""

    line: int
    detail: str


class ImportResult(msgspec.Struct):
    """What became of an import."""

    lines: int = 0
    accepted: int = 0
    duplicate: int = 0
    dropped: dict[str, int] = {}
    """Reason -> events."""
    errors: list[LineError] = []
    """The first lines that could not be read."""
    errors_left_out: int = 0

    def count(self, batch: BatchResult) -> None:
        for result in batch.results:
            if result.status == "accepted":
                self.accepted += 1
            elif result.status == "duplicate":
                self.duplicate += 1
            else:
                self.dropped[result.reason] = self.dropped.get(result.reason, 0) + 1

    def fail(self, line: int, detail: str, most: int) -> None:
        if len(self.errors) < most:
            self.errors.append(LineError(line, detail))
        else:
            self.errors_left_out += 1


class _InFlight:
    """A bound on how many events wait for the disk; a single larger batch passes alone."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._now = 0
        self._freed = asyncio.Event()

    async def enter(self, size: int) -> None:
        while self._now and self._now + size > self._most:
            self._freed.clear()
            await self._freed.wait()
        self._now += size

    def leave(self, size: int) -> None:
        self._now -= size
        self._freed.set()


async def import_lines(
    lines: AsyncIterator[tuple[int, bytes]], intake: Intake, key: ApiKey, limits: IngestLimits
) -> ImportResult:
    """Store every batch of `lines` (numbered, in the wire's shape); may be repeated, as nothing is counted twice.

    A line that cannot be read is listed and the others go on; a full queue is waited for. Raises what stopped it:
    StoreFault, WriterClosed, or whatever `lines` raises.
    """
    result, flight = ImportResult(), _InFlight(limits.import_window)

    async def finish(incoming: Incoming, size: int) -> None:
        try:
            result.count(await _submit(intake, incoming))
        finally:
            flight.leave(size)

    try:
        async with asyncio.TaskGroup() as group:
            async for number, line in lines:
                if not line.strip():
                    continue
                result.lines += 1
                try:
                    batch = read_batch(line, limits.events_per_batch)
                except Refused as refused:
                    result.fail(number, f"{refused.pointer} {refused.detail}".strip(), limits.import_errors)
                    continue
                incoming = intake.prepare(batch, key)
                size = len(incoming.drafts)
                await flight.enter(size)
                group.create_task(finish(incoming, size))
    except ExceptionGroup as stopped:
        raise _first(stopped) from None
    await intake.until_vaulted(patience=_VAULT_SECONDS)
    return result


async def _submit(intake: Intake, incoming: Incoming) -> BatchResult:
    while True:
        try:
            return await intake.submit(incoming, wait_for_vault=False)
        except QueueFull:
            await asyncio.sleep(_FULL_QUEUE_SECONDS)


def _first(group: ExceptionGroup[Exception]) -> Exception:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, ExceptionGroup) else error
