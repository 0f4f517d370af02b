"""Counts what became of events and how long each step took, without knowing whose they were."""

from collections import Counter as Tally
from collections.abc import Iterable
from typing import Protocol

from prometheus_client import Counter

from app.ingest.wire import EventResult


class Counters(Protocol):
    """What of the node's metrics this needs."""

    def counter(self, name: str, meaning: str, labels: tuple[str, ...] = ()) -> Counter: ...


class IngestMeter:
    """Counters of one node's ingest; labels are a closed set, so that no sender can make the registry grow."""

    def __init__(self, metrics: Counters) -> None:
        self._events = metrics.counter("ingest_events", "Events by what became of them", ("outcome",))
        self._seen = metrics.counter("ingest_step_events", "Events that entered a step", ("step",))
        self._seconds = metrics.counter("ingest_step_seconds", "Time spent in a step", ("step",))
        self._anonymous = metrics.counter("ingest_anonymous_events", "Events of visitors nothing is kept of", ("name",))
        self._outcomes: dict[str, Counter] = {}
        self._steps: dict[str, tuple[Counter, Counter]] = {}

    def step(self, name: str, events: int, seconds: float) -> None:
        """`events` entered the step and took `seconds` together."""
        found = self._steps.get(name)
        if found is None:
            found = self._steps[name] = (self._seen.labels(name), self._seconds.labels(name))
        found[0].inc(events)
        found[1].inc(seconds)

    def results(self, results: Iterable[EventResult]) -> None:
        """Count finished events: accepted, duplicate, or the reason they were dropped for."""
        for outcome, count in Tally(result.reason or result.status for result in results).items():
            counter = self._outcomes.get(outcome)
            if counter is None:
                counter = self._outcomes[outcome] = self._events.labels(outcome)
            counter.inc(count)

    def anonymous(self, name: str) -> None:
        """An event of someone who is not to be known: only that it happened."""
        self._anonymous.labels(name).inc()
