"""Tells /metrics how often each plugin was called, how long it took and how often it failed."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from plugins.manager import Plugins

LABELS = ("plugin", "hook")


class PluginCollector(Collector):
    """Reads the counts that the calls keep themselves: nothing is added to a request."""

    def __init__(self, plugins: Plugins) -> None:
        self._plugins = plugins

    def collect(self) -> Iterator[Metric]:
        calls = CounterMetricFamily("personalize_plugin_calls", "Calls of a plugin's hook.", labels=LABELS)
        failures = CounterMetricFamily("personalize_plugin_failures", "Calls that failed.", labels=LABELS)
        seconds = CounterMetricFamily("personalize_plugin_seconds", "Time spent in a plugin's hook.", labels=LABELS)
        for hook, implementations in self._plugins.calls.items():
            for call in implementations:
                labels = (call.plugin, hook)
                calls.add_metric(labels, call.calls)
                failures.add_metric(labels, call.failures)
                seconds.add_metric(labels, call.seconds)
        yield from (calls, failures, seconds)

    def describe(self) -> Iterator[Metric]:
        yield from ()
