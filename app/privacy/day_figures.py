"""Counts one day of the log and publishes its figures, in slices beside traffic."""

from __future__ import annotations

import asyncio
import secrets
from array import array
from contextlib import closing
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from app.node import Node
from app.privacy.counting import REPORTS, SEARCHED, DayCount
from app.privacy.gatekeeper import ConsentSignal
from app.privacy.pace import Pace, Rest
from store.database import Connection, Transaction, open_reader
from store.event_days import anonymized_until, date_of, read_slice
from store.person import PersonStore
from store.records import Purpose

_ASKED = 256


async def publish_day(node: Node, day: int) -> None:
    """Publish the figures of a day (since 1970) unless they are; then the day is final, whatever comes later."""
    if all(node.aggregates.published(report, day) for report in REPORTS):
        return
    options = node.config.retention
    with closing(open_reader(node.database.path, cache_mb=2)) as reader:
        count = await _counted(node, reader, day)
        allowed = await _allowed(node, reader, await asyncio.to_thread(count.people))
    figures = await asyncio.to_thread(
        count.figures, day, allowed, {"": options.people_at_least, SEARCHED: options.searches_people_at_least},
        options.cells_per_person, secrets.randbits(64),
    )  # fmt: skip

    async def publish(transaction: Transaction) -> None:
        await node.aggregates.publish(transaction, day, REPORTS, figures)

    await node.intake.writer.exclusive(publish)


async def _counted(node: Node, reader: Connection, day: int) -> DayCount:
    """Every event of the day that still has a person."""
    count = DayCount(node.catalogue)
    pace, rest = Pace(128), Rest()
    after = anonymized_until(reader, date_of(day))
    while True:
        began = perf_counter()
        rows = read_slice(reader, date_of(day), after, pace.rows)
        for after, event in rows:  # noqa: B007  the last sequence number is where the next slice begins
            count.add(event)
        took = perf_counter() - began
        pace.took(2 * took)
        node.sweeps.moved()
        await rest.after(took)
        if not rows:
            return count


async def _allowed(node: Node, reader: Connection, people: NDArray[np.int64]) -> NDArray[np.int64]:
    """Whose decision in force lets them be counted, as the gatekeeper says."""
    store, now, nothing_said = PersonStore(reader), node.clock.now(), ConsentSignal()
    allowed = array("q")
    rest = Rest()
    for start in range(0, len(people), _ASKED):
        began = perf_counter()
        for row in store.consents(people[start : start + _ASKED].tolist()):
            purposes = node.gatekeeper.allow(nothing_said, row, now).purposes
            if row.consent & int(purposes) & Purpose.TRAINING:
                allowed.append(row.surrogate)
        await rest.after(perf_counter() - began)
    return np.frombuffer(allowed, np.int64)
