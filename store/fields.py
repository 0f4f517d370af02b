"""Every personal field there is: where it lies, what for, for how long, and where it comes from.

Export, erasure inventory, retention table and the Article 30 record are read off this list; a column that holds
something about a person and is missing here fails a test.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from store.records import Purpose

Source = Literal["event", "consent", "derived", "random"]


@dataclass(frozen=True)
class PersonalField:
    """One personal field. `table` may end in `*`, for tables made per day."""

    name: str
    file: str
    table: str
    column: str
    purpose: Purpose
    """Kept only under one of these; NONE = needed to honour the person's choices or to count an event once."""
    category: str
    """What kind of data it is, as a privacy officer names it."""
    ttl_setting: str
    """The setting in personalize.toml that bounds its life."""
    source: Source
    """`event` sent by the shop, `consent` the person's decision, `derived` from events, `random` drawn."""


_EVENT = "retention.raw_events_days"
_PROFILE = "retention.profile_days"
_SESSION = "features.idle_minutes"
_DEDUP = "retention.dedup_days"
_VAULT = "retention.vault_days"
_SUPPRESSED = "pseudonyms.suppression_days"
_REQUESTS = "erasure.request_log_days"
_LEDGER = "retention.consent_records_days"
_EPOCH = "pseudonyms.epoch_days"
_KEPT = Purpose.SESSION | Purpose.PROFILE
_LEARNED = Purpose.TRAINING
_VAULTED = Purpose.PURCHASES | Purpose.SEARCHES | Purpose.LOCATION

