"""The people a group of batches is about: their rows, opened once, changed in memory, written once."""

import secrets
from collections.abc import Callable, Iterable

from app.features.options import FeatureOptions
from app.features.update import AffinityNaming, apply_event, merge_extra
from app.features.visitor import read_profile, read_session, write_features
from app.ingest.incoming import Incoming
from app.ingest.renewal import Renewals
from app.privacy.choice import Told, chosen
from app.privacy.gatekeeper import ConsentSignal, Decision, Gate
from app.privacy.identity import bound_by, whose
from plugins.manager import Plugins
from store.consent_ledger import Decided, LedgerEntry
from store.records import RESTRICTED, VAULT, LoggedEvent, PersonRow, ProfileFeatures, Purpose, SessionState
from store.trace import extend, kept_days, read_trace, write_trace

_SESSION, _PROFILE, _VAULT = int(Purpose.SESSION), int(Purpose.PROFILE), int(VAULT)
_EXPERIMENTS = int(Purpose.EXPERIMENTS)


class Known:
    """One person during one transaction. Features are decoded only when an event that may change them comes."""

    __slots__ = ("_profile", "_session", "changed", "decisions", "entries", "pseudonym", "row", "withdrawn")

    def __init__(self, pseudonym: bytes, row: PersonRow) -> None:
        self.pseudonym = pseudonym
        self.row = row
        self.changed = False
        self.withdrawn = 0
        """Categories of the vault to be emptied."""
        self.decisions: list[Decided] = []
        """For the ledger."""
        self.entries: list[LedgerEntry] = []
        """Their rows in it, once they are queued."""
        self._session: SessionState | None = None
        self._profile: ProfileFeatures | None = None

    def decide(
        self,
        purposes: int,
        told: Told,
        *,
        objected: int | None = None,
        restrict: bool | None = None,
        noted: bool = True,
    ) -> None:
        """Take over what the person decided, unless a later decision is known; what it no longer allows is gone with
        this transaction (of the vault: as soon as that other file has heard of it). `objected` and `restrict`: None
        leaves them; `noted`: the ledger gets a row."""
        row = self.row
        if told.at < row.consent_at:
            return
        before = row.restricted & ~RESTRICTED if row.restricted else row.consent
        if objected is not None:
            row.objected = objected
        purposes = int(purposes) & ~row.objected
        restricted = bool(row.restricted) if restrict is None else restrict
        row.consent, row.restricted = (0, RESTRICTED | purposes) if restricted else (purposes, 0)
        row.consent_version, row.consent_at, row.seen = told.version, told.at, max(row.seen, told.at)
        self.changed = True
        if not purposes & _SESSION:
            row.session = self._session = None
        if not purposes & _PROFILE:
            row.profile = self._profile = None
        if not purposes & _EXPERIMENTS:
            row.experiments = None
        self.withdrawn |= before & ~purposes & _VAULT
        if noted:
            self.decisions.append(
                Decided(told.at, purposes, row.objected, restricted, before & ~purposes, told.version, told.region,
                        told.source, told.language)
            )  # fmt: skip

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

    def __init__(self, rows: dict[bytes, PersonRow], gatekeeper: Gate, renewals: Renewals) -> None:
        self._rows = rows
        self.renewals = renewals
        self._gatekeeper = gatekeeper
        self._known: dict[bytes, Known] = {}
        self._new: set[bytes] = set()

    def admit(self, incoming: Incoming) -> tuple[Known | None, Decision]:
        """Who the batch is about and what it may leave behind, after the decision it brings, if it brings one."""
        self.renewals.recognise(incoming, self._rows)
        if incoming.consent_update_ms is not None:
            self._update_consent(incoming, min(incoming.consent_update_ms, incoming.now_ms) // 1000)
        signal, now = incoming.signal, incoming.now_ms // 1000
        pseudonym = whose(incoming.persons, signal.speaks, self._rows)
        row = self._rows.get(pseudonym) if pseudonym else None
        lasting = self._rows.get(incoming.persons.lasting) if incoming.persons.lasting else None
        decision = self._gatekeeper.allow(signal, bound_by(row, lasting), now)
        if pseudonym is None or not decision.purposes:
            return None, decision
        person = self._person(pseudonym)
        if signal.speaks and not person.row.consent_at:
            # The first time the person says it, not only the policy. Visits are not noted: nobody could tell whose.
            changed = person.changed
            told = self._told(signal, now)._replace(version=decision.version)
            person.decide(decision.purposes, told, noted=pseudonym == incoming.persons.lasting)
            person.changed = changed
        elif row is None:
            person.row.consent, person.row.consent_version = int(decision.purposes), decision.version
        self.renewals.join(incoming, person, decision, self._gatekeeper, self)
        return person, decision

    def _update_consent(self, incoming: Incoming, at: int) -> None:
        decided = self._gatekeeper.decided(incoming.signal)
        if decided is None:
            return
        signal, persons = incoming.signal, incoming.persons
        told = self._told(signal, at)
        speaker = whose(persons, signal.speaks, self._rows)
        for pseudonym in (persons.lasting, persons.visit):
            if pseudonym is None:
                continue
            if pseudonym == speaker and (decided or pseudonym in self._rows):
                self._person(pseudonym).decide(decided, told)
            elif pseudonym in self._rows and not (signal.speaks == "granted" and pseudonym == persons.visit):
                # Who now agrees to less than before is heard under the id known before, too.
                self._person(pseudonym).decide(Purpose.NONE, told)

    def choose(self, incoming: Incoming) -> Known | None:
        """Take over a decision told on its own; whose it is, None where it names nobody.

        It is the lasting id's, or the visit's where only that is agreed to. The other row, if there is one, keeps at
        most what both grant. A no of somebody unknown is kept too: the policy might allow more without asking.
        """
        self.renewals.recognise(incoming, self._rows)
        choice, persons, signal = incoming.choice, incoming.persons, incoming.signal
        assert choice is not None
        visiting = choice.state == "session" and persons.visit is not None
        speaker = persons.visit if visiting else persons.lasting or persons.visit
        if speaker is None:
            return None
        now = incoming.now_ms // 1000
        person = self._person(speaker)
        # A clock that went back must not make a decision look older than the one before.
        told = self._told(signal, max(now, person.row.consent_at))._replace(language=choice.language)
        purposes, objected = chosen(choice, person.row, signal, self._gatekeeper, now)
        person.decide(purposes, told, objected=objected, restrict=choice.restrict)
        for pseudonym in (persons.lasting, persons.visit):
            if pseudonym is None or pseudonym == speaker or pseudonym not in self._rows:
                continue
            other = self._person(pseudonym)
            kept = 0 if visiting else purposes & (other.row.consent | (other.row.restricted & ~RESTRICTED))
            also = (other.row.objected & ~choice.yes) | choice.object_to
            other.decide(kept, told, objected=also, restrict=choice.restrict)
        return person

    def _told(self, signal: ConsentSignal, at: int) -> Told:
        return Told(at, signal.version, signal.region, signal.source)

    def stranger(self, pseudonym: bytes) -> PersonRow | None:
        """The row of somebody known to the database whom nothing else in this group is about."""
        return None if pseudonym in self._known else self._rows.get(pseudonym)

    def forget(self, pseudonym: bytes) -> None:
        """Somebody was joined to another person: whoever comes under this pseudonym is new."""
        del self._rows[pseudonym]

    def _person(self, pseudonym: bytes) -> Known:
        pseudonym = self.renewals.current(pseudonym)
        person = self._known.get(pseudonym)
        before = self.renewals.before(pseudonym)
        if person is None and before is not None:
            person = self._known.pop(before, None) or Known(pseudonym, self._rows[pseudonym])
            person.pseudonym = pseudonym
            self._known[pseudonym] = person
            self._new.add(pseudonym)
            self.renewals.renew(person)
        if person is None:
            row = self._rows.get(pseudonym)
            if row is None:
                row = self._rows[pseudonym] = PersonRow(secrets.randbits(63) or 1)
                self._new.add(pseudonym)
            person = self._known[pseudonym] = Known(pseudonym, row)
        return person

    def deciding(self) -> list[Known]:
        """Who decided something that the ledger gets."""
        return [person for person in self._known.values() if person.decisions]

    def withdrawn(self) -> dict[int, int]:
        """Surrogate -> categories of the vault to be emptied."""
        return {person.row.surrogate: person.withdrawn for person in self._known.values() if person.withdrawn}

    def changed(self) -> Iterable[Known]:
        """Whose row has to be written."""
        return (person for person in self._known.values() if person.changed)

    def new(self) -> dict[bytes, int]:
        """Pseudonym -> surrogate of those to be written for the first time."""
        return {person.pseudonym: person.row.surrogate for person in self.changed() if person.pseudonym in self._new}
