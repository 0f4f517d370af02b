"""Numbers an operator watches: counters and timings of one node, read at /metrics."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

# Seconds; an answer is expected within a few milliseconds.
_BUCKETS = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.007, 0.01, 0.015, 0.03, 0.1, 0.5, 2.0)


class Metrics:
    """The node's own registry, so that several nodes can live in one process. Asking twice gives the same metric."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=True)
        self._made: dict[str, Counter | Gauge | Histogram] = {}

    def counter(self, name: str, meaning: str, labels: Sequence[str] = ()) -> Counter:
        made = self._made.get(name)
        if made is None:
            made = self._made[name] = Counter(f"personalize_{name}", meaning, labels, registry=self.registry)
        assert isinstance(made, Counter)
        return made

    def gauge(self, name: str, meaning: str, labels: Sequence[str] = ()) -> Gauge:
        made = self._made.get(name)
        if made is None:
            made = self._made[name] = Gauge(f"personalize_{name}", meaning, labels, registry=self.registry)
        assert isinstance(made, Gauge)
        return made

    def histogram(self, name: str, meaning: str, labels: Sequence[str] = ()) -> Histogram:
        made = self._made.get(name)
        if made is None:
            made = self._made[name] = Histogram(
                f"personalize_{name}", meaning, labels, registry=self.registry, buckets=_BUCKETS
            )
        assert isinstance(made, Histogram)
        return made

    def text(self) -> bytes:
        """Prometheus' text format."""
        return generate_latest(self.registry)
