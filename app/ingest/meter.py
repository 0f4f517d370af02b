"""Counts what became of events and how long each step took, without knowing whose they were."""

from collections.abc import Iterable, Iterator
from typing import Protocol

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from app.ingest.wire import EventResult


class Registered(Protocol):
    """What of the node's metrics this needs."""

    registry: CollectorRegistry


class IngestMeter(Collector):
    """Plain sums, turned into metrics only when somebody asks: a batch counts twenty times on its way.

    Labels are a closed set, so that no sender can make the registry grow.
    """

    def __init__(self, metrics: Registered) -> None:
        self._outcomes: dict[str, int] = {}
        self._steps: dict[str, list[float]] = {}
        self._anonymous: dict[str, int] = {}
        metrics.registry.register(self)

    def step(self, name: str, events: int, seconds: float) -> None:
        """`events` entered the step and took `seconds` together."""
        sums = self._steps.get(name)
        if sums is None:
            sums = self._steps[name] = [0, 0.0]
        sums[0] += events
        sums[1] += seconds

    def results(self, results: Iterable[EventResult]) -> None:
        """Count finished events: accepted, duplicate, or the reason they were dropped for."""
        for result in results:
            outcome = result.reason or result.status
            self._outcomes[outcome] = self._outcomes.get(outcome, 0) + 1

    def anonymous(self, name: str) -> None:
        """An event of someone who is not to be known: only that it happened."""
        self._anonymous[name] = self._anonymous.get(name, 0) + 1

    def collect(self) -> Iterator[CounterMetricFamily]:
        """The sums as they are now."""
        yield _family("events", "Events by what became of them", "outcome", self._outcomes)
        entered = {name: sums[0] for name, sums in self._steps.items()}
        yield _family("step_events", "Events that entered a step", "step", entered)
        seconds = {name: sums[1] for name, sums in self._steps.items()}
        yield _family("step_seconds", "Time spent in a step", "step", seconds)
        yield _family("anonymous_events", "Events of visitors nothing is kept of", "name", self._anonymous)


def _family(name: str, meaning: str, label: str, values: "dict[str, int] | dict[str, float]") -> CounterMetricFamily:
    family = CounterMetricFamily(f"personalize_ingest_{name}", meaning, labels=(label,))
    for value, count in values.items():
        family.add_metric((str(value),), count)
    return family
