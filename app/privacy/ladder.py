"""What becomes of each kind of data and when: [retention] and the retention plugins, the strictest of them."""

from __future__ import annotations

from dataclasses import dataclass

from app.config import Config
from plugins.ladder import KINDS, DataKind, RetentionPolicy
from plugins.manager import Plugins
from store.fields import FIELDS, PersonalField
from store.records import PURPOSE_NAMES, Purpose

MONTH_DAYS = 365.25 / 12


@dataclass(frozen=True)
class Kind:
    """One kind of data, as a privacy officer speaks of it."""

    what: str
    setting: str
    """What bounds its life in personalize.toml; `retention` plugins may shorten it."""


KIND: dict[DataKind, Kind] = {
    "events": Kind("what people did, under a pseudonym", "retention.raw_events_days"),
    "event ids": Kind("keyed hashes of event ids, so that a retry is not counted twice", "retention.dedup_days"),
    "visits": Kind("the visit going on", "features.idle_minutes"),
    "people": Kind("pseudonyms, decisions and preferences, from the last contact on", "retention.profile_days"),
    "vault.purchases": Kind("what people bought, encrypted", "retention.vault_days"),
    "vault.searches": Kind("what people searched, encrypted", "retention.vault_days"),
    "vault.location": Kind("where people were, encrypted", "retention.vault_days"),
    "decisions": Kind("the ledger of what was decided, sealed", "retention.consent_records_days"),
    "requests": Kind("what people asked for under their rights, from the answer on", "erasure.request_log_days"),
    "erasures": Kind("who must not come back with a late event, as a keyed hash", "pseudonyms.suppression_days"),
    "moves": Kind("who is on the way to a new number, for the moment that takes", "pseudonyms.epoch_days"),
    "aggregates": Kind("counts over many people", "retention.aggregates_months"),
}


def setting_days(config: Config, setting: str) -> float:
    """A time setting such as "retention.vault_days" or "features.idle_minutes", in days.

    Raises AttributeError for a setting there is not, KeyError for one that is no time.
    """
    section, name = setting.split(".")
    value: float = getattr(getattr(config, section), name)
    unit = {"days": 1.0, "hours": 1 / 24, "minutes": 1 / 1440, "months": MONTH_DAYS}
    return value * unit[name.rpartition("_")[2]]


def fields_of(kind: DataKind) -> list[PersonalField]:
    """The personal fields that end with a kind of data; each category of the vault has its own."""
    category = PURPOSE_NAMES.get(kind, Purpose.NONE)
    return [
        field
        for field in FIELDS
        if field.ttl_setting == KIND[kind].setting
        if not category or not field.purpose or field.purpose & category
    ]


def ladder(config: Config, plugins: Plugins) -> dict[DataKind, RetentionPolicy]:
    """The policy in force of every kind; `keep_days` is never None. Raises PluginFailed."""
    policies: dict[DataKind, RetentionPolicy] = {}
    for kind in KINDS:
        # What is counted over people follows the one dial for everything learned across them.
        uncounted = kind == "events" and config.privacy.learned == "off"
        configured = RetentionPolicy(setting_days(config, KIND[kind].setting), nothing_stays=uncounted)
        policies[kind] = plugins.retention(kind, configured)
    return policies


def keep_days(policies: dict[DataKind, RetentionPolicy], kind: DataKind) -> float:
    """How long a kind is kept."""
    days = policies[kind].keep_days
    assert days is not None
    return days
