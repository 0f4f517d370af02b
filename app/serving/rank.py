"""From proposals to a list: merge, keep, score, arrange. Pure: everything it needs is an argument."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from app.serving.placements import Placement
from plugins.contract import NO_ITEMS, Candidates, Context, Floats, Ints
from plugins.manager import Plugins
from store import loops

# So many of the best go on to be arranged: what is further behind never reaches a list.
ARRANGED_PER_SLOT = 8


@dataclass
class Ranking:
    """One list on its way, with what is needed to say why it came out so."""

    items: Ints = field(default_factory=NO_ITEMS.copy)
    """The list, best first."""
    considered: int = 0
    """Candidates before anything was taken out."""
    kept: int = 0
    filled: int = 0
    """How many of the last items only fill the list up."""
    proposals: dict[str, Ints] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)
    """What took how many candidates out: "filter", "excluded", plugin names."""
    parts: dict[str, Floats] = field(default_factory=dict)
    """Plugin -> its share of each item's score, [len(items)]."""


def rank(
    plugins: Plugins, context: Context, placement: Placement, exclude: Ints, *, proposals: int, candidates: int
) -> Ranking:
    """The list for one context. `exclude` are item numbers not to be shown.

    Raises PluginFailed when a `keep` plugin fails.
    """
    ranking = Ranking()
    ranking.proposals = plugins.retrieve(context, proposals, placement.retrieve)
    merged = merge(ranking.proposals, candidates, context)
    kept = keep(plugins, merged, context, exclude, ranking)
    if len(kept):
        total, parts = plugins.score(kept, context, placement.weights)
        _choose(plugins, kept, total, parts, context, placement, ranking)
    if len(ranking.items) < context.limit and placement.fill:
        _fill(plugins, context, placement, exclude, ranking, proposals)
    return ranking


def merge(proposals: Mapping[str, Ints], bound: int, context: Context) -> Candidates:
    """All that was proposed, each item once, at most `bound`: then the first of every retriever, then the second …"""
    lists = [items for items in proposals.values() if len(items)]
    if not lists:
        return Candidates(NO_ITEMS, context.catalogue, context.board)
    return Candidates(context.board.in_turns(lists, bound, context.catalogue.size), context.catalogue, context.board)


def keep(plugins: Plugins, candidates: Candidates, context: Context, exclude: Ints, ranking: Ranking) -> Candidates:
    """The candidates that may be shown: allowed, not excluded, passing every `keep` plugin."""
    ranking.considered += len(candidates)
    if context.allowed is not None:
        allowed = context.allowed.first(candidates.items, len(candidates))
        if len(allowed) < len(candidates):
            _note(ranking, "filter", len(candidates) - len(allowed))
            candidates = Candidates(allowed, context.catalogue, context.board)
    if len(exclude):
        out = candidates.contains(exclude)
        if out.any():
            _note(ranking, "excluded", int(np.count_nonzero(out)))
            candidates = candidates.select(~out)
    kept = plugins.keep(candidates, context, ranking.dropped)
    candidates = candidates if kept.all() else candidates.select(kept)
    ranking.kept += len(candidates)
    return candidates


def _choose(
    plugins: Plugins, kept: Candidates, total: Floats, parts: dict[str, Floats], context: Context,
    placement: Placement, ranking: Ranking,
) -> None:  # fmt: skip
    order = loops.best_places(total, ARRANGED_PER_SLOT * context.limit)
    arranged = plugins.arrange(kept.select(order), context, placement.arrange)
    chosen = order.take(arranged[: context.limit])
    ranking.items = kept.items.take(chosen)
    ranking.parts = dict(zip(parts, loops.shares(list(parts.values()), chosen), strict=True))


def _fill(
    plugins: Plugins, context: Context, placement: Placement, exclude: Ints, ranking: Ranking, proposals: int
) -> None:
    """Append what fills the list up, in the order it is proposed; it passes filter, exclusions and every `keep`."""
    missing = context.limit - len(ranking.items)
    proposed = plugins.retrieve(context, proposals, placement.fill)
    out = np.concatenate((exclude, ranking.items))
    for name in placement.fill:
        if name not in proposed or missing <= 0:
            continue
        candidates = Candidates(proposed[name], context.catalogue, context.board)
        more = keep(plugins, candidates, context, out, ranking).items[:missing]
        ranking.items = np.concatenate((ranking.items, more))
        ranking.filled += len(more)
        missing -= len(more)
        out = np.concatenate((out, more))
        ranking.proposals.setdefault(name, proposed[name])
    if ranking.filled:
        nothing = np.zeros(ranking.filled, np.float32)
        ranking.parts = {plugin: np.concatenate((part, nothing)) for plugin, part in ranking.parts.items()}


def _note(ranking: Ranking, what: str, count: int) -> None:
    ranking.dropped[what] = ranking.dropped.get(what, 0) + count
