"""Answers "what should this visitor see here, now?": synchronous, in memory, within a millisecond.

One object per node. A request is a `Page` (where the visitor is), a `Visitor` (what consent lets be known) and some
`Ask`s (which lists); each becomes a `Shelf`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

import numpy as np

from app.metrics import Metrics
from app.rules.engine import Rules, RuleSet
from app.rules.index import Facts
from app.rules.options import RulesOptions
from app.rules.pinned_places import Places, places_of
from app.serving.allowed import AllowedItems
from app.serving.blends import Blends
from app.serving.explanations import Explanations, Remembered, remembering
from app.serving.options import ServingOptions
from app.serving.placements import Placement, with_rules
from app.serving.plugin_metrics import PluginCollector
from app.serving.rank import Ranking, rank
from app.serving.reasons import Reason, reasons_of
from app.serving.shown_lists import ShownLists
from app.serving.token import Tokens
from app.serving.trials import Trial, Trials
from plugins.calls import PluginFailed
from plugins.contract import NO_ITEMS, Board, Context, Ints, Model, Visitor
from plugins.manager import Plugins
from plugins.ruling import NO_PINS, Pins
from store.catalogue import Catalogue
from store.records import Purpose

PERSONAL = int(Purpose.SESSION | Purpose.PROFILE | Purpose.PURCHASES)


@dataclass(frozen=True)
class Page:
    """What the page itself says; needs nobody's consent and is not kept."""

    region: str = ""
    locale: str = ""
    currency: str = ""
    device: str = ""
    category: str = ""
    item: int = -1
    cart: Ints = field(default_factory=NO_ITEMS.copy)
    viewed: Ints = field(default_factory=NO_ITEMS.copy)
    """Items of this visit as the page tells them, newest last; used where consent gives nothing better."""

    def facts(
        self, visitor: Visitor, now: float, placement: str = "", *, query: str | None = None, rules_off: bool = False,
        is_open: bool = True,
    ) -> Facts:  # fmt: skip
        """What rules and the conditions of experiences may ask of a request."""
        return Facts(
            now, placement, self.region, self.device, visitor.segments, visitor.arms, self.item, self.cart, query,
            rules_off, is_open, self.category,
        )  # fmt: skip


@dataclass(frozen=True)
class Ask:
    """One list asked for."""

    placement: str
    limit: int = 0
    """0: what the placement says."""
    exclude: Ints = field(default_factory=NO_ITEMS.copy)
    filter: str = ""


@dataclass(frozen=True)
class Shelf:
    """One list answered."""

    request_id: str
    token: str
    placement: str
    title: str
    strategy: str
    """`personalized`, `contextual`, `popular`, or `fallback` when a rule could not be asked."""
    items: Ints
    reasons: list[Reason]
    model: str
    made: Remembered
    trial: Trial | None = None
    """The experiment it belongs to, and the arm it was made in."""
    rules: str = ""
    """The version of the rules it was made under, such as "r42"."""


class UnknownPlacement(LookupError):
    """Nobody configured a placement of that name; the message names those there are."""


