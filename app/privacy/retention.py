"""Removes what has outlived its time to live: events, counted event ids, visits, people, vault entries, old figures.

One sweep goes through everything in slices of a few milliseconds, each in the writer's turn, with longer pauses in
between: most of the time belongs to the shoppers, all the more the busier the event loop is.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import date
from time import perf_counter, thread_time
from typing import TypeVar

from app.ingest.recorder import CONSUMER
from app.node import Node
from app.privacy.consent_stats import publish_consents
from app.privacy.day_figures import publish_day
from app.privacy.ended_experiments import expire_reports, forget_ended
from app.privacy.ladder import keep_days, ladder
from app.privacy.pace import Pace, Rest, work_of
from app.privacy.sweeps import note_sweep
from plugins.ladder import KINDS, DataKind
from store.database import Connection, Transaction
from store.event_days import anonymize_slice, date_of, day_number, empty_slice
from store.expiry import Consents, Slice, end_visits, expire_event_ids, find_expired_people, remove_people
from store.records import Purpose

DAY = 86_400
_IDS_OF_AN_HOUR = 1 << 49
"""The hour of an event stands in the upper 14 bits of its id's hash (`KeyRing.event_hash`)."""
_HOURS = 1 << 14
_SHUFFLED = 256
"""Events that change places among each other when they are anonymized, at least."""
_MUCH_AHEAD = 0.001
"""Processor seconds of commits: some two hundred pages, which take as long again to be folded into the file."""
_VAULT: dict[DataKind, Purpose] = {
    "vault.purchases": Purpose.PURCHASES, "vault.searches": Purpose.SEARCHES, "vault.location": Purpose.LOCATION,
}  # fmt: skip
T = TypeVar("T")


async def sweep(node: Node) -> Counter[str]:
    """One whole sweep; what was removed, by kind. Raises a StoreFault or PluginFailed; the next one goes on."""
    run = _Sweep(node)
    node.sweeps.running = True
    try:
        await run.all()
    finally:
        node.sweeps.running = False
        node.sweeps.removed(run.removed)
    node.sweeps.ended(run.now, run.oldest)
    return run.removed


def _cpu_after_what_is_queued(_: Connection) -> float:
    """Processor seconds of the database's thread, once what a transaction has queued is done."""
    return thread_time()


async def _changed(transaction: Transaction) -> int:
    """How many rows the statement queued last changed."""
    ((count,),) = await transaction.fetch("SELECT changes()")
    return int(count)


