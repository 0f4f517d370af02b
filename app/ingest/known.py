"""The people a group of batches is about: their rows, opened once, changed in memory, written once."""

import secrets
from collections.abc import Callable, Iterable

from app.features.options import FeatureOptions
from app.features.update import AffinityNaming, apply_event, merge_extra
from app.features.visitor import read_profile, read_session, write_features
from app.ingest.incoming import Incoming
from app.privacy.gatekeeper import Decision, Gate
from app.privacy.identity import whose
from plugins.manager import Plugins
from store.records import LoggedEvent, PersonRow, ProfileFeatures, Purpose, SessionState
from store.trace import extend, kept_days, read_trace, write_trace

_SESSION, _PROFILE = int(Purpose.SESSION), int(Purpose.PROFILE)


class Known:
    """One person during one transaction. Features are decoded only when an event that may change them comes."""

    __slots__ = ("_profile", "_session", "changed", "pseudonym", "row")

    def __init__(self, pseudonym: bytes, row: PersonRow) -> None:
        self.pseudonym = pseudonym
        self.row = row
        self.changed = False
        self._session: SessionState | None = None
        self._profile: ProfileFeatures | None = None

    def decide(self, purposes: Purpose, version: str, at: int) -> None:
        """Take over the person's decision of `at` (epoch seconds), unless a later one is known; what it no longer
        allows is gone with this transaction."""
        if at < self.row.consent_at:
            return
        self.changed = True
        self.row.consent, self.row.consent_version, self.row.consent_at = int(purposes), version, at
        if not purposes & _SESSION:
            self.row.session = self._session = None
        if not purposes & _PROFILE:
            self.row.profile = self._profile = None

    def learn(self, event: LoggedEvent, catalogue: AffinityNaming, plugins: Plugins, options: FeatureOptions) -> None:
        """Change the features by an event, as far as its purposes allow."""
        self.changed = True
        self.row.seen = max(self.row.seen, event.at_ms // 1000)
        if event.purposes & _SESSION and self._session is None:
            self._session = read_session(self.row.session)
        if event.purposes & _PROFILE and self._profile is None:
            self._profile = read_profile(self.row.profile)
        apply_event(self._session or SessionState(), self._profile or ProfileFeatures(), event, catalogue, options)
        if self._profile is not None and event.purposes & _PROFILE:
            changes = plugins.update_features(self._profile, event)
            if changes:
                merge_extra(self._profile, changes, options)

    def trace(self, rows: Iterable[tuple[int, int]], oldest_day: int, days: Callable[[], set[int]]) -> None:
        """Note where in the log (day, sequence number) the person's new rows lie; days that are gone leave."""
        runs = extend(kept_days(read_trace(self.row.trace), oldest_day, days), rows)
        self.row.trace = write_trace(runs)

    def written(self) -> PersonRow:
        """The row as it is to be stored."""
        if self._session is not None:
            self.row.session = write_features(self._session)
        if self._profile is not None:
            self.row.profile = write_features(self._profile)
        return self.row


class People:
    """Everyone a group is about, the new ones included."""

    def __init__(self, rows: dict[bytes, PersonRow], gatekeeper: Gate) -> None:
        self._rows = rows
        self._gatekeeper = gatekeeper
        self._known: dict[bytes, Known] = {}
        self._new: set[bytes] = set()

    def admit(self, incoming: Incoming) -> tuple[Known | None, Decision]:
        """Who the batch is about and what it may leave behind, after the decision it brings, if it brings one."""
        if incoming.consent_update_ms is not None:
            self._update_consent(incoming, min(incoming.consent_update_ms, incoming.now_ms) // 1000)
        signal, now = incoming.signal, incoming.now_ms // 1000
        pseudonym = whose(incoming.persons, signal.state, self._rows)
        row = self._rows.get(pseudonym) if pseudonym else None
        decision = self._gatekeeper.allow(signal, row, now)
        if pseudonym is None or not decision.purposes:
            return None, decision
        person = self._person(pseudonym)
        if signal.state and not person.row.consent_at:
            # The first time the person says it, not only the policy.
            changed = person.changed
            person.decide(decision.purposes, decision.version, now)
            person.changed = changed
        elif row is None:
            person.row.consent, person.row.consent_version = int(decision.purposes), decision.version
        return person, decision

    def _update_consent(self, incoming: Incoming, at: int) -> None:
        decided = self._gatekeeper.decided(incoming.signal)
        if decided is None:
            return
        signal, persons = incoming.signal, incoming.persons
        speaker = whose(persons, signal.state, self._rows)
        for pseudonym in (persons.lasting, persons.visit):
            if pseudonym is None:
                continue
            if pseudonym == speaker and (decided or pseudonym in self._rows):
                self._person(pseudonym).decide(decided, signal.version, at)
            elif pseudonym in self._rows and not (signal.state == "granted" and pseudonym == persons.visit):
                # Who now agrees to less than before is heard under the id known before, too.
                self._person(pseudonym).decide(Purpose.NONE, signal.version, at)

    def _person(self, pseudonym: bytes) -> Known:
        person = self._known.get(pseudonym)
        if person is None:
            row = self._rows.get(pseudonym)
            if row is None:
                row = self._rows[pseudonym] = PersonRow(secrets.randbits(63) or 1)
                self._new.add(pseudonym)
            person = self._known[pseudonym] = Known(pseudonym, row)
        return person

    def changed(self) -> Iterable[Known]:
        """Whose row has to be written."""
        return (person for person in self._known.values() if person.changed)

    def new(self) -> dict[bytes, int]:
        """Pseudonym -> surrogate of those to be written for the first time."""
        return {person.pseudonym: person.row.surrogate for person in self.changed() if person.pseudonym in self._new}
