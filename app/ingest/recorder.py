"""Writes a group of batches in one transaction: who they are about, what was not counted before, log rows, features.

Event rows, features, counted ids and the position of the feature updater commit together, or none of them do; so an
event is counted once, and whoever was told "accepted" finds it after any crash.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from time import perf_counter

from app.experiments.assignment import Assigner
from app.experiments.outcomes import Outcomes
from app.features.options import FeatureOptions
from app.ingest.building import Builder, Shown
from app.ingest.incoming import Incoming
from app.ingest.known import Known, People
from app.ingest.meter import IngestMeter
from app.ingest.renewal import Renewals
from app.ingest.repeated import Repeated
from app.ingest.wire import DropReason, EventResult
from app.ingest.work import Recorded, Work
from app.privacy.gatekeeper import NOTHING, Gate
from app.privacy.pseudonyms import PseudonymOptions
from plugins.manager import Plugins
from store.catalogue import Catalogue
from store.clock import Clock
from store.consent_ledger import ConsentLedger, read_link, write_link
from store.database import Transaction
from store.event_log import EventLog
from store.experiment_sums import ExperimentSums
from store.keys import KeyRing
from store.moves import Moves
from store.person import PersonStore
from store.place_sums import PlaceSumsStore
from store.records import PersonRow
from store.suppression import Suppression, Tombstone
from store.vault import VaultStore
from store.withdrawals import note_withdrawals

CONSUMER = "features"
"""The feature updater's name among the log's consumers."""
_DAY_MS = 86_400_000


class Recorder:
    """`apply` is what the one writer calls. It changes only the transaction, so a failed group can be retried."""

    def __init__(
        self,
        *,
        person: PersonStore,
        suppression: Suppression,
        ledger: ConsentLedger,
        log: EventLog,
        vault: VaultStore,
        keys: KeyRing,
        catalogue: Catalogue,
        gatekeeper: Callable[[], Gate],
        plugins: Plugins,
        options: FeatureOptions,
        clock: Clock,
        meter: IngestMeter,
        raw_events_days: float,
        dedup_days: float,
        moves: Moves,
        pseudonyms: PseudonymOptions,
        assigner: Assigner,
        outcomes: Outcomes,
        sums: ExperimentSums,
        place_sums: PlaceSumsStore,
        shown: Shown,
    ) -> None:
        """`raw_events_days`: how long the log's days are kept; `dedup_days`: how long counted ids are."""
        self._repeated = Repeated(person, keys, clock, dedup_days)
        self._builder = Builder(vault, keys, catalogue, plugins, options, shown)
        self._moves = moves
        self._pseudonyms = pseudonyms
        self._assigner = assigner
        self._outcomes = outcomes
        self._sums = sums
        self._place_sums = place_sums
        self._lent = False
        self._person = person
        self._suppression = suppression
        self._ledger = ledger
        self._raw_days = raw_events_days
        self._log = log
        self._keys = keys
        self._gatekeeper = gatekeeper
        self._options = options
        self._clock = clock
        self._meter = meter

    async def apply(self, transaction: Transaction, group: Sequence[Incoming]) -> list[Recorded | Exception]:
        """One `Recorded` per batch, in order."""
        started = perf_counter()
        if self._lent:
            self._moves.settle()  # the group before may have failed
            self._lent = False
        renewals = Renewals(self._options, self._pseudonyms, self._assigner.carried)
        people = People(await self._resolve(group), self._gatekeeper(), renewals)
        erased = self._suppression.find(key for incoming in group for key in incoming.tombstones)
        works = []
        for incoming in group:
            tombstones = [erased[key] for key in incoming.tombstones if key in erased] if erased else []
            if tombstones:
                incoming = self._without_erased(transaction, incoming, tombstones, erased)
            works.append(self._admit(incoming, people))
        drafts = sum(len(work.incoming.drafts) for work in works)
        if renewals.renewed or renewals.joined:
            self._lent = True
            renewals.lend(self._keys)
        started = self._timed("consent_record", drafts, started)
        await self._repeated.drop_repeated(transaction, works)
        started = self._timed("dedup", drafts, started)
        await self._builder.build(works)
        started = self._timed("build_and_learn", drafts, started)
        grown, places = self._outcomes.count(works)
        self._sums.add(transaction, grown)
        if places:
            self._place_sums.add(transaction, places)
        started = self._timed("experiments", drafts, started)
        moved = await self._write(transaction, works, people)
        self._timed("write", drafts, started)
        withdrew = bool(people.withdrawn())
        return [self._recorded(work, withdrew)._replace(moved=moved) for work in works]

    async def _resolve(self, group: Sequence[Incoming]) -> dict[bytes, PersonRow]:
        """Everyone the group may be about; under the previous epoch's pseudonym only who has none in this one."""
        named = [incoming.persons for incoming in group if incoming.drafts or incoming.choice]
        rows = await self._person.resolve(
            {name for each in named for name in (each.lasting, each.visit, each.guest) if name is not None}
        )
        before = {before for each in named for now, before in each.before.items() if now not in rows}
        return rows | await self._person.resolve(before) if before else rows

    def _timed(self, step: str, events: int, started: float) -> float:
        now = perf_counter()
        self._meter.step(step, events, now - started)
        return now

    def _without_erased(
        self, transaction: Transaction, incoming: Incoming, tombstones: list[Tombstone], erased: dict[int, Tombstone]
    ) -> Incoming:
        """The batch without what an erased person left behind, or sends without having decided anew.

        The copy keeps a retried group repeatable; `erased` learns of the decision for the batches that follow.
        """
        incoming = replace(incoming, drafts=list(incoming.drafts), results=list(incoming.results))
        if self._grants(incoming):
            down = [tomb for tomb in tombstones if not tomb.lifted_ms]
            if down and all(incoming.decided_ms > tomb.erased_ms for tomb in down):
                self._suppression.lift(transaction, [tomb.key for tomb in down], incoming.decided_ms)
                erased.update({tomb.key: tomb._replace(lifted_ms=incoming.decided_ms) for tomb in down})
                tombstones = [erased[tomb.key] for tomb in tombstones]
        for draft in incoming.drafts:
            if not all(tomb.lets_pass(draft.earliest_ms) for tomb in tombstones):
                incoming.drop(draft, DropReason.ERASED)
        incoming.drafts = [draft for draft in incoming.drafts if incoming.results[draft.place] is None]
        if not any(draft.name == "consent_update" for draft in incoming.drafts):
            incoming.consent_update_ms = None
        return incoming

    def _grants(self, incoming: Incoming) -> bool:
        """Whether the batch brings a yes to anything."""
        if incoming.choice is not None:
            return bool(incoming.choice.yes) or incoming.choice.state in ("granted", "session")
        return incoming.consent_update_ms is not None and bool(self._gatekeeper().decided(incoming.signal))

    def _admit(self, incoming: Incoming, people: People) -> Work:
        """The consent gate: signal and record together, and a decision the batch itself brings."""
        if incoming.choice is not None:
            work = Work(incoming, None, NOTHING, list(incoming.results), [], [], [])
            person = people.choose(incoming)
            work.chose = (person, len(person.decisions) - 1) if person is not None and person.decisions else None
            return work
        if not incoming.drafts:
            return Work(incoming, None, NOTHING, list(incoming.results), [], [], [])
        person, decision = people.admit(incoming)
        work = Work(incoming, person, decision, list(incoming.results), [], [], [])
        for draft in incoming.drafts:
            if draft.name == "consent_update":
                work.results[draft.place] = EventResult(draft.id, "accepted")
            elif person is None:
                work.results[draft.place] = EventResult(draft.id, "dropped", DropReason.NO_CONSENT)
            else:
                work.kept.append(draft)
        return work

    async def _write(self, transaction: Transaction, works: list[Work], people: People) -> bool:
        """Whether something of the vault has to follow somebody who changed number."""
        events = [event for work in works for event in work.events]
        last = self._log.head()
        if events:
            last = await self._log.append(transaction, events)
            sequence = last - len(events)
            traced: dict[int, tuple[Known, list[tuple[int, int]]]] = {}
            for work in works:
                for event in work.events:
                    sequence += 1
                    if event.sealed:
                        work.sealed_at = sequence
                    assert work.person is not None
                    rows = traced.setdefault(event.person, (work.person, []))[1]
                    rows.append((event.at_ms // _DAY_MS, sequence))
            self._trace(traced)
            self._person.advance(transaction, CONSUMER, last)
        self._note(transaction, people, last)
        changed = [person.written() for person in people.changed()]
        moved = await people.renewals.write(transaction, self._keys)
        self._person.save(transaction, changed, people.new(), self._keys.epoch)
        return moved

    def _note(self, transaction: Transaction, people: People, last: int) -> None:
        """Decisions go to the ledger, and what of the vault is withdrawn onto the list of what is to be emptied."""
        deciding = [(person, read_link(person.row.ledger)) for person in people.deciding()]
        entries = self._ledger.append(
            transaction, [(link, decided) for person, link in deciding for decided in person.decisions]
        )
        for person, link in deciding:
            person.entries, entries = entries[: len(person.decisions)], entries[len(person.decisions) :]
            person.row.ledger = write_link(link)
        withdrawn = people.withdrawn()
        if withdrawn:
            note_withdrawals(transaction, withdrawn, last)

    def _trace(self, traced: dict[int, tuple[Known, list[tuple[int, int]]]]) -> None:
        oldest = int(self._clock.now() / 86_400 - self._raw_days)
        for person, rows in traced.values():
            person.trace(rows, oldest, self._log.kept_days)

    def _recorded(self, work: Work, withdrew: bool) -> Recorded:
        results = [result for result in work.results if result is not None]
        recorded = Recorded(results, work.events, work.decision.gpc_honoured, work.sealed_at, withdrew=withdrew)
        if work.chose is None:
            return recorded
        person, place = work.chose
        return recorded._replace(entry=person.entries[place], decided=person.decisions[place])
