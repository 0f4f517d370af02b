"""A batch on its way through a group of batches, and what the sender is told of it at the end."""

import asyncio
from dataclasses import dataclass
from time import perf_counter
from typing import NamedTuple

from app.ingest.incoming import Draft, Incoming
from app.ingest.known import Known
from app.ingest.wire import EventResult
from app.privacy.gatekeeper import Decision
from store.consent_ledger import Decided, LedgerEntry
from store.records import LoggedEvent

_SLICE_SECONDS = 0.001
"""How long the event loop is kept from answering shoppers at a stretch."""


class Recorded(NamedTuple):
    """What became of one batch; true once the transaction is committed."""

    results: list[EventResult]
    events: list[LoggedEvent]
    gpc_honoured: bool
    sealed_at: int
    """Sequence number of its last event with something for the vault; 0 for none."""
    entry: LedgerEntry | None = None
    """Where the ledger has the decision that was told on its own."""
    decided: Decided | None = None
    withdrew: bool = False
    """Something of the vault has to be emptied."""
    moved: bool = False
    """Something of the vault has to follow somebody who changed number."""


@dataclass(slots=True)
class Work:
    """One batch inside the group."""

    incoming: Incoming
    person: Known | None
    decision: Decision
    results: list[EventResult | None]
    kept: list[Draft]
    ids: list[int]
    events: list[LoggedEvent]
    sealed_at: int = 0
    chose: tuple[Known, int] | None = None
    """Who decided, and which of that person's decisions in this group it was."""


class Pause:
    """Lets the event loop answer shoppers in between."""

    def __init__(self) -> None:
        self._began = perf_counter()

    async def now_and_then(self) -> None:
        """To be called often: gives way once a slice of time is used up."""
        if perf_counter() - self._began > _SLICE_SECONDS:
            await asyncio.sleep(0)
            self._began = perf_counter()
