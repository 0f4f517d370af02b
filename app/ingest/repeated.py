"""Finds events that were counted before: retries of a sender, also across a rotation of the keys."""

from app.ingest.incoming import Draft
from app.ingest.wire import EventResult
from app.ingest.work import Pause, Work
from store.clock import Clock
from store.database import Transaction
from store.keys import KeyRing
from store.person import PersonStore


class Repeated:
    """Ids are counted in the transaction that keeps their events."""

    def __init__(self, person: PersonStore, keys: KeyRing, clock: Clock, dedup_days: float) -> None:
        """`dedup_days`: how long counted ids are kept."""
        self._person = person
        self._keys = keys
        self._clock = clock
        self._dedup_days = dedup_days

    async def drop_repeated(self, transaction: Transaction, works: list[Work]) -> None:
        """By the sender's id, under the person's pseudonym: an id says nothing about anyone else's events."""
        event_hash = self._keys.event_hash
        pause = Pause()
        for work in works:
            await pause.now_and_then()
            if work.person is not None:
                pseudonym = work.person.pseudonym
                work.ids = [event_hash(pseudonym, *draft.identity) for draft in work.kept]
        self._drop_counted_before(works)
        ids = [number for work in works for number in work.ids]
        fresh = await self._person.fresh(transaction, ids, int(self._clock.now() // 86_400))
        for work in works:
            kept = []
            for draft, number in zip(work.kept, work.ids, strict=True):
                if number in fresh:
                    fresh.discard(number)
                    draft.counted = number
                    kept.append(draft)
                else:
                    work.results[draft.place] = EventResult(draft.id, "duplicate")
            work.kept = kept

    def _drop_counted_before(self, works: list[Work]) -> None:
        """Soon after a rotation an event may be repeated that was counted under the previous epoch's keys."""
        if self._clock.now() - self._keys.began() > self._dedup_days * 86_400:
            return
        earlier: dict[int, tuple[Work, Draft]] = {}
        for work in works:
            before = work.incoming.persons.before.get(work.person.pseudonym) if work.person is not None else None
            if before is not None:
                epoch = self._keys.epoch - 1
                for draft in work.kept:
                    earlier[self._keys.event_hash(before, *draft.identity, epoch)] = (work, draft)
        for number in self._person.counted(list(earlier)):
            work, draft = earlier[number]
            place = work.kept.index(draft)
            del work.kept[place], work.ids[place]
            work.results[draft.place] = EventResult(draft.id, "duplicate")
