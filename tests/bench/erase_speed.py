"""How long one person's erasure takes in a full store: 1,000,000 people, 10,000,000 events.

Run: python tests/bench/erase_speed.py FOLDER [PEOPLE EVENTS]   (the store is made once per folder, about 3 GB)
"""

from __future__ import annotations

import asyncio
import secrets
import shutil
import statistics
import sys
from pathlib import Path
from time import perf_counter, time

import msgspec

from app.config import parse_config
from app.features.visitor import write_features
from app.node import Node, open_node
from app.privacy.erasure_receipt import facts_of
from store.database import Connection, open_database
from store.erasure import day_table, find_people
from store.person import key_of
from store.records import Line, LoggedEvent, ProfileFeatures, Purchase, Purpose
from store.trace import extend, write_trace

DAYS = 30
TARGETS = 40
EVENTS_EACH = 300
RUN = secrets.token_hex(4)
_COUNT = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})"


def fill_people(connection: Connection, people: int, now: int) -> None:
    """Strangers with features of usual size."""
    profile = write_features(
        ProfileFeatures(now, {f"category:c{n}": 1.0 for n in range(12)}, dict.fromkeys(range(10), (1.0, now)))
    )
    connection.execute("BEGIN")
    connection.execute(
        f"INSERT INTO people(key, pseudonym, surrogate, epoch) {_COUNT.format(rows=people)}"
        " SELECT abs(random()) AS k, randomblob(16), abs(random()), 1 FROM n ORDER BY k"
    )
    connection.execute(
        "INSERT INTO profiles(surrogate, consent, consent_version, consent_at, seen, profile)"
        " SELECT surrogate, 127, '1', ?1, ?1, CAST(?2 || randomblob(8) AS BLOB) FROM people ORDER BY surrogate",
        (now, profile),
    )
    connection.execute("COMMIT")


def fill_events(connection: Connection, events: int, today: int) -> None:
    """A table per day, all bodies of usual size."""
    each = events // DAYS
    for place in range(DAYS):
        day = today - DAYS + 1 + place
        table = day_table(day)
        connection.execute("BEGIN")
        connection.execute(
            f"CREATE TABLE {table}"
            " (seq INTEGER PRIMARY KEY, person INTEGER NOT NULL, at INTEGER NOT NULL, body BLOB NOT NULL)"
        )
        connection.execute(
            f"INSERT INTO {table} {_COUNT.format(rows=each)}"
            f" SELECT i * 2 + {place * each * 2}, abs(random()), {day * 86_400_000} + i, randomblob(85) FROM n"
        )
        connection.execute("COMMIT")
    connection.execute("UPDATE event_log SET head = ?", (2 * events + 2,))


def fill_targets(connection: Connection, node: Node, events: int, today: int) -> None:
    """People with many events, each day a few visits, and entries in the vault."""
    now, each = int(node.clock.now()), 2 * (events // DAYS)
    connection.execute("BEGIN")
    for number in range(TARGETS):
        pseudonym, surrogate = node.keys.pseudonym("anon", anon(number)), secrets.randbits(63)
        runs = []
        for place in range(DAYS):
            day = today - DAYS + 1 + place
            for visit in range(2):
                first = place * each + secrets.randbelow(each // 2 - 50) * 2 + 1
                for step in range(EVENTS_EACH // DAYS // 2):
                    seq, counted = first + 2 * step, secrets.randbits(63)
                    event = LoggedEvent(
                        surrogate, visit, day * 86_400_000, "view_item", 127, (Line(7),), counted=counted
                    )
                    row = (seq, surrogate, event.at_ms, msgspec.msgpack.encode(event))
                    connection.execute(f"INSERT OR IGNORE INTO {day_table(day)} VALUES (?,?,?,?)", row)
                    connection.execute("INSERT INTO seen VALUES (?,?)", (counted, day))
                    runs.append((day, seq))
        connection.execute(
            "INSERT INTO people VALUES (?,?,?,?)", (key_of(pseudonym), pseudonym, surrogate, node.keys.epoch)
        )
        connection.execute(
            "INSERT INTO profiles(surrogate, consent, consent_version, consent_at, seen, profile, trace)"
            " VALUES (?,127,'1',?,?,?,?)",
            (surrogate, now, now, secrets.token_bytes(400), write_trace(extend([], runs))),
        )
    connection.execute("COMMIT")


def anon(number: int) -> str:
    return f"bench-{RUN}-{number:04}-".ljust(32, "x")


def numbers(node: Node, number: int) -> list[int]:
    return [each.surrogate for each in find_people(node.reader, node.keys.pseudonyms("anon", anon(number)))]


async def build(folder: Path, people: int, events: int) -> None:
    config = parse_config({})
    async with open_node(config, folder / "personalize.toml"):
        pass
    today = int(time() // 86_400)
    async with open_database(folder / "data" / "person.db", "person", synchronous="OFF", cache_mb=256) as database:
        await database.run(lambda connection: fill_people(connection, people, today * 86_400))
        await database.run(lambda connection: fill_events(connection, events, today))
        await database.checkpoint_truncate()


async def measure(folder: Path, events: int) -> None:
    async with open_node(parse_config({}), folder / "personalize.toml") as node:
        today = int(time() // 86_400)
        await node.database.run(lambda connection: fill_targets(connection, node, events, today))
        people = [person for number in range(TARGETS) for person in numbers(node, number)]
        await node.keys.ensure_data_keys(people)
        async with node.vault.database.transaction() as transaction:
            for person in people:
                bought = [Purchase(n, 1.0, 9.5, 1_700_000_000) for n in range(50)]
                body = node.vault.seal(person, Purpose.PURCHASES, bought)
                transaction.later("INSERT INTO purchases(person, body) VALUES (?, ?)", (person, body))
        took, counts = [], {}
        for number in range(TARGETS):
            started = perf_counter()
            erased = await node.erasures.erase([("anon", anon(number))])
            took.append(perf_counter() - started)
            counts = erased.facts.counts
            assert erased.facts.erased, "pending"
            if number == 0:
                await verified(node, folder, erased.number)
        took.sort()
        print(f"erased: median {statistics.median(took) * 1000:.0f} ms, slowest {took[-1] * 1000:.0f} ms of {TARGETS}")
        print("counts:", counts)


async def verified(node: Node, folder: Path, number: int) -> None:
    started = perf_counter()
    assert await node.erasures.until_verified(number, 600)
    facts = node.requests.get(number)
    assert facts is not None
    print(f"verified after {perf_counter() - started:.1f} s: {facts_of(facts.receipt).search}")  # type: ignore[union-attr]


async def main(folder: Path, people: int, events: int) -> None:
    made = folder / f"{people}-{events}"
    if not (made / "done").exists():
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir(parents=True)
        started = perf_counter()
        await build(made, people, events)
        (made / "done").touch()
        print(f"made in {perf_counter() - started:.0f} s")
    size = sum(file.stat().st_size for file in (made / "data").iterdir() if file.is_file())
    print(f"{people:,} people, {events:,} events, {size / 1e9:.2f} GB")
    await measure(made, events)


if __name__ == "__main__":
    arguments = [int(word) for word in sys.argv[2:4]] or [1_000_000, 10_000_000]
    asyncio.run(main(Path(sys.argv[1]), *arguments))
