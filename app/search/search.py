"""Finds what a visitor is looking for: matches by words, in the order most people buy them, moved by what is known of
this one.

The static order (completeness of the match, then distinct buyers of the last 60 days) is what everyone gets of whom
nothing is known. For others what sells these days counts more, and personal scores move items within equally complete
matches, by at most the weights of [search].
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from app.rules.engine import RuleSet
from app.search.options import SearchOptions
from app.serving.explanations import Remembered, remembering
from app.serving.rank import Ranking, wanted
from app.serving.rank import keep as keep_allowed
from app.serving.reasons import reasons_of
from app.serving.recommend import PERSONAL, Page, Recommender, Shelf
from app.serving.trials import Trial
from plugins.calls import PluginFailed
from plugins.contract import NO_ITEMS, Board, Candidates, Context, Floats, Ints, Model, Visitor, scaled
from plugins.ruling import RULE_SCORE, RULES_FIRST, Pins
from store import loops
from store.records import Mask
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
        # A boost of strength 1 counts as much as everything else together, for those who are known and for others.
        most = options.weights.get(RULE_SCORE)
        self._weights = {
            False: {RULE_SCORE: 1.0 if most is None else most},
            True: {RULE_SCORE: 1.0 + sum(options.weights.values()), **options.weights},
        }
        self._board = Board()

    def search(
        self, asked: Search, page: Page, visitor: Visitor, now: float, *, dry_run: bool = False, seed: int = 0,
        rules: RuleSet | None = None,
    ) -> Found:  # fmt: skip
        """The best matches for this visitor. `dry_run`: nobody is told, nothing is remembered. `rules`: others than
        are published.

        Raises FilterError for a filter that cannot be read. The query is kept nowhere.
        """
        trial = self._serving.trials.of(PLACEMENT, visitor.arms) if self._serving.trials else None
        visitor = trial.visitor(visitor) if trial else visitor
        rules_off = trial is not None and trial.arm.rules_off
        facts = page.facts(visitor, now, PLACEMENT, query=asked.query, rules_off=rules_off)
        ruling = self._serving.rules.ruling(facts, rules)
        allowed = self._serving.allowed.of(page.region, asked.filter, rules=ruling)
        context = Context(
            now=now, placement=PLACEMENT, limit=asked.limit, catalogue=self._index.catalogue, model=self._model(),
            visitor=visitor, arms=visitor.arms, segments=visitor.segments,
            rules_off=rules_off, rules=ruling, region=page.region, locale=page.locale, device=page.device,
            currency=page.currency, item=page.item, cart=page.cart, searching=True, seed=seed, allowed=allowed,
            board=self._board,
        )  # fmt: skip
        matches = self._index.matches(asked.query)
        best, tiers, static, shown = self._static_order(matches, allowed.mask, context)
        try:
            ranking, strategy = self._ranked(best, tiers, static, asked, context), strategy_of(context.visitor)
        except PluginFailed:
            # A rule that cannot be asked may have forbidden anything: no item is sure to pass it.
            ranking, strategy = Ranking(), "fallback"
        under = rules or self._serving.rules.published
        pins = self._serving.pins_compared(context, trial, replace(facts, rules_off=False), under)
        total = shown if strategy != "fallback" else 0
        return Found(self._shelf(ranking, strategy, context, trial, under, dry_run, pins), total, matches.corrected)

    def _static_order(self, matches: Matches, mask: Mask, context: Context) -> tuple[Ints, Ints, Floats, int]:
        """The first matches in the order for everyone: items, their tiers, their static score from 0 to 1, and how many
        matches there are."""
        buyers = context.model.popularity(context.region)
        most = self._options.candidates
        # Ties between equally bought items are decided below; relevance, at most 1, only breaks them.
        first, shown = loops.first_shown(matches.items, matches.tier, matches.relevance, mask, buyers, most)
        items, tiers, relevance = matches.items.take(first), matches.tier.take(first), matches.relevance.take(first)
        bought = Candidates(items, context.catalogue, self._board).lookup(buyers)
        order = np.lexsort((-context.catalogue.published.take(items), -relevance, -bought, -tiers))
        return items.take(order), tiers.take(order), scaled(np.log1p(bought.take(order))), shown

    def _ranked(self, items: Ints, tiers: Ints, static: Floats, asked: Search, context: Context) -> Ranking:
        """The page of the list that was asked for, re-ranked within equally complete matches."""
        ranking = Ranking()
        matches = items
        items, tiers, static = self._with_pinned(items, tiers, static, context, ranking)
        candidates = Candidates(items, context.catalogue, self._board)
        kept = keep_allowed(self._serving.plugins, candidates, context, asked.exclude, ranking)
        if not len(kept):
            return ranking
        if len(kept) < len(items):
            places = np.flatnonzero(np.isin(items, kept.items))
            tiers, static = tiers.take(places), static.take(places)
        known = strategy_of(context.visitor) == "personalized"
        many_buy = self._many_buy(kept, static, context) if known else static
        scores, parts = self._serving.plugins.score(kept, context, self._weights[known])
        # Stable: where nothing speaks the static order stays as it is.
        order = np.lexsort((-(many_buy + scores), -tiers)).astype(np.int32)
        if context.rules.pins:
            ranked = kept.select(order)
            ranking.arranged["score"] = ranked.items
            pinned = (RULES_FIRST,)
            arranged = self._serving.plugins.arrange(ranked, context, pinned, dropped_in=False, steps=ranking.arranged)
            order = order.take(arranged)
            order = order.compress(wanted(kept.items.take(order), [matches], context, ranking.proposals))
        chosen = order[asked.offset : asked.offset + asked.limit]
        ranking.items = kept.items.take(chosen)
        ranking.base = many_buy.take(chosen)
        ranking.parts = {name: part.take(chosen) for name, part in parts.items()}
        return ranking

    def _with_pinned(
        self, items: Ints, tiers: Ints, static: Floats, context: Context, ranking: Ranking
    ) -> tuple[Ints, Ints, Floats]:
        """The matches, and behind them what a rule pins into this search though its words do not match."""
        if not context.rules.pins:
            return items, tiers, static
        brought = self._serving.plugins.retrieve(context, self._options.candidates, (RULES_FIRST,), dropped_in=False)
        ranking.proposals |= brought
        more = brought.get(RULES_FIRST, NO_ITEMS)
        more = more[~np.isin(more, items)]
        nothing = np.zeros(len(more), tiers.dtype)
        return np.append(items, more), np.append(tiers, nothing), np.append(static, nothing).astype(np.float32)

    def _many_buy(self, kept: Candidates, static: Floats, context: Context) -> Floats:
        """What personal scores are laid over, from 0 to 1: the static score, moved towards what sells these days."""
        now = context.model.selling_now(context.region)
        if now is None:
            return static
        share = np.float32(self._options.selling_now)
        return static + share * (kept.lookup(now) - static)

    def _shelf(
        self, ranking: Ranking, strategy: str, context: Context, trial: Trial | None, rules: RuleSet, dry_run: bool,
        pins: Pins,
    ) -> Shelf:  # fmt: skip
        request_id = secrets.token_hex(8)
        model, serving = context.model.id, self._serving
        reasons = reasons_of(serving.plugins, ranking, context)
        weights = {"static": 1.0, **self._weights[strategy == "personalized"]}
        known = remembering(context, rules)
        made = Remembered(request_id, context.now, PLACEMENT, strategy, model, weights, ranking, reasons, known)
        if not dry_run:
            serving.explanations.add(made)
            serving.plugins.served(context, ranking.items)
            serving.rules.answered(context.rules, ranking.items)
        arm, version = trial.label if trial else "", context.rules.version
        places = serving.places(pins, ranking, rules)
        token = serving.tokens.sign(
            request_id, PLACEMENT, context.now, arm=arm, model=model, rules=version, places=places
        )
        return Shelf(request_id, token, PLACEMENT, "", strategy, ranking.items, reasons, model, made, trial, version)


def strategy_of(visitor: Visitor) -> str:
    """`popular` is the static order, the same for everyone."""
    known = visitor.known or len(visitor.bought)
    return "personalized" if int(visitor.purposes) & PERSONAL and known else "popular"
