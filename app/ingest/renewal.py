"""People who come back: found under the previous epoch's pseudonym they go on under a new number, and who signs in is
joined by what the same person did before under a random id.

Everything here happens before the group's events are learned from, on rows as they were read; it is written in the
group's own transaction, so a person has exactly one row at any moment. What lies in the vault follows (store/moves.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from app.experiments.assignment import joined
from app.features.join import join_profiles, join_visits
from app.features.options import FeatureOptions
from app.features.visitor import read_profile, read_session, write_features
from app.privacy.gatekeeper import Decision, Gate
from app.privacy.pseudonyms import PseudonymOptions, coarse_profile, day_of, same_visit
from store.database import Transaction
from store.keys import KeyRing
from store.moves import Move, begin_moves, give_up, leave, reattribute, renumber
from store.participation import join_participation
from store.person import new_surrogate
from store.records import VAULT, PersonRow, Purpose
from store.trace import extend, read_trace, write_trace

if TYPE_CHECKING:
    from app.ingest.incoming import Incoming
    from app.ingest.known import Known, People

_SESSION, _PROFILE, _VAULT = int(Purpose.SESSION), int(Purpose.PROFILE), int(VAULT)
_EXPERIMENTS = int(Purpose.EXPERIMENTS)
_DEFAULT_FEATURES, _DEFAULT_OPTIONS = FeatureOptions(), PseudonymOptions()
Carry = Callable[[bytes | None, bytes, bytes], bytes | None]
"""What a row keeps of its experiments when its pseudonym changes: (kept, before, now)."""


class _Renewed(NamedTuple):
    before: bytes
    old: int
    person: Known


class _Joined(NamedTuple):
    pseudonym: bytes
    guest: PersonRow
    person: Known


class Renewals:
    """Who changed number in a group."""

    def __init__(
        self, features: FeatureOptions = _DEFAULT_FEATURES, options: PseudonymOptions = _DEFAULT_OPTIONS,
        carry: Carry | None = None,
    ) -> None:  # fmt: skip
        self._features = features
        self._carry = carry
        self._options = options
        self._found: dict[bytes, bytes] = {}
        self._now_of: dict[bytes, bytes] = {}
        self._visit = 0
        self._now_ms = 0
        self.renewed: list[_Renewed] = []
        self.joined: list[_Joined] = []

    def recognise(self, incoming: Incoming, rows: dict[bytes, PersonRow]) -> None:
        """Let whoever lies under the previous epoch's pseudonym be found under the current one; call before anything
        else is asked about the batch."""
        self._visit, self._now_ms = incoming.session, incoming.now_ms
        for now, before in incoming.persons.before.items():
            if now not in rows and before in rows:
                rows[now] = rows[before]
                self._found[now] = before

    def current(self, pseudonym: bytes) -> bytes:
        """A pseudonym made just before the epoch changed means the person who has a newer one by now."""
        return self._now_of.get(pseudonym, pseudonym)

    def before(self, pseudonym: bytes) -> bytes | None:
        """Under which pseudonym the person still lies, if it is an older one."""
        return self._found.get(pseudonym)

    def renew(self, person: Known) -> None:
        """Give a person found under the older pseudonym a new number; what goes along becomes coarser."""
        before = self._found.pop(person.pseudonym)
        self._now_of[before] = person.pseudonym
        row = person.row
        self.renewed.append(_Renewed(before, row.surrogate, person))
        row.surrogate, row.trace, row.seen = new_surrogate(), None, day_of(row.seen)
        if row.session:
            visit = same_visit(read_session(row.session), self._visit, self._now_ms, self._features)
            row.session = write_features(visit) if visit else None
        if row.profile:
            profile = read_profile(row.profile)
            coarse_profile(profile, self._features, self._options)
            row.profile = write_features(profile)
        if row.consent & _EXPERIMENTS and self._carry is not None:
            row.experiments = self._carry(row.experiments, before, person.pseudonym)
        person.changed = True

    def join(self, incoming: Incoming, person: Known, decision: Decision, gate: Gate, people: People) -> None:
        """Let a known visitor be joined by the random id and the visit that came with the signature, once.

        Only under consent on both sides: the profile where both decided for profiles, the visit where both allow
        visits. The joined row is gone afterwards, so nothing is counted twice.
        """
        if not person.row.consent_at or not decision.allows(Purpose.PROFILE):
            return
        for pseudonym in (incoming.persons.guest, incoming.persons.visit):
            if pseudonym is None or pseudonym == person.pseudonym:
                continue
            guest = people.stranger(pseudonym)
            if guest is None or guest.objected or guest.restricted:
                continue
            theirs = int(gate.allow(incoming.signal, guest, incoming.now_ms // 1000).purposes) & guest.consent
            wanted = _PROFILE if pseudonym == incoming.persons.guest else _SESSION
            if not theirs & wanted & int(decision.purposes) or (wanted == _PROFILE and not guest.consent_at):
                continue
            if pseudonym in self._found:
                guest.trace = None  # events of an earlier epoch stay behind, as in a renewal
            self._join(person, guest, theirs & int(decision.purposes))
            people.forget(pseudonym)
            self.joined.append(_Joined(self._found.pop(pseudonym, pseudonym), guest, person))

    def _join(self, person: Known, guest: PersonRow, purposes: int) -> None:
        row = person.row
        if purposes & _SESSION and guest.session:
            visit = read_session(row.session)
            join_visits(visit, read_session(guest.session), self._features)
            visit.session = self._visit or visit.session
            row.session = write_features(visit)
        if purposes & _PROFILE and guest.profile:
            profile = read_profile(row.profile)
            join_profiles(profile, read_profile(guest.profile), self._features)
            row.profile = write_features(profile)
        if purposes & _EXPERIMENTS:
            row.experiments = joined(row.experiments, guest.experiments)
        row.seen = max(row.seen, guest.seen)
        runs = sorted([*read_trace(row.trace), *read_trace(guest.trace)])
        row.trace = write_trace(extend(runs, ()))
        person.changed = True

    def lend(self, keys: KeyRing) -> None:
        """Let what is sealed in this very group use the key that is still held under the old number."""
        for _, old, person in self.renewed:
            if keys.holds_data_key(old):
                keys.lent[person.row.surrogate] = old
        for _, guest, person in self.joined:
            if keys.holds_data_key(guest.surrogate):
                keys.lent.setdefault(person.row.surrogate, guest.surrogate)

    async def write(self, transaction: Transaction, keys: KeyRing) -> bool:
        """Queue what changes in the database, before the rows themselves are saved; whether the vault has to follow."""
        moves: list[Move] = []
        for before, old, person in self.renewed:
            leave(transaction, before)
            renumber(transaction, old, person.row.surrogate)
            if keys.holds_data_key(old):
                moves.append(Move(old, person.row.surrogate, _kept(person.row)))
        for pseudonym, guest, person in self.joined:
            leave(transaction, pseudonym)
            join_participation(transaction, guest.surrogate, person.row.surrogate)
            give_up(transaction, guest.surrogate)
            if guest.trace:
                await reattribute(transaction, read_trace(guest.trace), guest.surrogate, person.row.surrogate)
            if keys.holds_data_key(guest.surrogate):
                moves.append(Move(guest.surrogate, person.row.surrogate, _kept(person.row) & guest.consent))
        begin_moves(transaction, moves)
        return bool(moves)


def _kept(row: PersonRow) -> int:
    """The categories of the vault a person still agrees to, be it suspended."""
    return (row.consent | row.restricted) & _VAULT
