"""Forgets a person in every file: a saga that any crash only interrupts, and a search of every byte that proves it.

Steps: mark (late events are refused from here on), rows, keys, vault, plugins, truncate; then there is the receipt
`erased`. The search follows in the background and makes it `verified`. How far a saga has come stands in person.db,
sealed under the node key; the next start goes on from there before anything is served.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
from collections.abc import Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from app.privacy.byte_scan import Needle, Scanned, byte_needles, number_needles, row_key, scan, text_needles
from app.privacy.erasure_receipt import ErasureFacts, Search, facts_of
from store.database import Connection, Database, Transaction
from store.epochs import Domain
from store.erasure import SagaRow, erase_person, find_people, former_numbers, write_keys_anew
from store.faults import StoreFault
from store.generation import generations
from store.person import key_of
from store.requests import RequestRow
from store.writer import WriterClosed

if TYPE_CHECKING:
    from app.node import Node

log = logging.getLogger("personalize.privacy")
Job = Callable[[], Coroutine[Any, Any, None]]
Ids = Sequence[tuple[str, str]]
"""(kind, id) of ids proved to be the person's own."""

KIND = "erasure"
STEPS = ("mark", "rows", "keys", "vault", "plugins", "truncate", "verify")
SWITCHES = ("tombstones", "rows", "keys", "vault", "plugins", "truncate")
"""What a proof may switch off beside store.erasure.DELETIONS."""
_LONG_ENOUGH = 12
"""Characters; shorter ids occur by chance, and are looked for as pseudonyms only."""
_HEAD = 28
"""Bytes of a ciphertext that are looked for: nonce and a block."""
_AGAIN_SECONDS = 1.0
_TRUNCATIONS = 5


class Case(msgspec.Struct):
    """One erasure under way; sealed wherever it is stored."""

    ids: list[tuple[str, str]]
    commitment: bytes
    facts: ErasureFacts
    people: list[int] = []
    keys: list[int] = []
    """Keys of the people map that led to them."""
    ciphertexts: list[bytes] = []


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
    """Erases people, one after the other. `without` leaves steps out, to prove that the proof notices."""

    def __init__(
        self, node: Node, without: Collection[str] = (), reached: Callable[[str], None] = lambda _step: None
    ) -> None:
        self._node = node
        self.without = frozenset(without)
        self._reached = reached
        """Told of each step before it is taken."""
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
        now, opening = int(self._node.clock.now()), secrets.token_bytes(16)
        facts = ErasureFacts(
            requested=request.opened if request else now,
            remembered_until=int(now + self._node.config.pseudonyms.suppression_days * 86_400),
            mode=self._node.config.privacy.learned,
            generations=generations(self._node.folder / "generations"),
        )
        commitment = request.commitment if request else commitment_of(opening, ids)
        case = Case([(kind, name) for kind, name in ids], commitment, facts)
        saga = _Saga(request.id if request else secrets.randbits(62) | 1 << 61, "mark", case)
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
            await self._due.wait()
            self._due.clear()
            try:
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

    async def finish(self) -> int:
        """One round over all that is open; how many are left."""
        for saga in self._open():
            async with self._turn:
                if saga.step == "verify" or await self._advance(saga):
                    await self._verify(saga)
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
            self._reached(step)
            if step == "mark":
                await self._mark(saga.number, case)
            elif step == "rows":
                await self._rows(saga.number, case)
            elif step == "keys" and "keys" not in self.without:
                case.facts.counts["data keys"] = await self._node.keys.erase_data_keys(case.people)
            elif step == "vault" and "vault" not in self.without:
                case.facts.counts.update(await self._node.vault.erase(case.people))
            elif step == "plugins" and "plugins" not in self.without:
                told = [self._node.plugins.person_erased(person) for person in case.people or [0]]
                case.facts.counts["plugins"] = sum(told)
            elif step == "truncate" and not await self._truncate(saga.number, case):
                return False
        return True

    async def _mark(self, number: int, case: Case) -> None:
        node, now_ms = self._node, self._node.clock.now_ms()
        tombstones = [key for kind, name in case.ids for key in node.keys.suppression_keys(kind, name)]

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
                    lambda connection: erase_person(connection, known, case.people, self.without)
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
                if all([await database.checkpoint_truncate() for database in self._databases().values()]):
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
        people = [*case.people, *(each.surrogate for each in known)]
        people += former_numbers(reader, people)
        case.people = list(dict.fromkeys(people))
        case.keys = list(dict.fromkeys([*case.keys, *(each.key for each in known)]))
        bodies = [*self._node.vault.ciphertexts(case.people), *self._node.keys.wrapped_keys(case.people)]
        case.ciphertexts = list(dict.fromkeys([*case.ciphertexts, *(body[:_HEAD] for body in bodies)]))
        return known

    def _save(self, transaction: Transaction, number: int, step: str, case: Case) -> None:
        node = self._node
        state = node.keys.seal_note(b"erasure", msgspec.msgpack.encode(case))
        node.sagas.save(transaction, SagaRow(number, KIND, step, case.facts.requested, state))
        self._save_facts(transaction, number, case)

    def _save_facts(self, transaction: Transaction, number: int, case: Case) -> None:
        row = self._node.requests.get(number) or RequestRow(
            number, KIND, self._node.config.consent.home, "", case.facts.requested, 0, case.facts.requested, 0, 0,
            case.commitment, None, None,
        )  # fmt: skip
        done = case.facts.erased
        facts = msgspec.msgpack.encode(case.facts)
        changed = row._replace(state="answered" if done else "executing", closed=done, subject=None, receipt=facts)
        self._node.requests.save(transaction, changed)

    def _close_requests(self, transaction: Transaction, number: int, case: Case) -> None:
        """Whatever else the person had asked for is answered by there being nothing any more."""
        node = self._node
        for row in node.requests.open(node.config.erasure.open_requests):
            if row.id != number and row.subject and set(open_subject(node, row)) & set(case.ids):
                closed = int(node.clock.now())
                node.requests.save(transaction, row._replace(state="erased", closed=closed, subject=None))

    def _open(self) -> list[_Saga]:
        node = self._node
        return [
            _Saga(row.id, row.step, msgspec.msgpack.decode(node.keys.open_note(b"erasure", row.state), type=Case))
            for row in node.sagas.open(KIND)
        ]

    def _databases(self) -> dict[str, Database]:
        node = self._node
        return {"person.db": node.database, "vault.db": node.vault.database, "keys.db": node.keys.database}

    # ---- the search

    async def _verify(self, saga: _Saga) -> None:
        """Read every file; what still names the person is written anew, and read again."""
        node, case, number = self._node, saga.case, saga.number
        self._reached("verify")
        case.facts = self.stands(number) or case.facts
        await node.keys.erase_data_keys(case.people) if "keys" not in self.without else None
        await node.vault.erase(case.people) if "vault" not in self.without else None
        needles = needles_of(case, node, self._back_again(case))
        found = await asyncio.to_thread(scan, node.folder, needles)
        for clean in (self._write_anew, self._vacuum):
            if not found.sightings or self.without:
                break
            await clean(case, {sighting.file.removesuffix("-wal") for sighting in found.sightings})
            found = await asyncio.to_thread(scan, node.folder, needles)
        if found.sightings:
            log.error("an erased person is still found: %s", describe(found))
            return
        search = Search(found.files, found.bytes, len(needles), 0)
        case.facts = msgspec.structs.replace(case.facts, verified=int(node.clock.now()), search=search)

        async def end(transaction: Transaction) -> None:
            node.sagas.end(transaction, number)
            self._save_facts(transaction, number, case)

        await node.intake.writer.exclusive(end)
        await node.database.checkpoint_truncate()

    def _back_again(self, case: Case) -> bool:
        """Whether the person has decided anew since: under the same pseudonym, with another number."""
        names = [name for kind, told in case.ids for name in self._node.keys.pseudonyms(kind, told)]
        return any(each.surrogate not in case.people for each in find_people(self._node.reader, names))

    async def _write_anew(self, case: Case, files: set[str]) -> None:
        if "person.db" in files:

            async def anew(transaction: Transaction) -> None:
                await transaction.run(lambda connection: write_keys_anew(connection, case.keys, case.people))

            await self._node.intake.writer.exclusive(anew)
            await self._node.database.checkpoint_truncate()

    async def _vacuum(self, case: Case, files: set[str]) -> None:
        for name, database in self._databases().items():
            if name in files:
                await database.vacuum()
                await database.checkpoint_truncate()


