"""The plugins that are on: calls every hook in configured order and holds each failure to what the hook promises."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pluggy

from plugins import hookspecs
from plugins.answers import WrongAnswer, checked_items, checked_order, checked_scores, shape_of
from plugins.calls import Call, PluginFailed
from plugins.consent_strings import NOTHING, Permits
from plugins.consent_strings import strictest as strictest_of
from plugins.contract import Candidates, Context, Floats, Ints, Mask
from plugins.engine import EngineSetup, TrainingEngine
from plugins.judgement import Judgement
from plugins.ladder import DataKind, RetentionPolicy, strictest
from plugins.loading import Found, PluginProblems, did_you_mean, find_plugin, first_line, options_of
from plugins.verify import hook_arguments, register, verify_hooks
from store import loops
from store.records import LoggedEvent, ProfileFeatures, Purpose

Job = Callable[[], Coroutine[Any, Any, None]]


@dataclass(frozen=True)
class PluginDescription:
    """One line of `personalize plugins`."""

    name: str
    summary: str
    file: str
    shipped: bool
    options: dict[str, object]
    hooks: tuple[str, ...]


def load_plugins(tables: Mapping[str, object], folder: Path | None) -> Plugins:
    """The plugins of `[plugins.NAME]` tables, in their order; drop-in modules come from `folder`.

    Raises PluginProblems with everything that is wrong, each with its TOML path.
    """
    problems: list[str] = []
    hooks = hook_arguments()
    found: list[Found] = []
    for name, table in tables.items():
        plugin = find_plugin(name, table, folder, problems)
        if plugin is not None:
            wrong = verify_hooks(plugin, hooks)
            problems += wrong
            if not wrong:
                found.append(plugin)
    if problems:
        raise PluginProblems(problems)
    return Plugins(found)


class Plugins:
    """Every hook as a method. Where a hook's failure policy is "left out and counted", these never raise."""

    def __init__(self, found: Sequence[Found] = ()) -> None:
        self.found = tuple(found)
        manager = pluggy.PluginManager("personalize")
        manager.add_hookspecs(hookspecs)
        register(manager, list(found))
        dropped_in = {plugin.name for plugin in found if plugin.dropped_in}
        self.calls: dict[str, list[Call]] = {
            hook: [
                Call(
                    implementation.plugin_name, hook, implementation.function, implementation.argnames, offered,
                    dropped_in=implementation.plugin_name in dropped_in,
                )
                for implementation in reversed(getattr(manager.hook, hook).get_hookimpls())
            ]
            for hook, offered in hook_arguments().items()
        }  # fmt: skip
        self._reasons = {
            plugin.name: getattr(type(plugin.plugin), "reason", None) or (plugin.name, "") for plugin in found
        }

    def names(self, hook: str) -> list[str]:
        """The plugins that implement a hook, in the order they are called."""
        return [call.plugin for call in self.calls[hook]]

    def reason(self, plugin: str) -> tuple[str, str]:
        """What a shopper may be told where this plugin speaks for an item: a code and a sentence. `{anchor}` in the
        sentence stands for the title of the item that led there; the class says `reason = (code, sentence)`."""
        return self._reasons.get(plugin, (plugin, ""))

    # ---- serving

    def retrieve(
        self, context: Context, limit: int, names: Collection[str] | None = None, *, dropped_in: bool = True
    ) -> dict[str, Ints]:
        """What each retriever proposes, plugin -> item numbers, best first. Of those that ship, only `names` are asked
        (None: all); those dropped in are always asked, but where they are not to be."""
        proposals: dict[str, Ints] = {}
        for call in self.calls["retrieve"]:
            if names is None or (call.dropped_in and dropped_in) or call.plugin in names:
                items = call.or_none(context, limit)
                if items is not None and (items := checked_items(call, items, context.catalogue.size)) is not None:
                    proposals[call.plugin] = items[:limit]
        return proposals

    def keep(self, candidates: Candidates, context: Context, dropped: dict[str, int] | None = None) -> Mask:
        """Which candidates every plugin lets through, [n]. `dropped` adds up how many each one took out.

        Raises PluginFailed when a plugin fails or answers with anything but a mask: rules fail closed.
        """
        kept: Mask | None = None
        count = len(candidates)
        if not count:  # an array made of nothing is no boolean one: a trap for plugins, and nothing to ask
            return np.ones(0, np.bool_)
        for call in self.calls["keep"]:
            mask = call.or_raise(candidates, context)
            if mask is None:
                continue
            if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.shape != (count,):
                wrong = WrongAnswer(f"keep must answer a boolean mask of {count}, got {shape_of(mask)}")
                call.failed(wrong)
                raise PluginFailed(f"plugins.{call.plugin}: {wrong}")
            if dropped is not None:
                out = count - int(np.count_nonzero(mask))
                dropped[call.plugin] = dropped.get(call.plugin, 0) + out
            kept = mask if kept is None else kept & mask
        return np.ones(count, np.bool_) if kept is None else kept

    def score(
        self, candidates: Candidates, context: Context, weights: Mapping[str, float]
    ) -> tuple[Floats, dict[str, Floats]]:
        """The weighted sum of all scorers, [n], and each one's share of it. A scorer that `weights` does not name
        counts 1 when it was dropped in and is not asked when it ships with the program."""
        total = np.zeros(len(candidates), np.float32)
        parts: dict[str, Floats] = {}
        for call in self.calls["score"]:
            weight = weights.get(call.plugin, 1.0 if call.dropped_in else 0.0)
            if weight == 0:
                continue
            scores = call.or_none(candidates, context)
            if scores is None:
                continue
            if checked_scores(call, scores, len(candidates)):
                parts[call.plugin] = loops.weighed(scores, weight, total)
        # The sum is finite only if every part is (or is so large that no score would be).
        if len(total) and not math.isfinite(total.sum()):
            return self._without_broken(parts, len(total))
        return total, parts

    def _without_broken(self, parts: dict[str, Floats], length: int) -> tuple[Floats, dict[str, Floats]]:
        whole = {plugin: part for plugin, part in parts.items() if np.isfinite(part).all()}
        for call in self.calls["score"]:
            if call.plugin in parts and call.plugin not in whole:
                call.failed(WrongAnswer("score answered numbers that are not finite"))
        return sum(whole.values(), np.zeros(length, np.float32)), whole

    def arrange(
        self, ranked: Candidates, context: Context, names: Sequence[str] | None = None, *,
        dropped_in: bool = True, steps: dict[str, Ints] | None = None,
    ) -> Ints:  # fmt: skip
        """The final order as positions into `ranked`: of those that ship `names` in their order (None: all), then
        those dropped in, unless they are not to be asked. `steps` is given the items as each plugin left them that
        changed something."""
        order: Ints | None = None
        now = ranked
        for call in self._arrangers(names, dropped_in):
            positions = call.or_none(now, context)
            if positions is not None and checked_order(call, positions, len(now)):
                order = positions if order is None else order[positions]
                now = ranked.select(order)
                if steps is not None:
                    steps[call.plugin] = now.items
        return np.arange(len(ranked), dtype=np.int32) if order is None else order.astype(np.int32, copy=False)

    def served(self, context: Context, items: Ints) -> None:
        """Tell all observers what was answered."""
        for call in self.calls["served"]:
            call.or_none(context, items)

    # ---- events

    def reject_event(self, event: LoggedEvent) -> str | None:
        """The first reason not to keep an event; a plugin that fails refuses it."""
        for call in self.calls["reject_event"]:
            try:
                reason = call.or_raise(event)
            except PluginFailed:
                return f"plugin_failed:{call.plugin}"
            if reason is not None:
                return str(reason)
        return None

    def update_features(self, features: ProfileFeatures, event: LoggedEvent) -> dict[str, float]:
        """New values for `features.extra`, "plugin.name" -> value. To be called under the profile purpose only."""
        changes: dict[str, float] = {}
        for call in self.calls["update_features"]:
            found = call.or_none(features, event)
            if not found:
                continue
            try:
                changes |= {f"{call.plugin}.{name}": float(value) for name, value in found.items()}
            except (AttributeError, TypeError, ValueError) as error:
                call.failed(error)
        return changes

    def event_stored(self, event: LoggedEvent) -> None:
        """Tell all observers of a committed event."""
        for call in self.calls["event_stored"]:
            call.or_none(event)

    # ---- privacy and the node

    def consent_signal(self, told: Mapping[str, str]) -> tuple[Purpose | None, bool]:
        """(what all consent strings permit, None where none came; whether one carries a general no such as GPC).

        What a plugin fails on permits nothing.
        """
        answers: list[Permits] = []
        for call in self.calls["consent_signal"]:
            try:
                answer = call.or_raise(told)
            except PluginFailed:
                answer = NOTHING
            if isinstance(answer, Permits):
                answers.append(answer)
            elif answer is not None:
                call.failed(WrongAnswer(f"consent_signal must answer Permits, got {shape_of(answer)}"))
                answers.append(NOTHING)
        return strictest_of(answers)

    def object_to_model(self, report: Judgement) -> str | None:
        """The first reason why a new generation must not serve; a plugin that fails is one."""
        for call in self.calls["object_to_model"]:
            try:
                reason = call.or_raise(report)
            except PluginFailed as failed:
                return str(failed)
            if reason is not None:
                return f"plugins.{call.plugin}: {reason}"
        return None

    def retention(self, kind: DataKind, configured: RetentionPolicy) -> RetentionPolicy:
        """The strictest of what is configured and what every plugin says of a kind of data; raises PluginFailed."""
        policies = [configured]
        for call in self.calls["retention"]:
            policy = call.or_raise(kind)
            if isinstance(policy, RetentionPolicy):
                policies.append(policy)
            elif policy is not None:
                wrong = WrongAnswer(f"retention must answer a RetentionPolicy, got {shape_of(policy)}")
                call.failed(wrong)
                raise PluginFailed(f"plugins.{call.plugin}: {wrong}")
        return strictest(policies)

    def personal_data(self) -> list[str]:
        """Everything plugins keep about people, "plugin: what" each. Raises PluginFailed."""
        return [f"{call.plugin}: {what}" for call in self.calls["personal_data"] for what in call.or_raise()]

    def person_erased(self, person: int) -> int:
        """Entries deleted by all plugins; raises PluginFailed, and the erasure stays open."""
        return sum(int(call.or_raise(person)) for call in self.calls["person_erased"])

    def training_engine(self, name: str, setup: EngineSetup) -> TrainingEngine:
        """The engine of the plugin with this name; raises PluginFailed."""
        for call in self.calls["training_engine"]:
            if call.plugin == name:
                engine = call.or_raise(setup)
                if callable(getattr(engine, "map_merge", None)) and callable(getattr(engine, "close", None)):
                    made: TrainingEngine = engine
                    return made
                wrong = WrongAnswer(f"training_engine must answer map_merge and close, got {shape_of(engine)}")
                call.failed(wrong)
                raise PluginFailed(f"plugins.{name}: {wrong}")
        raise PluginFailed(self.wrong_engine(name))

    def wrong_engine(self, name: str) -> str:
        """What is to be said of an engine's name; empty when a plugin that is on has it."""
        known = self.names("training_engine")
        if name in known:
            return ""
        near = did_you_mean(name, known) if known else "; switch process_pool on"
        return f"training.engine: no plugin '{name}' that is on gives a training engine{near}"

    def background(self, node: object) -> list[Job]:
        """Coroutine functions to run beside the server; raises PluginFailed."""
        return [job for call in self.calls["background"] for job in call.or_raise(node)]

    def describe(self) -> list[PluginDescription]:
        """All that is on, in configured order, for `personalize plugins`."""
        return [
            PluginDescription(
                found.name,
                first_line(found.module),
                found.module.__file__ or "",
                not found.dropped_in,
                {option.name: getattr(found.plugin, option.name) for option in options_of(type(found.plugin))},
                tuple(hook for hook, calls in self.calls.items() if any(call.plugin == found.name for call in calls)),
            )
            for found in self.found
        ]

    def _arrangers(self, names: Sequence[str] | None, dropped_in: bool) -> list[Call]:
        calls = self.calls["arrange"]
        if names is None:
            return calls
        by_name = {call.plugin: call for call in calls}
        others = [call for call in calls if call.dropped_in and call.plugin not in names] if dropped_in else []
        return [by_name[name] for name in names if name in by_name] + others