class _Sweep:
    """One pass over everything, as of one moment."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.policies = ladder(node.config, node.plugins)
        self.now = node.clock.now()
        self.removed: Counter[str] = Counter()
        self.oldest: dict[str, int | None] = {}
        self.rest = Rest()

    async def all(self) -> None:
        await self._events()
        await self._event_ids()
        await self._people()
        self.removed["experiments"] += await forget_ended(self.node, self._turn)
        await self._vault()
        await self._rights()
        await self._figures()
        await self.node.intake.writer.exclusive(self._note)
        if any(self.removed.values()):
            # What was removed is overwritten in the file; now its bytes leave the write-ahead log too.
            await self.node.database.checkpoint_truncate()

    def _since(self, kind: DataKind) -> float:
        """The moment (epoch seconds) before which a kind of data is gone."""
        return self.now - keep_days(self.policies, kind) * DAY

    async def _note(self, transaction: Transaction) -> None:
        removed = self.removed.copy()
        note_sweep(transaction, self.now, {kind: self.oldest.get(kind) for kind in KINDS}, removed, set(self.oldest))

    async def _turn(self, pace: Pace, act: Callable[[Transaction, int], Awaitable[T]]) -> T:
        """One slice: `act(transaction, rows)` in the writer's turn, then a rest.

        What commits have written ahead is folded into the file a little at a time, with rests of its own: SQLite would
        do it with every fourth commit, for three times as long as a slice.
        """
        began = worked = cpu = 0.0
        turn: Transaction | None = None

        async def timed(transaction: Transaction) -> T:
            nonlocal began, worked, cpu, turn
            turn, began = transaction, perf_counter()
            cpu_before = await transaction.run(_cpu_after_what_is_queued)
            result = await act(transaction, pace.rows)
            cpu = await transaction.run(_cpu_after_what_is_queued) - cpu_before
            worked = perf_counter() - began
            return result

        result = await self.node.intake.writer.exclusive(timed)
        committing = turn.commit_seconds if turn is not None else 0.0
        pace.took(work_of(cpu + committing, worked))
        self.node.sweeps.moved(worked)
        await self.rest.after(perf_counter() - began)
        if self.node.database.ahead > _MUCH_AHEAD:
            await self.rest.after(await self.node.database.checkpoint())
        return result

    # ---- the log

    async def _events(self) -> None:
        """Days are counted, cut off from their people and emptied, each at its time; a day is never half counted."""
        policy = self.policies["events"]
        # A day goes when its first moment is due: nothing outlives its time, some of it goes up to a day early.
        gone = math.ceil(self._since("events") / DAY)
        nameless = 0 if policy.anonymize_days is None else math.ceil((self.now - policy.anonymize_days * DAY) / DAY)
        for day in self.node.log.days():
            number = day_number(day)
            if policy.aggregate_days is not None:
                due = number < max(gone, nameless) or (number + 1 + policy.aggregate_days) * DAY <= self.now
                if due:
                    await publish_day(self.node, number)
            if number < gone:
                await self._empty(day)
            elif number < nameless:
                await self._anonymize(day)
        await self._turn(Pace(1, least=1), lambda transaction, _: self._drop(transaction, date_of(gone)))
        days = self.node.log.days()
        self.oldest["events"] = day_number(days[0]) * DAY if days else None

    async def _empty(self, day: date) -> None:
        passed = self.node.person.position(CONSUMER)
        pace = Pace(128)
        while count := await self._turn(pace, lambda transaction, rows: empty_slice(transaction, day, passed, rows)):
            self.removed["events"] += count

    async def _drop(self, transaction: Transaction, first: date) -> None:
        dropped = await self.node.log.drop_days(transaction, first, self.node.person.position(CONSUMER))
        transaction.later("DELETE FROM anonymized WHERE day < ?", (day_number(first),))
        self.removed["event days"] += len(dropped)

    async def _anonymize(self, day: date) -> None:
        passed, least = self.node.person.position(CONSUMER), self.node.config.retention.people_at_least
        pace = Pace(_SHUFFLED, least=_SHUFFLED, most=2 * _SHUFFLED)
        while True:
            kept, removed = await self._turn(
                pace, lambda transaction, rows: anonymize_slice(transaction, day, passed, rows, least)
            )
            self.removed["event people"] += kept
            self.removed["events"] += removed
            if not kept and not removed:
                return

    # ---- people

    async def _event_ids(self) -> None:
        """Ids lie in the order of their events' hours, so what is due lies outside the hours still in use.

        Once a day they are looked through from end to end: the hours repeat after two years, and an event reported
        that late lies among today's.
        """
        before, today = int(self._since("event ids") // DAY), int(self.now // DAY)
        first, last = (before * 24 - 1) % _HOURS, (int(self.now // 3600) + 2) % _HOURS
        spans = [(0, first), (last, _HOURS)] if first < last else [(last, first)]
        if self.node.sweeps.ids_day != today or today - before >= _HOURS // 24 - 2:
            spans = [(0, _HOURS)]
        oldest: list[int] = []
        pace = Pace(256)
        for begin, end in spans:
            after: int | None = begin * _IDS_OF_AN_HOUR - 1
            while after is not None:
                found = await self._turn(pace, self._ids_after(after, before, end * _IDS_OF_AN_HOUR))
                self.removed["event ids"] += found.removed
                oldest += [] if found.oldest is None else [found.oldest]
                after = found.after
        if spans == [(0, _HOURS)]:
            self.node.sweeps.ids_day = today
            self.oldest["event ids"] = min(oldest) * DAY if oldest else None

    def _ids_after(self, after: int, before: int, until: int) -> Callable[[Transaction, int], Awaitable[Slice]]:
        bound = min(until, (1 << 63) - 1)
        return lambda transaction, rows: expire_event_ids(transaction, before, after, rows, bound)

    async def _people(self) -> None:
        """Who was not seen for too long, and visits that are over. Decisions are counted on the way, once a day."""
        unseen, idle = int(self._since("people")), int(self._since("visits"))
        counting = not self.node.aggregates.published("consent", int(self.now // DAY))
        counted: Consents = Counter()
        looking, removing = Pace(256), Pace(128, most=512)
        seen: list[int] = []
        visits: list[int] = []
        after: int | None = -1
        while after is not None:
            start = after

            async def one(transaction: Transaction, rows: int, start: int = start) -> Slice:
                began = await transaction.run(_cpu_after_what_is_queued)
                found = await find_expired_people(
                    transaction, unseen, idle, start, rows, most=removing.rows, consents=counting
                )
                await self._forget(transaction, found)
                if found.gone or found.idle:
                    took = await transaction.run(_cpu_after_what_is_queued) - began
                    removing.took(took, len(found.gone) + len(found.idle))
                return found

            found = await self._turn(looking, one)
            counted += found.consents
            seen += [] if found.oldest is None else [found.oldest]
            visits += [] if found.oldest_visit is None else [found.oldest_visit]
            self.removed["people"] += len(found.gone)
            self.removed["visits"] += len(found.idle)
            after = found.after
        self.oldest |= {"people": min(seen, default=None), "visits": min(visits, default=None)}
        if counting:
            await publish_consents(self.node, int(self.now // DAY), counted)

    async def _forget(self, transaction: Transaction, found: Slice) -> None:
        if found.idle:
            end_visits(transaction, found.idle)
        if found.gone:
            # Keys first: whatever a crash leaves behind can no longer be read, and the next sweep finds it again.
            holders = self.node.keys.with_data_key([surrogate for _, surrogate in found.gone])
            if holders:
                await self.node.keys.destroy_data_keys(holders)
                await self.node.vault.remove(holders)
            remove_people(transaction, found.gone)

    async def _vault(self) -> None:
        """Every entry has to be decrypted to be looked at: once a day, and what is due until tomorrow goes now."""
        margins = {kind: min(DAY, keep_days(self.policies, kind) * DAY / 10) for kind in _VAULT}
        if self.now - self.node.sweeps.vault_at < min(margins.values()):
            return
        for name, category in _VAULT.items():
            before = int(self._since(name) + margins[name])
            oldest: list[int] = []
            pace = Pace(16, least=4, most=128)
            after: int | None = -1
            while after is not None:
                began = perf_counter()
                after, gone, first = await self.node.vault.expire(category, before, after, pace.rows)
                self.removed[name] += gone
                oldest += [] if first is None else [first]
                took = perf_counter() - began
                pace.took(2 * took)  # it is the event loop itself that decrypts
                self.node.sweeps.moved(took)
                await self.rest.after(took)
            self.oldest[name] = min(oldest, default=None)
        self.node.sweeps.vault_at = self.now

    async def _rights(self) -> None:
        """The ledger's oldest rows, requests answered long ago, and marks of erased people that nobody can replay."""
        before, pace = self._since("decisions"), Pace(128)
        while count := await self._turn(
            pace, lambda transaction, rows: self.node.ledger.expire(transaction, before, rows)
        ):
            self.removed["decisions"] += count

        async def forget(transaction: Transaction, _: int) -> None:
            self.node.requests.expire(transaction, int(self._since("requests")))
            self.removed["requests"] += await _changed(transaction)
            self.node.suppression.expire(transaction, self.now)
            self.removed["erasures"] += await _changed(transaction)

        await self._turn(Pace(1, least=1), forget)

    async def _figures(self) -> None:
        before = int(self._since("aggregates") // DAY)
        self.removed["aggregates"] += await self._turn(
            Pace(1, least=1), lambda transaction, _: self.node.aggregates.expire(transaction, before)
        )
        told_since = self._since("aggregates")
        await self._turn(Pace(1, least=1), lambda transaction, _: expire_reports(self.node, transaction, told_since))
        days = [first for first, _ in self.node.aggregates.reports().values()]
        self.oldest["aggregates"] = max(min(days), before) * DAY if days else None