FIELDS: tuple[PersonalField, ...] = (
    PersonalField("map key", "person.db", "people", "key", _KEPT, "identifier", _PROFILE, "derived"),
    PersonalField("pseudonym", "person.db", "people", "pseudonym", _KEPT, "identifier", _PROFILE, "derived"),
    PersonalField("surrogate", "person.db", "people", "surrogate", _KEPT, "identifier", _PROFILE, "random"),
    PersonalField("map epoch", "person.db", "people", "epoch", _KEPT, "identifier", _PROFILE, "random"),
    PersonalField("move", "person.db", "moves", "id", _VAULTED, "identifier", _EPOCH, "random"),
    PersonalField("number left", "person.db", "moves", "old", _VAULTED, "identifier", _EPOCH, "random"),
    PersonalField("number taken", "person.db", "moves", "new", _VAULTED, "identifier", _EPOCH, "random"),
    PersonalField("categories that follow", "person.db", "moves", "categories", _VAULTED, "consent", _EPOCH, "derived"),
    PersonalField("profile key", "person.db", "profiles", "surrogate", _KEPT, "identifier", _PROFILE, "random"),
    PersonalField("consent", "person.db", "profiles", "consent", Purpose.NONE, "consent", _PROFILE, "consent"),
    PersonalField(
        "consent version", "person.db", "profiles", "consent_version", Purpose.NONE, "consent", _PROFILE, "consent"
    ),
    PersonalField("consent time", "person.db", "profiles", "consent_at", Purpose.NONE, "consent", _PROFILE, "consent"),
    PersonalField("last contact", "person.db", "profiles", "seen", _KEPT, "behaviour", _PROFILE, "event"),
    PersonalField("visit", "person.db", "profiles", "session", Purpose.SESSION, "behaviour", _SESSION, "derived"),
    PersonalField("features", "person.db", "profiles", "profile", Purpose.PROFILE, "preferences", _PROFILE, "derived"),
    PersonalField(
        "experiments", "person.db", "profiles", "experiments", Purpose.EXPERIMENTS, "behaviour", _PROFILE, "derived"
    ),
    PersonalField("objections", "person.db", "profiles", "objected", Purpose.NONE, "consent", _PROFILE, "consent"),
    PersonalField("restriction", "person.db", "profiles", "restricted", Purpose.NONE, "consent", _PROFILE, "consent"),
    PersonalField(
        "windows learned from", "person.db", "profiles", "learned_windows", _LEARNED, "consent", _PROFILE, "derived"
    ),
    PersonalField(
        "last window learned from", "person.db", "profiles", "learned_last", _LEARNED, "consent", _PROFILE, "derived"
    ),
    PersonalField("way to the ledger", "person.db", "profiles", "ledger", Purpose.NONE, "key", _PROFILE, "random"),
    *(
        PersonalField(
            f"decision's {column}", "person.db", "consent_ledger", column, Purpose.NONE, category, _LEDGER, "consent"
        )
        for column, category in (
            ("seq", "consent"),
            ("at", "consent"),
            ("commitment", "identifier"),
            ("body", "encrypted"),
            ("hash", "consent"),
        )
    ),
    *(
        PersonalField(
            f"withdrawn {column}", "person.db", "withdrawals", column, Purpose.NONE, category, _VAULT, "consent"
        )
        for column, category in (("person", "identifier"), ("categories", "consent"), ("position", "consent"))
    ),
    PersonalField("trace", "person.db", "profiles", "trace", _KEPT, "identifier", _PROFILE, "derived"),
    PersonalField(
        "erased person", "person.db", "suppressed", "key", Purpose.NONE, "identifier", _SUPPRESSED, "derived"
    ),
    PersonalField("erased at", "person.db", "suppressed", "erased_ms", Purpose.NONE, "consent", _SUPPRESSED, "consent"),
    PersonalField(
        "decided anew", "person.db", "suppressed", "lifted_ms", Purpose.NONE, "consent", _SUPPRESSED, "consent"
    ),
    PersonalField("erased until", "person.db", "suppressed", "until", Purpose.NONE, "consent", _SUPPRESSED, "derived"),
    PersonalField(
        "asked by", "person.db", "privacy_requests", "subject", Purpose.NONE, "encrypted", _REQUESTS, "event"
    ),
    PersonalField(
        "commitment to who asked",
        "person.db",
        "privacy_requests",
        "commitment",
        Purpose.NONE,
        "identifier",
        _REQUESTS,
        "derived",
    ),
    *(
        PersonalField(
            f"request {column}", "person.db", "privacy_requests", column, Purpose.NONE, "request", _REQUESTS, "consent"
        )
        for column in (
            "id",
            "kind",
            "jurisdiction",
            "state",
            "opened",
            "acknowledge_by",
            "due",
            "extended",
            "closed",
            "receipt",
        )
    ),
    PersonalField("counted event", "person.db", "seen", "id", Purpose.NONE, "identifier", _DEDUP, "derived"),
    PersonalField("counted on", "person.db", "seen", "day", Purpose.NONE, "behaviour", _DEDUP, "event"),
    PersonalField("event order", "person.db", "events_*", "seq", _KEPT, "behaviour", _EVENT, "event"),
    PersonalField("event person", "person.db", "events_*", "person", _KEPT, "identifier", _EVENT, "random"),
    PersonalField("event time", "person.db", "events_*", "at", _KEPT, "behaviour", _EVENT, "event"),
    # a click holds under `training` also what scorers had said of its list
    PersonalField("event", "person.db", "events_*", "body", _KEPT | _LEARNED, "behaviour", _EVENT, "event"),
    PersonalField("order before vault", "person.db", "sealed", "seq", _VAULTED, "behaviour", _EVENT, "event"),
    PersonalField("person before vault", "person.db", "sealed", "person", _VAULTED, "identifier", _EVENT, "random"),
    PersonalField("parts before vault", "person.db", "sealed", "parts", _VAULTED, "encrypted", _EVENT, "event"),
    PersonalField("buyer", "vault.db", "purchases", "person", Purpose.PURCHASES, "identifier", _VAULT, "random"),
    PersonalField("purchases", "vault.db", "purchases", "body", Purpose.PURCHASES, "encrypted", _VAULT, "event"),
    PersonalField("searcher", "vault.db", "searches", "person", Purpose.SEARCHES, "identifier", _VAULT, "random"),
    PersonalField("searches", "vault.db", "searches", "body", Purpose.SEARCHES, "encrypted", _VAULT, "event"),
    PersonalField("located", "vault.db", "locations", "person", Purpose.LOCATION, "identifier", _VAULT, "random"),
    PersonalField("places", "vault.db", "locations", "body", Purpose.LOCATION, "encrypted", _VAULT, "event"),
    PersonalField("key holder", "keys.db", "person_keys", "person", _VAULTED, "identifier", _VAULT, "random"),
    PersonalField("data key", "keys.db", "person_keys", "wrapped", _VAULTED, "key", _VAULT, "random"),
)

NOT_PERSONAL: frozenset[tuple[str, str]] = frozenset(
    {
        ("person.db", "event_log"),  # how long the log is
        ("person.db", "positions"),  # how far its consumers are
        ("person.db", "imports"),  # how far files were read
        ("person.db", "aggregates"),  # counts over many people
        ("person.db", "published"),
        ("person.db", "experiment_sums"),  # sums over the people of an arm
        ("person.db", "experiment_reports"),  # the same as it may be told
        ("person.db", "place_sums"),  # the same over the people who saw a pin rule's places
        ("person.db", "place_reports"),
        ("person.db", "anonymized"),  # days nobody can be found behind
        ("person.db", "sweeps"),
        ("person.db", "ledger_start"),  # where the ledger's chain begins
        ("person.db", "sagas"),  # work not finished yet, sealed under the node key
        ("vault.db", "applied"),
        ("person.db", "written_with"),  # which keys the file belongs to
        ("keys.db", "epoch_keys"),
        ("keys.db", "key_history"),  # which epochs began and ended
        ("keys.db", "rotation_asked"),
        ("keys.db", "ring"),
        ("keys.db", "secrets"),
        ("keys.db", "api_keys"),
    }
)
"""(file, table) of everything else in the files that hold people; shop.db holds none."""
