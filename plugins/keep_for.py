"""Keep a kind of data for so many days at most, where that is shorter than [retention] says."""

from __future__ import annotations

from dataclasses import dataclass, field

from plugins.contract import hookimpl
from plugins.ladder import DataKind, Days, RetentionPolicy


@dataclass(frozen=True)
class Plugin:
    """`days = { events = 14.0, "vault.searches" = 90.0 }`; a longer time than another policy's changes nothing."""

    days: dict[DataKind, Days] = field(default_factory=dict)

    @hookimpl
    def retention(self, kind: DataKind) -> RetentionPolicy | None:
        days = self.days.get(kind)
        return None if days is None else RetentionPolicy(keep_days=days)
