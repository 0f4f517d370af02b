"""Writes down one simulated visit as the events the beacon would have sent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypedDict

Value = str | int | float | list[dict[str, str | int | float]]


class EventBase(TypedDict):
    id: str
    name: str
    ts: int
    page: str


class Event(EventBase, total=False):
    """One event in the wire shape of WEB.md; `ts` in milliseconds."""

    item: str
    params: dict[str, Value]


class BatchBase(TypedDict):
    v: int
    sent: int
    consent: str
    purposes: list[str]
    region: str
    locale: str
    events: list[Event]


class Batch(BatchBase, total=False):
    """One visit as `POST /v1/events` takes it. Ids are there only as far as the consent allows."""

    anon: str
    session: str


@dataclass
class Trail:
    """The events of a visit so far; `now` is its clock in epoch seconds."""

    session: str
    now: float
    page: int = 0
    events: list[Event] = field(default_factory=list)

    def open_page(self) -> None:
        """A new page view with its own id."""
        self.page += 1
        self.add("page_view")

    def add(
        self, name: str, item: str | None = None, params: dict[str, Value] | None = None, seconds: float = 0.0
    ) -> None:
        """Append an event and let `seconds` pass."""
        event = Event(
            id=f"{self.session[:16]}-{len(self.events) + 1}",
            name=name,
            ts=int(self.now * 1000),
            page=f"{self.session[:8]}.{self.page}",
        )
        if item is not None:
            event["item"] = item
        if params is not None:
            event["params"] = params
        self.events.append(event)
        self.now += 0.4 + seconds
