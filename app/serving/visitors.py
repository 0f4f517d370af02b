"""Who is asking, as far as consent allows it to be known: signal, gatekeeper, one read, and only then features."""

from __future__ import annotations

from collections.abc import Callable

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

_PURCHASES = int(Purpose.PURCHASES)


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
    ) -> None:
        self._gate = gate
        self._keys = keys
        self._person = person
        self._vault = vault
        self._features = features
        self._catalogue = catalogue

    def read(self, claim: Claim, signal: ConsentSignal, now: float) -> tuple[Visitor, Decision]:
        """The visitor behind a claim, and the decision that says what of them may be used.

        Where the signal rules everything out nothing is read at all.
        """
        row, decision = self.row(claim, signal, now)
        if row is None or not int(decision.purposes):
            return Visitor(purposes=decision.purposes), decision
        purchases = None
        if int(decision.purposes) & _PURCHASES:
            purchases = self._vault.read(row.surrogate, Purpose.PURCHASES, decision.purposes)
        visitor = visitor_of(row, decision, purchases, now, self._features)
        return without_sensitive(visitor, self._catalogue), decision

    def row(self, claim: Claim, signal: ConsentSignal, now: float) -> tuple[PersonRow | None, Decision]:
        """The row that speaks, read only as far as the signal could allow, and the decision."""
        gate = self._gate()
        at_most = gate.at_most(signal)
        row = None
        if int(at_most):
            row = self._row(persons_of(claim, self._keys), signal.speaks, at_most)
        return row, gate.allow(signal, row, now)

    def _row(self, persons: Persons, state: str, wanted: Purpose) -> PersonRow | None:
        """The row that speaks for the request: the rule of `app.privacy.identity.whose` in as few reads as can be."""
        if not persons.lasting:
            return self._find(persons, persons.visit, wanted)
        if state == "session":
            visit = self._find(persons, persons.visit, wanted)
            return bound_by(visit, self._find(persons, persons.lasting, Purpose.NONE))
        row = self._find(persons, persons.lasting, wanted)
        if state or (row is not None and row.decided):
            return row
        return self._find(persons, persons.visit, wanted)

    def _find(self, persons: Persons, pseudonym: bytes | None, wanted: Purpose) -> PersonRow | None:
        """Under the current pseudonym, else under the previous epoch's, where who has not come back since still is."""
        if pseudonym is None:
            return None
        row = self._person.read(pseudonym, wanted)
        if row is None and (before := persons.before.get(pseudonym)) is not None:
            return self._person.read(before, wanted)
        return row
