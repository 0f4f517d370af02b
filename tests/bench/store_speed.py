"""How fast the store is: group commit, point reads, the vault. Run: python tests/bench/store_speed.py

Each figure stands beside a calibration loop of the same run, since machines and their moods differ.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from random import Random
from time import perf_counter, process_time

import numpy as np

from store.database import Transaction, open_database, open_reader
from store.event_log import SqliteEventLog
from store.keys import open_keys
from store.person import PersonStore, new_surrogate
from store.records import Line, LoggedEvent, PersonRow, Purchase, Purpose
from store.vault import open_vault
from store.writer import GroupWriter

BATCH = 10
START_MS = 1_790_000_000_000
PROFILE = os.urandom(1_200)


def calibration() -> float:
    """Microseconds of a fixed loop of pure Python: what to divide by when comparing machines."""
    begun = perf_counter()
    total = 0
    for number in range(200_000):
        total += number * number % 7
    return (perf_counter() - begun) * 1e6 / 200


def report(name: str, value: float, unit: str) -> None:
    print(f"{name:<58}{value:>12,.1f} {unit}")


async def fill(path: Path, people: int) -> list[bytes]:
    rows = [(new_surrogate(), os.urandom(16)) for _ in range(people)]
    async with open_database(path, "person") as database:
        reader = open_reader(path)
        store = PersonStore(reader)
        for start in range(0, people, 10_000):
            async with database.transaction() as transaction:
                part = rows[start : start + 10_000]
                persons = [PersonRow(surrogate, 127, "v", 1, 1, b"s" * 300, PROFILE) for surrogate, _ in part]
                store.save(transaction, persons, {pseudonym: surrogate for surrogate, pseudonym in part}, epoch=1)
        reader.close()
    return [pseudonym for _, pseudonym in rows]


async def point_reads(path: Path, pseudonyms: Sequence[bytes]) -> None:
    reader = open_reader(path)
    store = PersonStore(reader)
    random = Random(1)
    asked = random.choices(pseudonyms, k=20_000)
    for name, wanted in (("session and profile", Purpose.SESSION | Purpose.PROFILE), ("nothing", Purpose.NONE)):
        begun = perf_counter()
        for pseudonym in asked:
            store.read(pseudonym, wanted)
        report(f"point read of {name}, {len(pseudonyms):,} people", (perf_counter() - begun) * 1e6 / len(asked), "µs")
    begun = perf_counter()
    for start in range(0, 20_000, 100):
        await store.resolve(asked[start : start + 100])
    report("resolve, a person of a group of 100", (perf_counter() - begun) * 1e6 / len(asked), "µs")
    reader.close()


async def group_commit(path: Path, pseudonyms: Sequence[bytes], clients: int, batches: int) -> None:
    """Batches of ten events of one visitor each: resolve, deduplicate, append, save the profile, one commit."""
    random = Random(clients)
    async with open_database(path, "person") as database:
        reader = open_reader(path)
        store, log = PersonStore(reader), SqliteEventLog(reader)

        async def apply(transaction: Transaction, works: Sequence[tuple[bytes, list[int]]]) -> list[int]:
            known = await store.resolve(pseudonym for pseudonym, _ in works)
            fresh = await store.fresh(transaction, [number for _, ids in works for number in ids], 20_000)
            events = [
                LoggedEvent(known[pseudonym].surrogate, 7, START_MS, "view_item", 35, (Line(number % 1000),))
                for pseudonym, ids in works
                for number in ids
                if number in fresh
            ]
            last = await log.append(transaction, events)
            store.save(transaction, list(known.values()), {}, epoch=1)
            store.advance(transaction, "features", last)
            return [len(ids) for _, ids in works]

        writer: GroupWriter[tuple[bytes, list[int]], int] = GroupWriter(database, apply, bound=100_000)
        times: list[float] = []

        async def client(share: int) -> None:
            for _ in range(share):
                ids = [(START_MS // 3_600_000 & 0x3FFF) << 49 | random.getrandbits(49) for _ in range(BATCH)]
                begun = perf_counter()
                await writer.submit((random.choice(pseudonyms), ids))
                times.append(perf_counter() - begun)

        async with asyncio.TaskGroup() as group:
            group.create_task(writer.run())
            begun, cpu = perf_counter(), process_time()
            async with asyncio.TaskGroup() as clients_group:
                for _ in range(clients):
                    clients_group.create_task(client(batches // clients))
            took, cpu = perf_counter() - begun, process_time() - cpu
            writer.close()
        reader.close()
    report(f"group commit, {clients} clients, batches of {BATCH}", len(times) * BATCH / took, "events/s")
    report("    CPU of all threads", cpu * 1e6 / len(times) / BATCH, "µs an event")
    p50, p99 = np.percentile(times, [50, 99]) * 1e3
    report("    until acknowledged, p50", p50, "ms")
    report("    until acknowledged, p99", p99, "ms")


async def vault_speed(folder: Path) -> None:
    async with open_keys(folder / "keys.db", now=0.0) as keys, open_vault(folder / "vault.db", keys) as vault:
        people = [new_surrogate() for _ in range(5_000)]
        entries = [Purchase(number, 1.0, 9.5, 1_790_000_000) for number in range(3)]
        begun = perf_counter()
        await keys.ensure_data_keys(people)
        report("data keys made", len(people) / (perf_counter() - begun), "keys/s")
        position = 0
        for name in ("first", "second"):
            begun = perf_counter()
            for start in range(0, len(people), 500):
                sealed = []
                for person in people[start : start + 500]:
                    position += 1
                    sealed.append(
                        (position, person, {"vault.purchases": vault.seal(person, Purpose.PURCHASES, entries)})
                    )
                await vault.apply("bench", sealed)
            report(f"vault writes, {name} of a person, sealing included", len(people) / (perf_counter() - begun), "/s")
        begun = perf_counter()
        for person in people:
            vault.read(person, Purpose.PURCHASES, Purpose.PURCHASES)
        report("vault read of 6 purchases", (perf_counter() - begun) * 1e6 / len(people), "µs")
        begun = perf_counter()
        for number in range(20_000):
            keys.event_hash(keys.pseudonym("anon", "0123456789abcdef0123456789abcdef"), str(number), START_MS)
        report("pseudonym and event hash", (perf_counter() - begun) * 1e6 / 20_000, "µs")


async def main(people: int) -> None:
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as name:
        folder = Path(name)
        report("calibration", calibration(), "µs")
        pseudonyms = await fill(folder / "person.db", people)
        await point_reads(folder / "person.db", pseudonyms)
        for clients, batches in ((1, 2_000), (32, 10_000), (128, 20_000)):
            await group_commit(folder / "person.db", pseudonyms, clients, batches)
        await vault_speed(folder)
        report("calibration", calibration(), "µs")


def run(measure: Callable[[int], Awaitable[None]]) -> None:
    import uvloop

    people = int(os.environ.get("BENCH_PEOPLE", "100000"))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(measure(people))  # type: ignore[arg-type]


if __name__ == "__main__":
    run(main)
