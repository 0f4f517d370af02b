"""The record of processing activities (GDPR Art. 30), made from the registry of personal fields and the settings."""

from __future__ import annotations

from collections.abc import Iterable

from app.config import Config
from app.privacy.ladder import KIND, ladder, setting_days
from plugins.manager import Plugins
from store.fields import FIELDS, PersonalField
from store.records import PURPOSE_NAMES, Purpose

_WHY = {
    "": "honouring people's own choices and counting an event once (Art. 6(1)(c), (f))",
    "session": "recommendations from this visit",
    "profile": "recommendations from earlier visits",
    "vault.purchases": "recommendations from what was bought (own opt-in)",
    "vault.searches": "recommendations from what was searched (own opt-in)",
    "vault.location": "recommendations from where one is (own opt-in)",
    "training": "learning across people",
    "experiments": "comparing experiences",
}
_SECURITY = (
    "Pseudonyms are keyed hashes under random keys that rotate; data hang on random numbers, not on pseudonyms.",
    "vault.db is encrypted with AES-256-GCM, a key per person, wrapped by the node's key in keys.db.",
    "The files are the server user's own (0600, in a folder of 0700).",
    "Deleted bytes are overwritten (SQLite secure_delete) and leave the write-ahead log.",
    "Search texts become category, brand and price affinities before anything is written.",
    "A search text itself is kept only in the vault of who opted in to that.",
    "No network address is stored; rate limits use a hash under a key that lives for a day, in memory.",
)


def record(config: Config, plugins: Plugins) -> str:
    """The whole record as Markdown. Controller and recipients that only the shop knows are left to be filled in."""
    sections = [
        f"# Record of processing activities (Art. 30 GDPR): {config.shop.name}",
        "Generated from the registry of personal fields (store/fields.py) and the settings in force.",
        "\n".join(_general(config)),
        "## Activities",
        *_activities(config),
        "## Time limits",
        _limits(config, plugins),
        "## Plugins that keep personal data",
        "\n".join(f"* {told}" for told in plugins.personal_data()) or "None.",
        "## Security measures (Art. 32)",
        "\n".join(f"* {measure}" for measure in _SECURITY),
    ]
    return "\n\n".join(sections) + "\n"


def _general(config: Config) -> list[str]:
    return [
        f"* Controller: {config.shop.name} (contact, representative, data protection officer: to be added by the shop)",
        "* Data subjects: visitors and customers of the shop",
        f"* Consent policy: version {config.consent.version}, home jurisdiction {config.consent.home}",
        "* Recipients: none; the server sends no data anywhere",
        "* Transfers to third countries: none by the server; where it runs is the shop's choice",
    ]


def _activities(config: Config) -> Iterable[str]:
    by_purpose: dict[str, list[PersonalField]] = {}
    for field in FIELDS:
        by_purpose.setdefault(", ".join(_names(field.purpose)), []).append(field)
    for names, fields in sorted(by_purpose.items()):
        why = "; ".join(_WHY[name] for name in (names.split(", ") if names else [""]))
        rows = [
            f"| {field.name} | {field.category} | {field.source} | {field.file}: {field.table}.{field.column} |"
            f" {_time(config, field.ttl_setting)} |"
            for field in fields
        ]
        head = f"### {names or 'without consent'}\n\nFor {why}.\n"
        yield "\n".join([head, "| data | category | source | where | time limit |", "|---|---|---|---|---|", *rows])


def _names(purposes: Purpose) -> list[str]:
    return [name for name, purpose in PURPOSE_NAMES.items() if purpose and purposes & purpose]


def _limits(config: Config, plugins: Plugins) -> str:
    rows = ["| kind | what | kept | then |", "|---|---|---|---|"]
    for kind, policy in ladder(config, plugins).items():
        then = "deleted"
        if policy.anonymize_days is not None:
            then = f"cut off from its person after {days_told(policy.anonymize_days)}, deleted at the end"
        if policy.aggregate_days is not None:
            then += f"; counted over at least {config.retention.people_at_least} people before"
        assert policy.keep_days is not None
        rows.append(f"| {kind} | {KIND[kind].what} | {days_told(policy.keep_days)} | {then} |")
    return "\n".join(rows)


def _time(config: Config, setting: str) -> str:
    return f"{days_told(setting_days(config, setting))} ({setting})"


def days_told(days: float) -> str:
    """A length of time as people say it."""
    for size, unit in ((1.0, "day"), (1 / 24, "hour"), (1 / 1440, "minute")):
        if days >= size:
            return f"{days / size:.4g} {unit}{'s' * (days != size)}"
    return f"{days * 86_400:.4g} seconds"
