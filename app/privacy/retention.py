"""Removes what has outlived its time to live: events, counted event ids, visits, people, entries of the vault."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from app.ingest.recorder import CONSUMER
from app.node import Node
from store.database import Transaction
from store.expiry import Slice, end_visits, expire_event_ids, find_expired_people, remove_people
from store.vault import CATEGORY_NAMES

DAY = 86_400
ROWS = 500
"""Rows looked at in one turn of the writer; about two milliseconds."""
VAULT_ROWS = 32
"""People decrypted in one turn of the event loop; about a millisecond."""


async def sweep(node: Node) -> Counter[str]:
    """One whole sweep, slice by slice in the writer's turn; what was removed, by kind."""
    removed: Counter[str] = Counter()
    await _drop_days(node, removed)
    await _forget_event_ids(node, removed)
    await _forget_people(node, removed)
    await _empty_vault(node, removed)
    counter = node.metrics.counter("retention_removed", "What retention removed, by kind.", ["kind"])
    for kind, count in removed.items():
        counter.labels(kind).inc(count)
    node.metrics.gauge("retention_last_sweep", "When the last whole sweep ended, epoch seconds.").set(node.clock.now())
    return removed


async def _drop_days(node: Node, removed: Counter[str]) -> None:
    first = datetime.fromtimestamp(node.clock.now() - node.config.retention.raw_events_days * DAY, UTC).date()
    passed = node.person.position(CONSUMER)

    async def drop(transaction: Transaction) -> int:
        return len(await node.log.drop_days(transaction, first, passed))

    removed["event days"] += await node.intake.writer.exclusive(drop)


async def _forget_event_ids(node: Node, removed: Counter[str]) -> None:
    before = int((node.clock.now() - node.config.retention.dedup_days * DAY) // DAY)

    async def forget(found: Slice, _: Transaction) -> None:
        removed["event ids"] += found.removed

    await _slices(node, lambda transaction, after: expire_event_ids(transaction, before, after, ROWS), forget)


async def _forget_people(node: Node, removed: Counter[str]) -> None:
    now = node.clock.now()
    unseen = int(now - node.config.retention.profile_days * DAY)
    idle = int(now - node.config.features.idle_minutes * 60)

    async def forget(found: Slice, transaction: Transaction) -> None:
        if found.idle:
            end_visits(transaction, found.idle)
            removed["visits"] += len(found.idle)
        if found.gone:
            # Keys first: whatever a crash leaves behind can no longer be read, and the next sweep finds it again.
            surrogates = [surrogate for _, surrogate in found.gone]
            await node.keys.destroy_data_keys(surrogates)
            await node.vault.remove(surrogates)
            remove_people(transaction, found.gone)
            removed["people"] += len(found.gone)

    await _slices(node, lambda transaction, after: find_expired_people(transaction, unseen, idle, after, ROWS), forget)


async def _empty_vault(node: Node, removed: Counter[str]) -> None:
    before = int(node.clock.now() - node.config.retention.vault_days * DAY)
    for category, name in CATEGORY_NAMES.items():
        after: int | None = -1
        while after is not None:
            after, gone = await node.vault.expire(category, before, after, VAULT_ROWS)
            removed[name] += gone
            await asyncio.sleep(0)


async def _slices(
    node: Node,
    find: Callable[[Transaction, int], Awaitable[Slice]],
    act: Callable[[Slice, Transaction], Awaitable[None]],
) -> None:
    """Walk a table from its first row to its last, each slice in a transaction of its own."""
    after: int | None = -1

    while after is not None:
        start = after

        async def one(transaction: Transaction, start: int = start) -> int | None:
            found = await find(transaction, start)
            await act(found, transaction)
            return found.after

        after = await node.intake.writer.exclusive(one)
        await asyncio.sleep(0)
