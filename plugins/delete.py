"""Leave nothing of a kind of data when its time is over, not even a count."""

from __future__ import annotations

from dataclasses import dataclass

from plugins.contract import hookimpl
from plugins.ladder import DataKind, RetentionPolicy


@dataclass(frozen=True)
class Plugin:
    """Add "events" and nothing is counted over people at all."""

    kinds: tuple[DataKind, ...] = (
        "event ids", "visits", "people", "vault.purchases", "vault.searches", "vault.location",
    )  # fmt: skip

    @hookimpl
    def retention(self, kind: DataKind) -> RetentionPolicy | None:
        return RetentionPolicy(nothing_stays=True) if kind in self.kinds else None
