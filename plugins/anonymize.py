"""Cut events off from their people before their time is over: what was done stays a while, who did it does not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from plugins.contract import hookimpl
from plugins.ladder import DataKind, Days, RetentionPolicy


@dataclass(frozen=True)
class Plugin:
    """`days = { events = 7.0 }`. Only events can be: a profile or a vault without its person is nothing."""

    days: dict[Literal["events"], Days] = field(default_factory=dict)

    @hookimpl
    def retention(self, kind: DataKind) -> RetentionPolicy | None:
        days = self.days.get("events") if kind == "events" else None
        return None if days is None else RetentionPolicy(anonymize_days=days)
