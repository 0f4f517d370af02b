"""Finds what a visitor is looking for: matches by words, in the order most people buy them, moved by what is known of
this one.

The static order (completeness of the match, then distinct buyers of the last 60 days) is what everyone gets of whom
nothing is known. For others what sells these days counts more, and personal scores move items within equally complete
matches, by at most the weights of [search].
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from app.experiments.trials import Trial
from app.search.options import SearchOptions
from app.serving.explanations import Remembered
from app.serving.rank import Ranking
from app.serving.rank import keep as keep_allowed
from app.serving.reasons import reasons_of
from app.serving.recommend import PERSONAL, Page, Recommender, Shelf
from plugins.calls import PluginFailed
from plugins.contract import NO_ITEMS, Board, Candidates, Context, Floats, Ints, Model, Visitor, scaled
from store.search_index import Matches, SearchIndex

PLACEMENT = "search"


@dataclass(frozen=True)
class Search:
    """One question in item numbers."""

    query: str
    limit: int
    offset: int = 0
    filter: str = ""
    exclude: Ints = field(default_factory=NO_ITEMS.copy)


@dataclass(frozen=True)
class Found:
    """One answer: the list as any other, how many items match, and what was searched for misspelt words."""

    shelf: Shelf
    total: int
    corrected: Mapping[str, str]


class Searcher:
    """Holds what every search needs; shares plugins, filters, tokens and explanations with the recommender."""

    def __init__(
        self, index: SearchIndex, recommender: Recommender, model: Callable[[], Model], options: SearchOptions
    ) -> None:
        self._index = index
        self._serving = recommender
        self._model = model
        self._options = options
        self._board = Board()

    def search(
        self, asked: Search, page: Page, visitor: Visitor, now: float, *, dry_run: bool = False, seed: int = 0
    ) -> Found:
        """The best matches for this visitor. `dry_run`: nobody is told, nothing is remembered.

        Raises FilterError for a filter that cannot be read. The query is kept nowhere.
        """
        trial = self._serving.trials.of(PLACEMENT, visitor.arms) if self._serving.trials else None
        allowed = self._serving.allowed.of(page.region, asked.filter)
        context = Context(
            now=now, placement=PLACEMENT, limit=asked.limit, catalogue=self._index.catalogue, model=self._model(),
            visitor=trial.visitor(visitor) if trial else visitor, arms=visitor.arms,
            rules_off=trial is not None and trial.arm.rules_off, region=page.region, locale=page.locale,
            currency=page.currency, item=page.item, cart=page.cart, searching=True, seed=seed, allowed=allowed,
            board=self._board,
        )  # fmt: skip
        matches = self._index.matches(asked.query)
        shown = np.flatnonzero(allowed.mask.take(matches.items)).astype(np.int32)
        best, tiers, static = self._static_order(matches, shown, context)
        try:
            ranking, strategy = self._ranked(best, tiers, static, asked, context), strategy_of(context.visitor)
        except PluginFailed:
            # A rule that cannot be asked may have forbidden anything: no item is sure to pass it.
            ranking, strategy = Ranking(), "fallback"
        total = len(shown) if strategy != "fallback" else 0
        return Found(self._shelf(ranking, strategy, context, trial, dry_run), total, matches.corrected)

    def _static_order(self, matches: Matches, shown: Ints, context: Context) -> tuple[Ints, Ints, Floats]:
        """The first matches in the order for everyone: items, their tiers, and their static score from 0 to 1."""
        items, tiers, relevance = matches.items.take(shown), matches.tier.take(shown), matches.relevance.take(shown)
        buyers = context.model.popularity(context.region)
        bought = Candidates(items, context.catalogue, self._board).lookup(buyers)
        most = self._options.candidates
        if len(items) > most:
            # Ties between equally bought items are decided below; relevance, at most 1, only breaks them.
            first = np.argpartition(-(tiers * np.float64(1e9) + bought + 0.5 * relevance), most)[:most]
            items, tiers, relevance, bought = items[first], tiers[first], relevance[first], bought[first]
        order = np.lexsort((-context.catalogue.published.take(items), -relevance, -bought, -tiers))
        return items.take(order), tiers.take(order), scaled(np.log1p(bought.take(order)))

    def _ranked(self, items: Ints, tiers: Ints, static: Floats, asked: Search, context: Context) -> Ranking:
        """The page of the list that was asked for, re-ranked within equally complete matches."""
        ranking = Ranking()
        candidates = Candidates(items, context.catalogue, self._board)
        kept = keep_allowed(self._serving.plugins, candidates, context, asked.exclude, ranking)
        if not len(kept):
            return ranking
        if len(kept) < len(items):
            places = np.flatnonzero(np.isin(items, kept.items))
            tiers, static = tiers.take(places), static.take(places)
        known = strategy_of(context.visitor) == "personalized"
        many_buy = self._many_buy(kept, static, context) if known else static
        scores, parts = self._serving.plugins.score(kept, context, self._options.weights if known else {})
        # Stable: where nothing speaks the static order stays as it is.
        order = np.lexsort((-(many_buy + scores), -tiers))
        chosen = order[asked.offset : asked.offset + asked.limit]
        ranking.items = kept.items.take(chosen)
        ranking.parts = {name: part.take(chosen) for name, part in parts.items()}
        return ranking

    def _many_buy(self, kept: Candidates, static: Floats, context: Context) -> Floats:
        """What personal scores are laid over, from 0 to 1: the static score, moved towards what sells these days."""
        now = context.model.selling_now(context.region)
        if now is None:
            return static
        share = np.float32(self._options.selling_now)
        return static + share * (kept.lookup(now) - static)

    def _shelf(self, ranking: Ranking, strategy: str, context: Context, trial: Trial | None, dry_run: bool) -> Shelf:
        request_id = secrets.token_hex(8)
        model, serving = context.model.id, self._serving
        reasons = reasons_of(serving.plugins, ranking, context)
        weights = {"static": 1.0, **self._options.weights}
        made = Remembered(request_id, context.now, PLACEMENT, strategy, model, weights, ranking, reasons)
        if not dry_run:
            serving.explanations.add(made)
            serving.plugins.served(context, ranking.items)
        arm = trial.label if trial else ""
        token = serving.tokens.sign(request_id, PLACEMENT, context.now, arm=arm, model=model)
        return Shelf(request_id, token, PLACEMENT, "", strategy, ranking.items, reasons, model, made, trial)


def strategy_of(visitor: Visitor) -> str:
    """`popular` is the static order, the same for everyone."""
    known = visitor.known or len(visitor.bought)
    return "personalized" if int(visitor.purposes) & PERSONAL and known else "popular"
