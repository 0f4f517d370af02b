"""Judges a generation by what people did last: the product's own lists for them, against the serving one's.

Every person is one row of figures in 0..1, so one person moves a sum by at most 1 whatever they did.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from app.config import Config
from app.learning.evaluation import ndcg
from app.learning.held_out import Case
from app.learning.model import LearnedModel
from app.serving.allowed import AllowedItems
from app.serving.placements import Placement, placements_of
from app.serving.rank import rank
from plugins.contract import NO_ITEMS, Board, Context, Floats, Ints, Visitor
from plugins.judgement import Judgement
from plugins.manager import Plugins
from store.catalogue import Catalogue
from store.records import Purpose

DAY = 86_400.0
PLACEMENT = "home"
Figures = NDArray[np.float64]
AddUp = Callable[[Figures], tuple[Figures, float]]
"""Sums of rows of figures, [cases, n] → [n], and the noise in each."""
_LIGHT = 0.25
"""What is told besides the differences is told less exactly: noise is for the longest row, and they decide."""
LONGEST_ROW = float(np.sqrt(4 * _LIGHT**2 + 2))


@dataclass(frozen=True)
class Judge:
    """What the lists are made with."""

    config: Config
    catalogue: Catalogue
    plugins: Plugins

    @property
    def placement(self) -> Placement:
        return placements_of(self.config.placements)[PLACEMENT]

    @property
    def metric(self) -> str:
        return f"NDCG@{self.placement.limit}"

    def figures(self, model: LearnedModel, cases: Sequence[Case], common: Floats) -> Figures:
        """How well each person's list was guessed, and how common what it shows is (the mean of `common`, [items]):
        both 0..1, [cases, 2]."""
        placement, board = self.placement, Board()
        allowed = AllowedItems(self.catalogue, 1).of("", placement.filter)
        found = []
        for case in cases:
            context = Context(
                now=case.at, placement=placement.name, limit=placement.limit, catalogue=self.catalogue, model=model,
                visitor=self._visitor(case), allowed=allowed, board=board,
            )  # fmt: skip
            serving = self.config.serving
            ranking = rank(
                self.plugins, context, placement, NO_ITEMS, proposals=serving.proposals, candidates=serving.candidates
            )
            gain = ndcg(ranking.items.tolist(), case.wanted.tolist(), placement.limit)
            found.append((gain, float(common[ranking.items].mean()) if len(ranking.items) else 0.0))
        return np.array(found, np.float64).reshape(-1, 2)

    def popular(self, model: LearnedModel, cases: Sequence[Case]) -> Figures:
        """The same for the one list of what most people bought, [cases]."""
        limit = self.placement.limit
        best: Ints = NO_ITEMS
        popularity = model.popularity("")
        if popularity is not None:
            allowed = AllowedItems(self.catalogue, 1).of("", self.placement.filter)
            order = np.argsort(-popularity, kind="stable").astype(np.int32)
            best = allowed.first(order[popularity[order] > 0], limit)
        ranked = best.tolist()
        return np.array([ndcg(ranked, case.wanted.tolist(), limit) for case in cases], np.float64)

    def _visitor(self, case: Case) -> Visitor:
        """The person as the server would know them when they came back: their past, faded to then."""
        past, features = case.past, self.config.features
        half_life = np.where(past.bought, features.purchase_half_life_days, features.half_life_days) * DAY
        ago = np.maximum(case.at - past.at, 0)
        faded = (past.weight * np.exp2(-ago / half_life)).astype(np.float32)
        items, where = np.unique(past.item, return_inverse=True)
        weights = np.bincount(where, faded).astype(np.float32)
        seen = np.full(len(items), np.inf)
        np.minimum.at(seen, where, ago)
        buys, places = np.unique(past.item[past.bought], return_inverse=True)
        last = np.full(len(buys), np.inf)
        np.minimum.at(last, places, ago[past.bought])
        affinities: dict[str, float] = {}
        for item, weight in zip(past.item[~past.bought].tolist(), faded[~past.bought].tolist(), strict=True):
            for key in self.catalogue.affinity_keys(item):
                affinities[key] = affinities.get(key, 0.0) + weight
        return Visitor(
            purposes=Purpose.SESSION | Purpose.PROFILE | Purpose.PURCHASES,
            history=items.astype(np.int32), weights=weights, seen_at=seen.astype(np.float32),
            bought=buys.astype(np.int32), bought_times=np.bincount(places, minlength=len(buys)).astype(np.float32),
            bought_ago=last.astype(np.float32), affinities=affinities,
        )  # fmt: skip


def reachable(cases: Sequence[Case], catalogue: Catalogue) -> list[Case]:
    """Those who wanted something that may be shown: what is sold out since is nobody's fault."""
    found = []
    for case in cases:
        wanted = case.wanted[catalogue.servable[case.wanted]]
        if len(wanted):
            found.append(Case(case.past, wanted, case.at))
    return found


