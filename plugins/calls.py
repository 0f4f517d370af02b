"""Calls one hook of one plugin: passes the arguments it asked for, counts, times, and remembers what failed.

pluggy registers and validates; its generic dispatch (dictionaries of keyword arguments, wrappers, tracing) is left out
of the hot path: calls are made through these compiled entries, in configured order.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from operator import itemgetter
from time import perf_counter
from typing import Any

log = logging.getLogger("personalize.plugins")

# A plugin that fails on every request must not fill the disk with its traceback.
LOG_EVERY_SECONDS = 60.0


class PluginFailed(RuntimeError):
    """A hook that may not be left out failed; the message names plugin and hook, the cause is chained."""


FAILING: dict[str, str] = {
    "reject_event": "the event is refused",
    "keep": "no items are shown while it fails",
    "consent_signal": "nothing is permitted",
    "object_to_model": "the new generation does not serve",
    "retention": "nothing is swept while it fails",
    "personal_data": "what it keeps is not known",
    "person_erased": "the erasure stays open",
    "training_engine": "the training does not start",
    "background": "the process ends",
}
"""What a failure of a hook that may not be left out leads to, for the log (hookspecs.py promises it)."""


class Call:
    """One plugin's implementation of one hook."""

    __slots__ = ("_logged", "calls", "dropped_in", "failures", "function", "hook", "plugin", "seconds")

    def __init__(
        self, plugin: str, hook: str, method: Callable[..., Any], takes: Sequence[str], offered: Sequence[str], *,
        dropped_in: bool = False,
    ) -> None:  # fmt: skip
        self.plugin = plugin
        self.hook = hook
        self.dropped_in = dropped_in
        self.function = _adapted(method, takes, offered)
        self.calls = 0
        self.failures = 0
        self.seconds = 0.0
        self._logged = -LOG_EVERY_SECONDS

    def or_none(self, *arguments: object) -> Any:  # noqa: ANN401  the answer of somebody else's code is checked later
        """The result, or None (counted, logged) where the plugin failed."""
        start = perf_counter()
        self.calls += 1
        try:
            return self.function(*arguments)
        except Exception as error:  # a plugin is somebody else's code: whatever it raises, the shop gets its answer
            self.failed(error)
            return None
        finally:
            self.seconds += perf_counter() - start

    def or_raise(self, *arguments: object) -> Any:  # noqa: ANN401  as above
        """The result; raises PluginFailed (counted, logged) where the plugin failed."""
        start = perf_counter()
        self.calls += 1
        try:
            return self.function(*arguments)
        except Exception as error:
            self.failed(error)
            raise PluginFailed(f"plugins.{self.plugin}: {self.hook} failed: {error}") from error
        finally:
            self.seconds += perf_counter() - start

    def failed(self, error: Exception) -> None:
        """Count a failure, also one found in the result; its traceback goes to the log at most once a minute."""
        self.failures += 1
        now = perf_counter()
        if now - self._logged >= LOG_EVERY_SECONDS:
            self._logged = now
            log.error(
                "plugins.%s: %s failed (%d of %d calls so far); %s",
                self.plugin, self.hook, self.failures, self.calls, FAILING.get(self.hook, "it is left out"),
                exc_info=error,
            )  # fmt: skip


def _adapted(method: Callable[..., Any], takes: Sequence[str], offered: Sequence[str]) -> Callable[..., Any]:
    """`method` as a function of all offered arguments, whichever it takes."""
    if tuple(takes) == tuple(offered):
        return method
    places = [offered.index(name) for name in takes]
    if not places:
        return lambda *_: method()
    if len(places) == 1:
        (only,) = places
        return lambda *arguments: method(arguments[only])
    pick = itemgetter(*places)
    return lambda *arguments: method(*pick(arguments))