def needles_of(case: Case, node: Node, back_again: bool = False) -> list[Needle]:
    """Everything that could lead to the person, in every spelling, under every live key but the one that remembers
    who was erased. `back_again`: whoever decided anew may be found by pseudonym, but not as who it was before."""
    needles: list[Needle] = []
    for kind, name in case.ids:
        if len(name) >= _LONG_ENOUGH:
            needles += text_needles(f"{kind} id", name)
        for domain in Domain:
            if domain is not Domain.SUPPRESSION and not back_again:
                for pseudonym in node.keys.pseudonyms(kind, name, domain):
                    needles += byte_needles(f"{kind} pseudonym ({domain.name.lower()})", pseudonym)
                    if domain is Domain.PROFILE:
                        needles.append(Needle(f"{kind} pseudonym's key", row_key(key_of(pseudonym))))
    for person in case.people:
        needles += number_needles("number", person)
    for body in case.ciphertexts:
        needles += byte_needles("ciphertext", body)
    return needles


def describe(found: Scanned) -> str:
    """What was found where, without saying whose."""
    return "; ".join(f"{sighting.needle} in {sighting.file}" for sighting in found.sightings[:8])


def commitment_of(opening: bytes, ids: Ids) -> bytes:
    """SHA-256 over the opening and the ids, sorted: says nothing without both."""
    told = b"\0".join(f"{kind}|{name}".encode() for kind, name in sorted(ids))
    return hashlib.sha256(opening + told).digest()


def seal_subject(node: Node, ids: Ids) -> bytes:
    """Whom a request is about, until it is answered."""
    return node.keys.seal_note(b"subject", msgspec.msgpack.encode(list(ids)))


def open_subject(node: Node, row: RequestRow) -> list[tuple[str, str]]:
    """Whom an open request is about."""
    if row.subject is None:
        return []
    return msgspec.msgpack.decode(node.keys.open_note(b"subject", row.subject), type=list[tuple[str, str]])