@dataclass(frozen=True)
class Verdict:
    """The report plugins are asked about, and how far the lists lean to what is bought by many anyway."""

    report: Judgement
    bias: dict[str, float]
    """Mean percentile of popularity (1: the most popular item) of what is shown, by "new" and "serving", and of what
    people "wanted"."""


def judgement(
    judge: Judge,
    cases: Sequence[Case],
    new: LearnedModel,
    serving: LearnedModel | None,
    add_up: AddUp | None = None,
) -> Verdict:
    """How the new generation does; `people` is 0 where nobody came back on another day.

    `add_up`: how figures become sums that may be known, where not as they are. Raises PluginFailed when a rule of the
    shop cannot be asked.
    """
    cases = reachable(cases, judge.catalogue)
    common = commonness(new.popularity(""), judge.catalogue.size)
    mine, popular = judge.figures(new, cases, common), judge.popular(new, cases)
    theirs = None if serving is None else judge.figures(serving, cases, common)
    wanted = np.array([float(common[case.wanted].mean()) for case in cases], np.float64)
    if add_up is not None:
        against = np.zeros(len(cases)) if theirs is None else mine[:, 0] - theirs[:, 0]
        return _noisy(judge, new, serving is not None, add_up(_rows(mine, popular, against, wanted)))
    better = popular if theirs is None or popular.sum() > theirs[:, 0].sum() else theirs[:, 0]
    report = Judgement(
        generation=new.id,
        learned=judge.config.privacy.learned,
        metric=judge.metric,
        people=len(cases),
        new=_mean(mine[:, 0]),
        popularity=_mean(popular),
        serving=None if theirs is None else _mean(theirs[:, 0]),
        error=float((mine[:, 0] - better).std(ddof=1) / np.sqrt(len(cases))) if len(cases) > 1 else 0.0,
    )
    bias = {"new": _mean(mine[:, 1]), "wanted": _mean(wanted)}
    return Verdict(report, bias if theirs is None else {**bias, "serving": _mean(theirs[:, 1])})


def commonness(popularity: Floats | None, size: int) -> Floats:
    """The percentile of every item's popularity, [size]: 1 for the most popular, equals share their places' mean."""
    counts = np.zeros(size, np.float32)
    if popularity is not None:
        counts[: len(popularity)] = popularity
    return (rankdata(counts) / max(size, 1)).astype(np.float32)


def _rows(mine: Figures, popular: Figures, against: Figures, wanted: Figures) -> Figures:
    """A row per person, no longer than `LONGEST_ROW` whatever they did, [cases, 6]."""
    told = np.stack([np.ones(len(mine)), popular, mine[:, 1], wanted], axis=1) * _LIGHT
    return np.column_stack([told, mine[:, 0] - popular, against])


def _noisy(judge: Judge, new: LearnedModel, serves: bool, sums: tuple[Figures, float]) -> Verdict:
    """The verdict from noisy sums of rows; who was asked is about so many."""
    (people, popular, shown, wanted, above, against), sigma = sums[0].tolist(), sums[1]
    people = max(people / _LIGHT, 0.0)
    count = max(people, 1.0)
    best, bias, theirs = (min(max(told / _LIGHT / count, 0.0), 1.0) for told in (popular, shown, wanted))
    mine = best + above / count
    report = Judgement(
        generation=new.id,
        learned=judge.config.privacy.learned,
        metric=judge.metric,
        people=round(people),
        new=mine,
        popularity=best,
        serving=mine - against / count if serves else None,
        # From the noise, and at most so much because only some were asked.
        error=float(np.hypot(sigma / count, 0.5 / np.sqrt(count))),
    )
    return Verdict(report, {"new": bias, "wanted": theirs} if people else {})


def _mean(figures: Figures) -> float:
    return float(figures.mean()) if len(figures) else 0.0
