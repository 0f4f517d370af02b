"""Forgets a person in every file: a saga that any crash only interrupts, and a search of every byte that proves it.

Steps: mark (late events are refused from here on), rows, keys, vault, plugins, truncate; then there is the receipt
`erased`. The search follows in the background and makes it `verified`. How far a saga has come stands in person.db,
sealed under the node key; the next start goes on from there before anything is served.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from app.privacy.byte_scan import Scanned
from app.privacy.erasure_case import (
    KIND,
    Case,
    Ids,
    describe,
    needles_of,
    new_case,
    new_number,
    open_subject,
    save_case,
    save_facts,
)
from app.privacy.erasure_receipt import ErasureFacts, Search, facts_of
from app.privacy.erasure_search import databases_of, look
from store.database import Connection, Transaction
from store.erasure import erase_person, find_people, former_numbers
from store.faults import StoreFault
from store.requests import RequestRow
from store.writer import WriterClosed

if TYPE_CHECKING:
    from app.node import Node

log = logging.getLogger("personalize.privacy")
Job = Callable[[], Coroutine[Any, Any, None]]
STEPS = ("mark", "rows", "keys", "vault", "plugins", "truncate", "verify")
SWITCHES = ("tombstones", "rows", "keys", "vault", "plugins", "truncate")
"""What a proof may switch off beside store.erasure.DELETIONS."""
_HEAD = 28
"""Bytes of a ciphertext that are looked for: nonce and a block."""
_AGAIN_SECONDS = 1.0
_SWEEP_SECONDS = 3_600.0
_LOOK_SECONDS = 1.0
"""How often the server looks for what `personalize erase` left for it."""
_TRUNCATIONS = 5
_TOGETHER = 100
"""People one search looks for."""


class Erased(NamedTuple):
    """How an erasure stands. `opening` is told once, to whoever asked."""

    number: int
    commitment: bytes
    facts: ErasureFacts
    opening: bytes = b""


@dataclass(frozen=True)
class _Saga:
    number: int
    step: str
    case: Case


class Erasures:
    """Erases people, one after the other."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.without: frozenset[str] = frozenset()
        """Steps to leave out, to prove that the proof notices."""
        self.reached: Callable[[str], None] = lambda _step: None
        """Told of each step before it is taken."""
        self._swept = float("-inf")
        self._turn = asyncio.Lock()
        self._due = asyncio.Event()
        self._moved = asyncio.Event()

    def jobs(self) -> list[tuple[str, Job]]:
        return [("erasures", self.run)]

    async def erase(self, ids: Ids, request: RequestRow | None = None) -> Erased:
        """Forget whoever these ids belong to. Returns when nothing can be read any more (or, where a file is held
        open or full, `pending`: the rest follows by itself). Unknown ids get the same answer.

        Raises a StoreFault where nothing was begun.
        """
        node, opening = self._node, secrets.token_bytes(16)
        case = new_case(ids, opening, node.config, node.folder, int(node.clock.now()))
        if request is not None:
            case.commitment = request.commitment
            case.facts = msgspec.structs.replace(case.facts, requested=request.opened)
        facts, commitment = case.facts, case.commitment
        saga = _Saga(request.id if request else new_number(), "mark", case)
        async with self._turn:
            try:
                await self._advance(saga)
            except StoreFault as fault:
                if self.stands(saga.number) is None:
                    raise
                log.error("an erasure waits: %s", fault)
            self._due.set()
        return Erased(saga.number, commitment, self.stands(saga.number) or facts, b"" if request else opening)

    def stands(self, number: int) -> ErasureFacts | None:
        """How far an erasure has come; None where there is none of that number."""
        row = self._node.requests.get(number)
        return facts_of(row.receipt) if row is not None and row.kind == KIND else None

    async def resume(self) -> None:
        """Finish what a crash interrupted, up to the search; before anything is served."""
        async with self._turn:
            for saga in self._open():
                try:
                    if saga.step != "verify":
                        await self._advance(saga)
                except StoreFault as fault:
                    log.error("an erasure waits: %s", fault)
        if self._open():
            self._due.set()

    async def run(self) -> None:
        """Until cancelled: what waits for a file is tried again, what is erased is searched for."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._due.wait(), _LOOK_SECONDS)
            self._due.clear()
            try:
                await self._forget_old()
                if not self._node.sagas.open(KIND):
                    continue
                left = await self.finish()
            except WriterClosed:
                return
            except StoreFault as fault:
                left = 1
                log.error("an erasure waits: %s", fault)
            self._moved.set()
            self._moved = asyncio.Event()
            waits = f"{left} erasure{'s' * (left != 1)} not finished yet: a file is in use, full or keeps something"
            self._node.stalled["erasure"] = waits if left else ""
            if left:
                self._due.set()
                await asyncio.sleep(_AGAIN_SECONDS)

    async def _forget_old(self) -> None:
        """Once in a while, let tombstones and answered requests go whose time is over."""
        node, now = self._node, self._node.clock.now()
        if abs(now - self._swept) < _SWEEP_SECONDS:
            return

        async def expire(transaction: Transaction) -> None:
            node.suppression.expire(transaction, now)
            node.requests.expire(transaction, int(now - node.config.erasure.request_log_days * 86_400))

        await node.intake.writer.exclusive(expire)
        self._swept = now

    async def finish(self) -> int:
        """One round over all that is open; how many are left."""
        for saga in self._open():
            if saga.step != "verify":
                async with self._turn:
                    await self._advance(saga)
        # Nobody who asks to be erased waits for a search; one search looks for all whose turn it is.
        await self._search([saga for saga in self._open() if saga.step == "verify"][:_TOGETHER])
        return len(self._open())

    async def until_verified(self, number: int, patience: float) -> bool:
        """Whether the search has found nothing any more within `patience` seconds."""
        try:
            async with asyncio.timeout(patience):
                while (facts := self.stands(number)) is not None and not facts.verified:
                    await self._moved.wait()
        except TimeoutError:
            return False
        return facts is not None

    # ---- the steps, each harmless when repeated

    async def _advance(self, saga: _Saga) -> bool:
        """Go on to the receipt `erased`; False where a file is held open."""
        case = saga.case
        for step in STEPS[STEPS.index(saga.step) : -1]:
            self.reached(step)
            if step == "mark":
                await self._mark(saga.number, case)
            elif step == "rows":
                await self._rows(saga.number, case)
            elif step == "keys" and "keys" not in self.without:
                case.facts.counts["data keys"] = await self._node.keys.erase_data_keys(case.numbers)
            elif step == "vault" and "vault" not in self.without:
                case.facts.counts.update(await self._node.vault.erase(case.numbers))
            elif step == "plugins" and "plugins" not in self.without:
                told = [self._node.plugins.person_erased(person) for person in case.numbers or [0]]
                case.facts.counts["plugins"] = sum(told)
            elif step == "truncate" and not await self._truncate(saga.number, case):
                return False
        return True

    async def _mark(self, number: int, case: Case) -> None:
        node, now_ms = self._node, self._node.clock.now_ms()
        tombstones = [key for kind, name in case.ids for key in node.keys.suppression_keys(kind, name)]
        names = [name for kind, told in case.ids for name in node.keys.pseudonyms(kind, told)]
        tombstones += [key for name in names for key in node.keys.suppression_keys("pseudonym", name.hex())]

        async def mark(transaction: Transaction) -> None:
            self._notice(case, node.reader)
            if "tombstones" not in self.without:
                node.suppression.mark(transaction, tombstones, now_ms, case.facts.remembered_until)
            self._close_requests(transaction, number, case)
            self._save(transaction, number, "rows", case)

        await node.intake.writer.exclusive(mark)

    async def _rows(self, number: int, case: Case) -> None:
        node = self._node

        async def rows(transaction: Transaction) -> None:
            known = self._notice(case, node.reader)
            if "rows" not in self.without:
                counts = await transaction.run(
                    lambda connection: erase_person(connection, known, case.numbers, self.without)
                )
                case.facts.counts.update(counts)
            self._save(transaction, number, "keys", case)

        async def settle(_: Transaction) -> None:
            node.moves.settle()

        await node.intake.writer.exclusive(rows)
        await node.intake.writer.exclusive(settle)

    async def _truncate(self, number: int, case: Case) -> bool:
        if "truncate" not in self.without:
            for _ in range(_TRUNCATIONS):
                if all([await database.checkpoint_truncate() for database in databases_of(self._node).values()]):
                    break
                await asyncio.sleep(0.01)
            else:
                return False
        case.facts = msgspec.structs.replace(case.facts, erased=int(self._node.clock.now()))

        async def note(transaction: Transaction) -> None:
            self._save(transaction, number, "verify", case)

        await self._node.intake.writer.exclusive(note)
        return True

    def _notice(self, case: Case, reader: Connection) -> list[Any]:
        """Where the person is found now; what is known of it is remembered, to be looked for when it is gone."""
        names = [name for kind, told in case.ids for name in self._node.keys.pseudonyms(kind, told)]
        known = find_people(reader, names)
        case.people = list(dict.fromkeys([*case.people, *(each.surrogate for each in known)]))
        case.former = list(dict.fromkeys([*case.former, *former_numbers(reader, case.people)]))
        case.keys = list(dict.fromkeys([*case.keys, *(each.key for each in known)]))
        bodies = [*self._node.vault.ciphertexts(case.numbers), *self._node.keys.wrapped_keys(case.numbers)]
        case.ciphertexts = list(dict.fromkeys([*case.ciphertexts, *(body[:_HEAD] for body in bodies)]))
        return known

    def _save(self, transaction: Transaction, number: int, step: str, case: Case) -> None:
        node = self._node
        save_case(
            transaction, node.sagas, node.requests, node.keys, number=number, step=step, case=case,
            jurisdiction=node.config.consent.home,
        )  # fmt: skip

    def _close_requests(self, transaction: Transaction, number: int, case: Case) -> None:
        """Whatever else the person had asked for is answered by there being nothing any more."""
        node = self._node
        for row in node.requests.open(node.config.erasure.open_requests):
            if row.id != number and row.subject and set(open_subject(node.keys, row)) & set(case.ids):
                closed = int(node.clock.now())
                node.requests.save(transaction, row._replace(state="erased", closed=closed, subject=None))

    def _open(self) -> list[_Saga]:
        node = self._node
        return [
            _Saga(row.id, row.step, msgspec.msgpack.decode(node.keys.open_note(b"erasure", row.state), type=Case))
            for row in node.sagas.open(KIND)
        ]

    # ---- the search

    async def _search(self, sagas: list[_Saga]) -> None:
        """Look for everyone whose turn it is; who is found nowhere any more is verified."""
        if not sagas:
            return
        self.reached("verify")
        numbers = [number for saga in sagas for number in saga.case.numbers]
        # What was on its way to these files when the saga passed by went in after it.
        await self._node.keys.erase_data_keys(numbers) if "keys" not in self.without else None
        await self._node.vault.erase(numbers) if "vault" not in self.without else None
        found = await look([saga.case for saga in sagas], self._node, clean=not self.without)
        if not found.sightings:
            await self._end(sagas, found)
        elif len(sagas) > 1:
            for saga in sagas:  # one of them, but which?
                found = await look([saga.case], self._node, clean=False)
                await self._end([saga] if not found.sightings else [], found)
        else:
            log.error("an erased person is still found: %s", describe(found))

    async def _end(self, sagas: list[_Saga], found: Scanned) -> None:
        node, now = self._node, int(self._node.clock.now())

        async def end(transaction: Transaction) -> None:
            for saga in sagas:
                search = Search(found.files, found.bytes, len(needles_of(saga.case, node.keys)), 0)
                saga.case.facts = msgspec.structs.replace(saga.case.facts, verified=now, search=search)
                node.sagas.end(transaction, saga.number)
                save_facts(transaction, node.requests, saga.number, saga.case, node.config.consent.home)

        await node.intake.writer.exclusive(end)
        await node.database.checkpoint_truncate()
