"""Refuse events no shopper makes: a thousand pieces at once, an order of a hundred thousand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from plugins.contract import hookimpl
from store.records import LoggedEvent


@dataclass(frozen=True)
class Plugin:
    """Bounds for events from browsers; what the shop's own server signs is believed."""

    quantity_at_most: Annotated[float, Meta(gt=0)] = 1000.0
    value_at_most: Annotated[float, Meta(gt=0)] = 100_000.0
    trusted_from: int = 3
    """Trust from which on an event is believed as it is (see `LoggedEvent.trust`)."""

    @hookimpl
    def reject_event(self, event: LoggedEvent) -> str | None:
        if event.trust >= self.trusted_from:
            return None
        if any(abs(line.quantity) > self.quantity_at_most for line in event.lines):
            return "implausible_quantity"
        if event.name in ("purchase", "refund") and abs(event.value) > self.value_at_most:
            return "implausible_value"
        return None
