"""A process that writes events as fast as it can and tells each acknowledgement: to be killed, or starved of disk.

Run: python tests/store_under_load.py FOLDER FIRST_ID [FILE_SIZE_LIMIT]
"""

from __future__ import annotations

import asyncio
import os
import resource
import sys
from collections.abc import Sequence
from pathlib import Path

from store.database import Database, Transaction, open_database, open_reader
from store.event_log import SqliteEventLog
from store.faults import StoreFault
from store.keys import KeyRing, open_keys
from store.person import PersonStore, new_surrogate
from store.records import Line, LoggedEvent, PersonRow, Purchase, Purpose
from store.vault import VaultStore, open_vault
from store.writer import GroupWriter

PEOPLE = 5
CLIENTS = 16
Writer = GroupWriter[int, int]


class Recorder:
    """A small ingest: deduplicates, logs, counts per profile and seals a purchase for the vault, per event id."""

    def __init__(self, keys: KeyRing, store: PersonStore, log: SqliteEventLog, vault: VaultStore) -> None:
        self.keys, self.store, self.log, self.vault = keys, store, log, vault

    async def apply(self, transaction: Transaction, ids: Sequence[int]) -> list[int]:
        pseudonyms = {number: self.keys.pseudonym("anon", f"visitor {number % PEOPLE}") for number in ids}
        known = await self.store.resolve(pseudonyms.values())
        new = {pseudonym: new_surrogate() for pseudonym in pseudonyms.values() if pseudonym not in known}
        known |= {pseudonym: PersonRow(surrogate, 127, profile=b"0") for pseudonym, surrogate in new.items()}
        await self.keys.ensure_data_keys(row.surrogate for row in known.values())
        fresh = await self.store.fresh(transaction, ids, 20_000)
        events = []
        for number in sorted(fresh):
            row = known[pseudonyms[number]]
            row.profile = b"%d" % (int(row.profile or b"0") + 1)
            sealed = self.vault.seal(row.surrogate, Purpose.PURCHASES, [Purchase(number, 1.0, None, number)])
            events.append(
                LoggedEvent(
                    row.surrogate, 1, number, "purchase", 127, (Line(number),), sealed={"vault.purchases": sealed}
                )
            )
        self.store.advance(transaction, "features", await self.log.append(transaction, events))
        self.log.release(transaction, self.vault.applied(self.log.epoch()))
        self.store.save(transaction, list(known.values()), new, epoch=1)
        return [number in fresh for number in ids]


async def submit_for_ever(writer: Writer, first: int, step: int) -> None:
    number = first
    while True:
        try:
            await writer.submit(number)
        except StoreFault as fault:
            os.write(1, b"%s\n" % type(fault).__name__.encode())
            return
        os.write(1, b"%d\n" % number)
        number += step


async def take_over(vault: VaultStore, log: SqliteEventLog, busy: asyncio.Task[None]) -> None:
    while not busy.done():
        await vault.catch_up(log, group=50)
        await asyncio.sleep(0)


async def main(folder: Path, first: int, database: Database, vault: VaultStore, keys: KeyRing) -> None:
    reader = open_reader(folder / "person.db")
    log = SqliteEventLog(reader)
    writer = Writer(database, Recorder(keys, PersonStore(reader), log, vault).apply, bound=1_000)
    async with asyncio.TaskGroup() as group:
        group.create_task(writer.run())
        async with asyncio.TaskGroup() as clients:
            tasks = [clients.create_task(submit_for_ever(writer, first + own, CLIENTS)) for own in range(CLIENTS)]
            clients.create_task(take_over(vault, log, tasks[0]))
        writer.close()
    reader.close()


async def run(folder: Path, first: int, file_size: int) -> None:
    async with (
        open_keys(folder / "keys.db", now=1.0) as keys,
        open_vault(folder / "vault.db", keys, most_entries=1_000_000) as vault,
        open_database(folder / "person.db", "person") as database,
    ):
        if file_size:
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, resource.RLIM_INFINITY))
        await main(folder, first, database, vault, keys)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1]), int(sys.argv[2]), int([*sys.argv, "0"][3])))