class Recommender:
    """Holds what every answer needs; the loop's thread only."""

    def __init__(
        self, *, catalogue: Catalogue, plugins: Plugins, model: Callable[[], Model], tokens: Tokens,
        options: ServingOptions, placements: Mapping[str, Placement], metrics: Metrics,
        trials: Trials | None = None, rules: Rules | None = None, blends: Blends | None = None,
        shown: ShownLists | None = None,
    ) -> None:  # fmt: skip
        self.catalogue = catalogue
        self.plugins = plugins
        self.options = options
        self._placements = dict(placements)
        self._blends = blends
        self.shown = shown
        self.explanations = Explanations(options.explanations, options.explain_minutes * 60)
        self.allowed = AllowedItems(catalogue, options.filters)
        self.tokens = tokens
        self.trials = trials
        self.rules = rules or Rules(catalogue, ZoneInfo("UTC"), RulesOptions())
        self._model = model
        self._board = Board()
        metrics.registry.register(PluginCollector(plugins))
        answered = metrics.counter("lists", "Lists answered, by strategy.", ["strategy"])
        self._answered = {name: answered.labels(name) for name in ("personalized", "contextual", "popular", "fallback")}

    @property
    def placements(self) -> Mapping[str, Placement]:
        """Every placement as it serves: with the weights laid over it that the serving generation has learned."""
        return self._placements if self._blends is None else self._blends.now

    def shelves(
        self,
        asks: Sequence[Ask],
        page: Page,
        visitor: Visitor,
        now: float,
        *,
        dry_run: bool = False,
        seed: int | None = None,
        rules: RuleSet | None = None,
    ) -> list[Shelf]:
        """The lists, in the order asked. `dry_run`: nobody is told, nothing is counted or remembered.

        `seed` makes the answer repeatable; without it each request explores anew. `rules`: others than are published.
        Raises UnknownPlacement, and FilterError for a filter that cannot be read.
        """
        visitor = visitor if len(visitor.viewed) or not len(page.viewed) else _with_page(visitor, page)
        shelves: list[Shelf] = []
        shown = NO_ITEMS
        for ask in asks:
            placement = self._placement(ask.placement)
            trial = self.trials.of(ask.placement, visitor.arms) if self.trials else None
            placement = with_rules(trial.placement(placement)) if trial else placement
            context = self._context(ask, placement, page, visitor, trial, now, seed, rules)
            distinct = self.options.distinct and placement.distinct
            exclude = np.concatenate((ask.exclude, shown)) if distinct and len(shown) else ask.exclude
            facts = page.facts(visitor, now, placement.name, is_open=bool(placement.fill))
            pins = self.pins_compared(context, trial, facts, rules)
            shelf = self._shelf(context, placement, trial, exclude, rules, dry_run, pins)
            shelves.append(shelf)
            if distinct:
                shown = shelf.items if not len(shown) else np.concatenate((shown, shelf.items))
        return shelves

    def pins_compared(self, context: Context, trial: Trial | None, facts: Facts, rules: RuleSet | None) -> Pins:
        """The pins whose places an experiment compares in this list: those that hold, or would if the visitor's arm had
        not switched rules off."""
        if trial is None or not trial.compares:
            return NO_PINS
        return self.rules.ruling(facts, rules).pins if context.rules_off else context.rules.pins

    def places(self, pins: Pins, ranking: Ranking, rules: RuleSet | None) -> Places:
        """What stands at the places of these pins, which are of `rules`, or of those that are published."""
        return places_of(pins, (rules or self.rules.published).rules, ranking.items.tolist()) if pins else ()

    def _placement(self, name: str) -> Placement:
        try:
            return self.placements[name]
        except KeyError:
            raise UnknownPlacement(
                f"there is no placement {name!r}; there are {', '.join(sorted(self.placements))}"
            ) from None

    def _context(
        self, ask: Ask, placement: Placement, page: Page, visitor: Visitor, trial: Trial | None, now: float,
        seed: int | None, rules: RuleSet | None,
    ) -> Context:  # fmt: skip
        visitor = trial.visitor(visitor) if trial else visitor
        rules_off = trial is not None and trial.arm.rules_off
        facts = page.facts(visitor, now, placement.name, rules_off=rules_off, is_open=bool(placement.fill))
        ruling = self.rules.ruling(facts, rules)
        limit = min(ask.limit or placement.limit, self.options.limit_at_most)
        return Context(
            now=now,
            placement=placement.name,
            limit=limit,
            catalogue=self.catalogue,
            model=self._model(),
            visitor=visitor,
            arms=visitor.arms,
            rules_off=rules_off,
            region=page.region,
            locale=page.locale,
            currency=page.currency,
            device=page.device,
            segments=visitor.segments,
            rules=ruling,
            item=page.item,
            cart=page.cart,
            seed=int.from_bytes(os.urandom(8)) >> 1 if seed is None else seed,
            allowed=self.allowed.of(page.region, placement.filter, ask.filter, rules=ruling),
            board=self._board,
        )

    def _shelf(
        self,
        context: Context,
        placement: Placement,
        trial: Trial | None,
        exclude: Ints,
        rules: RuleSet | None,
        dry_run: bool,
        pins: Pins,
    ) -> Shelf:
        if placement.exclude_bought and len(context.visitor.bought):
            exclude = np.concatenate((exclude, context.visitor.bought))
        request_id = os.urandom(8).hex()
        strategy = _strategy(context)
        try:
            ranking = rank(
                self.plugins, context, placement, exclude,
                proposals=self.options.proposals, candidates=self.options.candidates,
            )  # fmt: skip
        except PluginFailed:
            # A rule that cannot be asked may have forbidden anything: no item is sure to pass it.
            ranking, strategy = Ranking(), "fallback"
        reasons = reasons_of(self.plugins, ranking, context)
        model = context.model.id
        made = Remembered(
            request_id, context.now, placement.name, strategy, model, placement.weights, ranking, reasons,
            remembering(context, rules or self.rules.published),
        )  # fmt: skip
        if not dry_run:
            self._answered[strategy].inc()
            self.explanations.add(made)
            if self.shown is not None and (trial is None or not trial.arm.changes_lists):
                self.shown.add(request_id, ranking, placement.weights, context.visitor.purposes, context.now)
            self.plugins.served(context, ranking.items)
            self.rules.answered(context.rules, ranking.items)
        arm, version = trial.label if trial else "", context.rules.version
        places = self.places(pins, ranking, rules)
        token = self.tokens.sign(
            request_id, placement.name, context.now, arm=arm, model=model, rules=version, places=places
        )
        return Shelf(
            request_id,
            token,
            placement.name,
            (len(ranking.items) and ranking.filled == len(ranking.items) and placement.fill_title) or placement.title,
            strategy,
            ranking.items,
            reasons,
            model,
            made,
            trial,
            version,
        )


def _strategy(context: Context) -> str:
    visitor = context.visitor
    if int(visitor.purposes) & PERSONAL and (visitor.known or len(visitor.bought)):
        return "personalized"
    return "contextual" if len(context.anchors) or len(visitor.viewed) else "popular"


def _with_page(visitor: Visitor, page: Page) -> Visitor:
    """What the page says of the visit, for a visitor of whom nothing better is known."""
    return visitor.but(viewed=page.viewed)
