"""Who is asking, as far as consent allows it to be known: signal, gatekeeper, one read, and only then features."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from app.features.options import FeatureOptions
from app.features.sensitive import without_sensitive
from app.features.visitor import visitor_of
from app.privacy.gatekeeper import ConsentSignal, Decision, Gate
from app.privacy.identity import Claim, Persons, bound_by, persons_of
from plugins.contract import Visitor
from store.catalogue import Catalogue
from store.keys import KeyRing
from store.person import PersonStore
from store.records import PersonRow, Purpose
from store.vault import VaultStore

_PROFILE, _PURCHASES, _EXPERIMENTS = int(Purpose.PROFILE), int(Purpose.PURCHASES), int(Purpose.EXPERIMENTS)


class Arms(Protocol):
    """Draws the arms of a visitor (app/experiments/assignment.py)."""

    def arms(self, pseudonym: bytes, kept: bytes | None, *, earlier: bool = False) -> Mapping[str, str]: ...


class VisitorReader:
    """Reads a visitor on the event loop: one point read, two more where purchases are allowed.

    Each is two where a person is not found under the current epoch's pseudonym and there is an older one.
    """

    def __init__(
        self,
        gate: Callable[[], Gate],
        keys: KeyRing,
        person: PersonStore,
        vault: VaultStore,
        features: FeatureOptions,
        catalogue: Catalogue,
        arms: Arms | None = None,
        segments: Callable[[Mapping[str, float]], frozenset[str]] | None = None,
    ) -> None:
        """`segments`: where affinities put somebody, as the serving model has it."""
        self._gate = gate
        self._keys = keys
        self._person = person
        self._vault = vault
        self._features = features
        self._catalogue = catalogue
        self._arms = arms
        self._segments = segments

    def read(self, claim: Claim, signal: ConsentSignal, now: float) -> tuple[Visitor, Decision]:
        """The visitor behind a claim, and the decision that says what of them may be used.

        Where the signal rules everything out nothing is read at all.
        """
        row, pseudonym, decision = self._told(claim, signal, now)
        arms = self._arms_of(pseudonym, row, decision)
        if row is None or not int(decision.purposes):
            return Visitor(purposes=decision.purposes, arms=arms), decision
        purchases = None
        if int(decision.purposes) & _PURCHASES:
            purchases = self._vault.read(row.surrogate, Purpose.PURCHASES, decision.purposes)
        visitor = visitor_of(row, decision, purchases, now, self._features)
        visitor = without_sensitive(visitor, self._catalogue)
        segments = self._segments_of(visitor)
        if arms or segments:
            visitor = visitor.but(arms=arms, segments=segments)
        return visitor, decision

    def _segments_of(self, visitor: Visitor) -> frozenset[str]:
        """Worked out of the visitor's own affinities for this request; none without the purpose `profile`."""
        if self._segments is None or not visitor.affinities or not int(visitor.purposes) & _PROFILE:
            return visitor.segments
        return self._segments(visitor.affinities)

    def _arms_of(self, pseudonym: bytes | None, row: PersonRow | None, decision: Decision) -> Mapping[str, str]:
        """No consent to experiments, no arm: the visitor gets what everyone outside of them gets."""
        if self._arms is None or pseudonym is None or not int(decision.purposes) & _EXPERIMENTS:
            return {}
        if row is None:
            return self._arms.arms(pseudonym, None)
        return self._arms.arms(pseudonym, row.experiments, earlier=row.earlier)

    def row(self, claim: Claim, signal: ConsentSignal, now: float) -> tuple[PersonRow | None, Decision]:
        """The row that speaks, read only as far as the signal could allow, and the decision."""
        row, _, decision = self._told(claim, signal, now)
        return row, decision

    def _told(self, claim: Claim, signal: ConsentSignal, now: float) -> tuple[PersonRow | None, bytes | None, Decision]:
        gate = self._gate()
        at_most = gate.at_most(signal)
        row = pseudonym = None
        if int(at_most):
            persons = persons_of(claim, self._keys)
            row, pseudonym = self._row(persons, signal.speaks, at_most)
            if row is not None and row.earlier and pseudonym is not None:
                pseudonym = persons.before.get(pseudonym, pseudonym)
        return row, pseudonym, gate.allow(signal, row, now)

    def _row(self, persons: Persons, state: str, wanted: Purpose) -> tuple[PersonRow | None, bytes | None]:
        """The row that speaks for the request, and under which pseudonym it does: the rule of
        `app.privacy.identity.whose` in as few reads as can be."""
        if not persons.lasting:
            return self._find(persons, persons.visit, wanted), persons.visit
        if state == "session":
            visit = self._find(persons, persons.visit, wanted)
            return bound_by(visit, self._find(persons, persons.lasting, Purpose.NONE)), persons.visit
        row = self._find(persons, persons.lasting, wanted)
        if state or (row is not None and row.decided):
            return row, persons.lasting
        return self._find(persons, persons.visit, wanted), persons.visit

    def _find(self, persons: Persons, pseudonym: bytes | None, wanted: Purpose) -> PersonRow | None:
        """Under the current pseudonym, else under the previous epoch's, where who has not come back since still is."""
        if pseudonym is None:
            return None
        row = self._person.read(pseudonym, wanted)
        if row is None and (before := persons.before.get(pseudonym)) is not None:
            row = self._person.read(before, wanted)
            if row is not None:
                row.earlier = True
        return row
