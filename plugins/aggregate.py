"""Count events over many people before they go: a day's figures are published once and outlive them."""

from __future__ import annotations

from dataclasses import dataclass

from plugins.contract import hookimpl
from plugins.ladder import DataKind, Days, RetentionPolicy


@dataclass(frozen=True)
class Plugin:
    """The thresholds are [retention]'s; nothing is counted while [privacy] learned = "off"."""

    after_days: Days = 2.0
    """How long after the end of a day it is counted: what comes later is not in the figures."""

    @hookimpl
    def retention(self, kind: DataKind) -> RetentionPolicy | None:
        return RetentionPolicy(aggregate_days=self.after_days) if kind == "events" else None
