"""Listen to Google Consent Mode v2: what its storage types deny is not done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from plugins.consent_strings import Permits
from plugins.contract import hookimpl
from store.records import PURPOSE_NAMES, Purpose

PREFIX = "gcm."


@dataclass(frozen=True)
class Plugin:
    """A purpose of ours is permitted where its storage type is `granted`; absent or any other word is a no. The vault's
    categories have to be named by the visitor all the same."""

    types: dict[str, str] = field(
        default_factory=lambda: {
            "session": "personalization_storage",
            "profile": "personalization_storage",
            "training": "analytics_storage",
            "experiments": "analytics_storage",
            "vault.purchases": "personalization_storage",
            "vault.searches": "personalization_storage",
            "vault.location": "personalization_storage",
        }
    )

    def __post_init__(self) -> None:
        unknown = [name for name in self.types if name not in PURPOSE_NAMES]
        if unknown:
            raise ValueError(f"no such purpose: {', '.join(unknown)}; there are {', '.join(PURPOSE_NAMES)}")

    @hookimpl
    def consent_signal(self, told: Mapping[str, str]) -> Permits | None:
        if not any(name.startswith(PREFIX) for name in told):
            return None
        permitted = Purpose.NONE
        for name, kind in self.types.items():
            if told.get(PREFIX + kind) == "granted":
                permitted |= PURPOSE_NAMES[name]
        return Permits(permitted)
