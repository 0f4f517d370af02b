"""Empties the categories of the vault that people took back: at once, and after a crash as soon as the node is up.

The decision is in force before that, so nothing of it is read; this is what makes it gone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from app.ingest.intake import Intake
from store.database import Connection, Transaction
from store.faults import StoreFault
from store.keys import KeyRing
from store.records import Purpose
from store.vault import VaultStore
from store.withdrawals import Withdrawal, agrees_to_vault, done, on_their_way, pending_withdrawals
from store.writer import WriterClosed

Job = Callable[[], Coroutine[Any, Any, None]]
log = logging.getLogger("personalize.privacy")

_AGAIN_SECONDS = 1.0
_PATIENCE_SECONDS = 2.0


class Withdrawals:
    """The job behind a withdrawn vault category. Its `jobs` run in the node's task group."""

    def __init__(self, *, reader: Connection, intake: Intake, vault: VaultStore, keys: KeyRing) -> None:
        self._reader = reader
        self._intake = intake
        self._vault = vault
        self._keys = keys
        self._moved = asyncio.Event()

    def jobs(self) -> list[tuple[str, Job]]:
        return [("withdrawals", self.run)]

    async def run(self) -> None:
        """Until cancelled: what is taken back goes, in the order it comes."""
        while True:
            await self._intake.withdrawn.wait()
            self._intake.withdrawn.clear()
            try:
                left = await self.empty()
            except WriterClosed:
                return
            except StoreFault as fault:
                log.error("what was withdrawn from the vault cannot be deleted yet: %s", fault)
                left = True
            self._moved.set()
            self._moved = asyncio.Event()
            if left:
                self._intake.withdrawn.set()
                await asyncio.sleep(_AGAIN_SECONDS)

    async def empty(self) -> bool:
        """One round over everything that is due; whether something is left for later."""
        await self._intake.until_vaulted()
        left = False
        for withdrawal in pending_withdrawals(self._reader):
            if on_their_way(self._reader, withdrawal) or not await self._remove(withdrawal):
                left = True
        return left

    async def until_empty(self, patience: float = _PATIENCE_SECONDS) -> bool:
        """Return when nothing withdrawn is left in the vault (True), or after `patience` seconds."""
        try:
            async with asyncio.timeout(patience):
                while pending_withdrawals(self._reader, 1):
                    await self._moved.wait()
        except TimeoutError:
            return False
        return True

    async def _remove(self, withdrawal: Withdrawal) -> bool:
        emptied = await self._vault.remove_category(withdrawal.person, Purpose(withdrawal.categories))

        async def finish(transaction: Transaction) -> bool:
            """In the writer's turn, where nothing can be sealed under the key meanwhile."""
            gone = True
            if not agrees_to_vault(self._reader, withdrawal.person):
                gone = await self._keys.destroy_data_keys([withdrawal.person])
            if emptied and gone:
                done(transaction, withdrawal)
            return emptied and gone

        return await self._intake.writer.exclusive(finish)
