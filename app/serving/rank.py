"""From proposals to a list: merge, keep, score, arrange. Pure: everything it needs is an argument."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from app.serving.placements import Placement
from plugins.contract import NO_ITEMS, Candidates, Context, Floats, Ints, Mask
from plugins.manager import Plugins
from plugins.ruling import RULES_FIRST, RULES_LAST
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
    fillers: Ints = field(default_factory=NO_ITEMS.copy)
    """Those of the items that only fill the list up."""
    proposals: dict[str, Ints] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)
    """What took how many candidates out: "filter", "excluded", plugin names."""
    parts: dict[str, Floats] = field(default_factory=dict)
    """Plugin -> its share of each item's score, [len(items)]."""
    base: Floats | None = None
    """What the parts are laid over: in a search what many buy, [len(items)]."""
    candidates: Ints = field(default_factory=NO_ITEMS.copy)
    """All that were considered, before anything was taken out."""
    arranged: dict[str, Ints] = field(default_factory=dict)
    """The best-scored items in their order under "score", then as each plugin that arranged them left them."""

    @property
    def filled(self) -> int:
        """How many items only fill the list up."""
        return len(self.fillers)

    def reorder(self, order: Ints) -> None:
        """Put the list into another order, or leave some out."""
        self.items = self.items.take(order)
        self.parts = {plugin: part.take(order) for plugin, part in self.parts.items()}


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
        if context.rules.placed and ranking.filled:  # what fills a list up came behind its pins
            ranking.reorder(_held(plugins, Candidates(ranking.items, context.catalogue, context.board), context))
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
    ranking.candidates = (
        np.append(ranking.candidates, candidates.items) if len(ranking.candidates) else candidates.items
    )
    if context.allowed is not None:
        allowed = context.allowed.first(candidates.items, len(candidates))
        if len(allowed) < len(candidates):
            _note(ranking, "filter", len(candidates) - len(allowed))
        candidates = Candidates(allowed, context.catalogue, context.board, context.allowed)
    if len(exclude):
        out = candidates.contains(exclude)
        if out.any():
            _note(ranking, "excluded", int(np.count_nonzero(out)))
            candidates = candidates.select(~out)
    kept = plugins.keep(candidates, context, ranking.dropped)
    candidates = candidates if np.count_nonzero(kept) == len(kept) else candidates.select(kept)
    ranking.kept += len(candidates)
    return candidates


def _choose(
    plugins: Plugins, kept: Candidates, total: Floats, parts: dict[str, Floats], context: Context,
    placement: Placement, ranking: Ranking,
) -> None:  # fmt: skip
    order = best_and_pinned(kept, total, ARRANGED_PER_SLOT * context.limit, context)
    ranked = kept.select(order)
    ranking.arranged["score"] = ranked.items
    arranged = plugins.arrange(ranked, context, placement.arrange, steps=ranking.arranged)
    if context.rules.placed:  # before the list is cut: what is pinned behind its end does not slip into it
        arranged = arranged.take(_held(plugins, ranked.select(arranged), context))
    if RULES_FIRST in ranking.proposals:
        others = [items for name, items in ranking.proposals.items() if name != RULES_FIRST]
        arranged = arranged.compress(wanted(ranked.items.take(arranged), others, context, ranking.proposals))
    chosen = order.take(arranged[: context.limit])
    ranking.items = kept.items.take(chosen)
    ranking.parts = dict(zip(parts, loops.shares(list(parts.values()), chosen), strict=True))


def wanted(items: Ints, others: Sequence[Ints], context: Context, proposals: Mapping[str, Ints]) -> Mask:
    """Which items belong into the list: all but those that a pin by attribute brought in to choose from and did not
    take; `others` are what was found for other reasons."""
    brought = proposals.get(RULES_FIRST)
    if brought is None or not len(brought):
        return np.ones(len(items), np.bool_)
    left = brought[[item not in context.rules.placed for item in brought.tolist()]]
    return ~np.isin(items, left[~np.isin(left, np.concatenate(others))] if others else left)


def _held(plugins: Plugins, ranked: Candidates, context: Context) -> Ints:
    """The order in which hard pins have their places back from whoever arranged the list after them."""
    return plugins.arrange(ranked, context, (RULES_LAST,), dropped_in=False)


def best_and_pinned(kept: Candidates, total: Floats, most: int, context: Context) -> Ints:
    """Where the `most` best candidates stand, best first, and of the others what a rule wants to pin."""
    pins = context.rules.pins
    if not pins or len(kept) <= most:
        return loops.best_places(total, most)
    order = loops.best_places(total, len(kept))
    rest = order[most:]
    behind = kept.items.take(rest)
    wanted = np.isin(behind, [pin.item for pin in pins])
    for pin in pins:
        if pin.mask is not None:
            wanted[np.flatnonzero(pin.mask.take(behind))[: len(pins)]] = True
    return np.concatenate((order[:most], rest[wanted])).astype(np.int32)


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
        ranking.fillers = np.concatenate((ranking.fillers, more))
        missing -= len(more)
        out = np.concatenate((out, more))
        ranking.proposals.setdefault(name, proposed[name])
    if ranking.filled:
        nothing = np.zeros(ranking.filled, np.float32)
        ranking.parts = {plugin: np.concatenate((part, nothing)) for plugin, part in ranking.parts.items()}


def _note(ranking: Ranking, what: str, count: int) -> None:
    ranking.dropped[what] = ranking.dropped.get(what, 0) + count
