"""Every hook of personalize: a signature, one sentence, how results combine, what happens on failure.

Hooks on the hot path are synchronous and vectorised: arrays in, arrays out, once per request, never per candidate. A
hook may be implemented with any subset of its arguments, by name. Those answering None have no opinion.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from plugins.consent_strings import Permits
from plugins.contract import Candidates, Context, Floats, Ints, Mask, hookspec
from plugins.engine import EngineSetup, TrainingEngine
from plugins.judgement import Judgement
from plugins.ladder import DataKind, RetentionPolicy
from store.records import LoggedEvent, ProfileFeatures


@hookspec(firstresult=True)
def reject_event(event: LoggedEvent) -> str | None:
    """Say why an event must not be kept, or None.

    Combine: first result.
    On failure: the event is refused.
    """


@hookspec
def update_features(features: ProfileFeatures, event: LoggedEvent) -> dict[str, float] | None:
    """New values of this plugin's own features of a visitor, by short name; called only under the `profile` purpose.

    Combine: merged in configured order, kept in `features.extra` as "plugin.name".
    On failure: the plugin is left out and counted.
    """


@hookspec
def retrieve(context: Context, limit: int) -> Ints | None:
    """Propose up to `limit` item numbers worth considering, best first.

    Combine: union.
    On failure: the plugin is left out and counted.
    """


@hookspec
def keep(candidates: Candidates, context: Context) -> Mask | None:
    """Say which candidates may be shown at all, as a boolean mask of len(candidates).

    Combine: AND.
    On failure: raises, and the shop gets no items and the strategy `fallback`: rules fail closed.
    """


@hookspec
def score(candidates: Candidates, context: Context) -> Floats | None:
    """Say how good each candidate is: len(candidates) finite floats, higher is better, about -1..1.

    Combine: weighted sum by the placement's weights, the parts kept to answer "why".
    On failure: the plugin is left out and counted.
    """


@hookspec
def arrange(ranked: Candidates, context: Context) -> Ints | None:
    """Give a new order of the ranked candidates as distinct positions into `ranked`; it may leave some out.

    Combine: one after the other in the placement's order.
    On failure: the plugin is left out and counted.
    """


@hookspec
def served(context: Context, items: Ints) -> None:
    """Hear which item numbers were answered, in their order.

    Combine: all are told.
    On failure: the plugin is left out and counted.
    """


@hookspec
def event_stored(event: LoggedEvent) -> None:
    """Hear about an event after its commit.

    Combine: all are told.
    On failure: the plugin is left out and counted.
    """


@hookspec
def consent_signal(told: Mapping[str, str]) -> Permits | None:
    """Say what a consent string of another format permits, by its name (`tcf`, `gpp`, `gcm.<type>`); None: it did not
    come.

    Combine: only what all of them permit.
    On failure: nothing is permitted, and it is counted.
    """


@hookspec(firstresult=True)
def object_to_model(report: Judgement) -> str | None:
    """Say why a newly trained generation must not serve, or None; asked after every training, before it is published.

    Combine: first result.
    On failure: it does not serve; the one before it keeps serving.
    """


@hookspec
def retention(kind: DataKind) -> RetentionPolicy | None:
    """Say how long a kind of data is kept and what becomes of it then; asked at the start and before every sweep.

    Combine: the strictest wins, [retention] included: the earliest day of each step, no counting where one objects.
    On failure: raises; the node does not start, or its sweep stops and /readyz says so.
    """


@hookspec
def personal_data() -> Sequence[str]:
    """Name the tables, files and in-memory collections in which the plugin keeps anything about a person.

    Combine: concatenated into the erasure inventory.
    On failure: raises; a plugin that has only one of `personal_data` and `person_erased` is not loaded.
    """


@hookspec
def person_erased(person: int) -> int:
    """Delete what the plugin keeps about a person and return how many entries that were.

    Combine: all, summed.
    On failure: the erasure stays open and is tried again.
    """


@hookspec(firstresult=True)
def training_engine(config: EngineSetup) -> TrainingEngine | None:
    """Give what computes a training's sums over people, shard by shard (plugins/engine.py says what it promises).

    Combine: by name: only the plugin that `[training] engine` names is asked.
    On failure: raises; the training does not start.
    """


@hookspec
def background(node: Any) -> Sequence[Any]:
    """Give coroutine functions without arguments, to be run beside the server.

    Combine: concatenated.
    On failure: the process ends loudly.
    """
