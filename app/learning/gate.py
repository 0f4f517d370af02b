"""Between a training and the server: a new generation is opened, judged, and only then published, or kept aside.

A refused one lies in `generations/refused/`, whole, with the reason in its card; `personalize models` lists it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from app.learning.judge import Judge, Verdict, judgement
from app.learning.judging_privately import adding_up
from app.learning.model import LearnedModel
from app.learning.private import tell_price
from plugins.calls import PluginFailed
from plugins.manager import Plugins
from store.faults import GenerationUnreadable
from store.generation import StoredGeneration, aside, current, load_generation, prune, publish, write_generation

if TYPE_CHECKING:
    from app.learning.held_out import Case
    from app.learning.train import Draft

FOR_EVERYONE = ("content.", "segments.", "popularity", "selling_now", "trending")
"""What is the same for everyone: with nothing else to serve, this much serves although the rest was refused."""


def settle(draft: Draft, generation: str, home: Path, cases: list[Case], plugins: Plugins) -> None:
    """Judge the draft, write it, publish it or set it aside; the card says what was decided and why.

    Raises GenerationUnreadable when it does not answer as it should: then nothing is written.
    """
    serving = _serving(draft)
    reason = _judge(draft, generation, home, cases, plugins, serving)
    if reason and serving is None:
        _leave_out_what_lost(draft, reason)
        reason = ""
    draft.card["refused"] = reason
    tell_price(draft)
    write_generation(aside(home) if reason else home, generation, draft.arrays, draft.files, draft.card)
    if not reason:
        publish(home, generation)
    keep = draft.config.training.keep_generations
    prune(home, keep)
    prune(aside(home), keep)


def _judge(
    draft: Draft, generation: str, home: Path, cases: list[Case], plugins: Plugins, serving: LearnedModel | None
) -> str:
    """Why it must not serve; empty when it may."""
    _check_finite(draft.arrays, home / generation)
    # Without the graphs: a scan finds the same and better, and the server probes them before it takes over.
    stored = StoredGeneration(generation, home / generation, draft.arrays, {}, draft.card)
    new = LearnedModel.load(stored, draft.catalogue, draft.config)
    try:
        verdict = judgement(Judge(draft.config, draft.catalogue, plugins), cases, new, serving, adding_up(draft))
    except PluginFailed as failed:
        return f"it could not be judged: {failed}"
    draft.card |= judged(verdict, serving.id if serving else "")
    return plugins.object_to_model(verdict.report) or ""


def judged(verdict: Verdict, against: str) -> dict[str, Any]:
    """A verdict as the card has it."""
    report = verdict.report
    figures = {"new": report.new, "popularity": report.popularity, "serving": report.serving, "error": report.error}
    rounded = {name: None if value is None else round(value, 6) for name, value in figures.items()}
    return {
        "judged": {"metric": report.metric, "people": report.people, "against": against, **rounded},
        "popularity_bias": {name: round(value, 4) for name, value in verdict.bias.items()},
    }


def _check_finite(arrays: Mapping[str, Any], where: Path) -> None:
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise GenerationUnreadable(where, f"{name} holds nan or infinity: the training went wrong, nothing changes")


def published(home: Path) -> StoredGeneration | None:
    """The published generation, as far as it can be read."""
    try:
        name = current(home)
        return None if name is None else load_generation(home, name)
    except GenerationUnreadable:
        return None


def _serving(draft: Draft) -> LearnedModel | None:
    if draft.before is None:
        return None
    try:
        return LearnedModel.load(draft.before, draft.catalogue, draft.config)
    except GenerationUnreadable:
        return None


def _leave_out_what_lost(draft: Draft, reason: str) -> None:
    """Nothing serves yet, and what was learned loses against popularity: then popularity serves."""
    draft.arrays = {name: array for name, array in draft.arrays.items() if name.startswith(FOR_EVERYONE)}
    draft.files = {name: write for name, write in draft.files.items() if name.startswith(FOR_EVERYONE)}
    draft.card["left_out"] = f"only what is the same for everyone serves: {reason}"
