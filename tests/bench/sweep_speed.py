"""What a retention sweep of a million expired rows does to lists being asked. Run: python tests/bench/sweep_speed.py

Lists are asked at a fixed rate: with nothing to remove, then while a million rows (half of them events, the rest people
and counted ids) are counted, deleted and overwritten, then afterwards.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import tempfile
from pathlib import Path

import numpy as np

from app.bench.answering import percentiles
from app.bench.load import Answer, ask, open_loop
from app.bench.questions import get, recommendations
from app.bench.scene import Scene, own_core
from app.bench.served import LOAD_CORE, Served, calibration_ms
from app.bench.world import SEED, SIZES, World, build_world
from store.clock import Clock
from store.database import open_database
from store.event_days import date_of
from store.person import key_of, new_surrogate
from store.records import Line, LoggedEvent
from store.shop import read_catalogue

RATE = 300.0
CHUNK = 10_000
DAYS_AGO = 40
BODY = os.urandom(1_200)


async def expire_rows(path: Path, rows: int, items: int) -> None:
    """Rows whose time is over: half events of two days, three tenths ids, two tenths people with features."""
    import msgspec

    encode = msgspec.msgpack.Encoder().encode
    now = Clock().now()
    random = np.random.default_rng(SEED)
    day = int(now // 86_400) - DAYS_AGO
    people = [new_surrogate() for _ in range(rows // 10)]
    async with open_database(path, "person", synchronous="OFF", cache_mb=64, busy_timeout_ms=60_000) as database:
        for which in range(2):
            await database.execute(
                f"CREATE TABLE IF NOT EXISTS events_{date_of(day + which):%Y%m%d}"
                " (seq INTEGER PRIMARY KEY, person INTEGER NOT NULL, at INTEGER NOT NULL, body BLOB NOT NULL)"
            )
        for start in range(1, rows // 2, CHUNK):
            which = int(start > rows // 4)
            at = (day + which) * 86_400_000
            events = [
                LoggedEvent(people[int(random.integers(len(people)))], seq, at, "view_item", 99,
                            (Line(int(random.integers(items))),), region="FR")
                for seq in range(start, start + CHUNK)
            ]  # fmt: skip
            async with database.transaction() as transaction:
                transaction.insert(f"INSERT INTO events_{date_of(day + which):%Y%m%d}(seq, person, at, body)",
                                   [(event.session, event.person, at, encode(event)) for event in events])  # fmt: skip
        await database.execute(
            "INSERT INTO positions(consumer, position) VALUES ('features', ?)"
            " ON CONFLICT(consumer) DO UPDATE SET position = excluded.position",
            (rows,),
        )
        for _ in range(0, rows * 3 // 10, CHUNK):
            ids = np.sort(random.integers(0, 1 << 49, CHUNK) + ((day * 24) % (1 << 14) << 49)).tolist()
            async with database.transaction() as transaction:
                transaction.insert("INSERT OR IGNORE INTO seen(id, day)", [(number, day) for number in ids])
        for _ in range(0, rows // 5, CHUNK):
            some = [(os.urandom(16), new_surrogate()) for _ in range(CHUNK)]
            async with database.transaction() as transaction:
                transaction.insert("INSERT INTO people(key, pseudonym, surrogate, epoch)",
                                   sorted((key_of(name), name, person, 1) for name, person in some))  # fmt: skip
                transaction.insert(
                    "INSERT INTO profiles(surrogate, consent, consent_version, consent_at, seen, session, profile)",
                    sorted((person, 99, "1", 1, int(now - 200 * 86_400), None, BODY) for _, person in some),
                )


def removed(server: Served) -> float:
    """Rows removed so far, as /metrics says."""
    text = ask(server.address, get("/metrics")).body.decode()
    kinds = re.findall(r'^personalize_retention_removed_total\{kind="(?:events|event ids|people)"\} (\S+)$', text, re.M)
    return sum(float(number) for number in kinds)


def slices(server: Served) -> str:
    """How long slices held the writer, from the histogram."""
    text = ask(server.address, get("/metrics")).body.decode()
    rows = re.findall(r'^personalize_retention_slice_seconds_bucket\{le="(\S+)"\} (\S+)$', text, re.M)
    total = max(float(rows[-1][1]), 1.0)
    return ", ".join(f"≤ {float(le) * 1000:g} ms: {100 * float(count) / total:.1f} %" for le, count in rows
                     if le in ("0.002", "0.005", "0.01", "0.03", "0.1"))  # fmt: skip


def window(scene: Scene, server: Served, world: World, rate: float, seconds: float) -> list[Answer]:
    due = np.cumsum(scene.random.exponential(1 / rate, int(rate * seconds))).tolist()
    return open_loop(server.address, list(recommendations(world, len(due), scene.random)), due)


async def main(size: str, rows: int, rate: float, cache: Path) -> None:
    folder, world = await build_world(cache, SIZES[size], print)
    scene = Scene(folder, cache, world, read_catalogue(folder / "shop.db"), 5, np.random.default_rng(SEED), print)
    own_core(LOAD_CORE)
    print(f"calibration loop {calibration_ms():.1f} ms")
    with scene.server() as server:
        window(scene, server, world, rate, 3)
        quiet = [answer for _ in range(3) for answer in window(scene, server, world, rate, 5)]
    await expire_rows(folder / "person.db", rows, world.items)
    with scene.server() as server:
        window(scene, server, world, rate, 3)
        busy, took = list[Answer](), 3.0
        while took < 300 and removed(server) < rows * 0.99:
            busy += window(scene, server, world, rate, 2)
            took += 2
        done = removed(server)
        after = [answer for _ in range(3) for answer in window(scene, server, world, rate, 5)]
        for name, answers in (("quiet", quiet), ("while sweeping", busy), ("quiet again", after)):
            p50, p99 = percentiles(answers, 50, 99)
            print(
                f"recommend at {rate:.0f}/s, {name:<16} p50 {p50:6.2f} ms   p99 {p99:6.2f} ms   {len(answers)} answers"
            )
        print(f"{done:,.0f} rows removed in at most {took:.0f} s; slices {slices(server)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=sorted(SIZES), default="small")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rate", type=float, default=RATE)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        asyncio.run(main(told.size, told.rows, told.rate, Path(scratch)))
