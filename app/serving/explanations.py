"""Remembers for a few minutes how lists came out, so that "why this item?" has an answer. Holds no visitor.

A bounded ring in memory: numbers of candidates, shares of the score, what was filtered. Once it is forgotten, a request
with `explain: true` gives a new one.
"""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

import msgspec
import numpy as np

from app.rules.engine import RuleSet
from app.serving.rank import Ranking
from app.serving.reasons import Reason
from app.serving.rules_fired import PinTold, RuleFired, RulesMade
from plugins.contract import Context
from plugins.ruling import RULE_SCORE
from store.catalogue import Catalogue
from store.records import PURPOSE_NAMES, Purpose


class ItemExplanation(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why one item is where it is."""

    id: str
    index: int
    score: float
    parts: dict[str, float]
    """Scorer plugin -> its share of the score."""
    proposed_by: list[str]
    reason: dict[str, str] = {}
    fills: bool = False
    """It only fills the list up."""
    rules: list[str] = []
    """Rules that promoted, buried or pinned it; told to staff and to the shop's server."""
    chance: float | None = None
    """The probability with which it was drawn, where it was: what estimates of other policies divide by."""


class Arranged(msgspec.Struct, frozen=True):
    """What one plugin changed in the order: item -> place before and after, from 0."""

    plugin: str
    moved: dict[str, tuple[int, int]]


class Inside(msgspec.Struct, frozen=True, kw_only=True):
    """What only staff and the shop's own server are told of a list."""

    fired: list[RuleFired]
    """Every rule that held, and what it did."""
    pins: list[PinTold]
    """Every slot that a rule asked for."""
    segments: list[str]
    arms: dict[str, str]
    rules_off: bool


class Explanation(msgspec.Struct, frozen=True, omit_defaults=True):
    """How one list came out."""

    request_id: str
    placement: str
    strategy: str
    model: str
    weights: dict[str, float]
    considered: int
    kept: int
    dropped: dict[str, int]
    """What took how many candidates out."""
    proposed: dict[str, int]
    """Retriever plugin -> how many it proposed."""
    items: list[ItemExplanation]
    sentence: str = ""
    """For the shopper."""
    rules: str = ""
    """Version of the shop's rules."""
    consent: list[str] = []
    """Purposes the visitor had agreed to."""
    arranged: list[Arranged] = []
    explored: list[str] = []
    """Items that were given a place to show what they are worth."""
    inside: Inside | None = None


@dataclass(frozen=True)
class Remembering:
    """What was known when a list was made, without who it was for."""

    made: RulesMade
    purposes: Purpose
    segments: frozenset[str]
    arms: Mapping[str, str]
    rules_off: bool
    chances: Mapping[int, float] = field(default_factory=dict)
    """Item -> the probability with which it was drawn into the list."""

    def inside(self, ranking: Ranking, catalogue: Catalogue) -> Inside:
        return Inside(
            fired=self.made.fired(ranking), pins=self.made.pins(ranking, catalogue), segments=sorted(self.segments),
            arms=dict(self.arms), rules_off=self.rules_off,
        )  # fmt: skip


def remembering(context: Context, rules: RuleSet) -> Remembering:
    """What to keep of a request until nobody asks "why?" any more."""
    ruling = context.rules
    if ruling.boosted is not None:  # an array as long as the catalogue, which nobody needs to answer "why?"
        ruling = dataclasses.replace(ruling, boosted=None)
    made = RulesMade(rules, ruling)
    return Remembering(
        made, context.visitor.purposes, context.segments, context.arms, context.rules_off, context.chances
    )


@dataclass(frozen=True)
class Remembered:
    """One list as it was made; spelled out only when somebody asks."""

    request_id: str
    at: float
    placement: str
    strategy: str
    model: str
    weights: dict[str, float]
    ranking: Ranking
    reasons: list[Reason]
    context: Remembering | None = None

    def explain(self, catalogue: Catalogue, *, inside: bool = False) -> Explanation:
        """The explanation, with ids for numbers. `inside`: for staff and the shop's own server."""
        ranking, known = self.ranking, self.context
        numbers = ranking.items.tolist()
        parts = ranking.parts if ranking.base is None else {"static": ranking.base, **ranking.parts}
        fillers = set(ranking.fillers.tolist())
        items = [
            ItemExplanation(
                catalogue.ids[number],
                index,
                round(sum(float(part[index]) for part in parts.values()), 4),
                {name: round(float(part[index]), 4) for name, part in parts.items() if part[index]},
                [name for name, proposed in ranking.proposals.items() if np.any(proposed == number)],
                self.reasons[index]._asdict() if index < len(self.reasons) else {},
                number in fillers,
                known.made.of_item(number) if inside and known is not None else [],
                known.chances.get(number) if known is not None else None,
            )
            for index, number in enumerate(numbers)
        ]
        return Explanation(
            self.request_id,
            self.placement,
            self.strategy,
            self.model,
            self.weights,
            ranking.considered,
            ranking.kept,
            ranking.dropped,
            {name: len(proposed) for name, proposed in ranking.proposals.items()},
            items,
            sentence_of(self),
            known.made.ruling.version if known is not None else "",
            purposes_named(known.purposes) if known is not None else [],
            list(_arranged(ranking, catalogue)),
            _explored(ranking, catalogue),
            known.inside(ranking, catalogue) if inside and known is not None else None,
        )


class Explanations:
    """The last lists by request id: at most `bound`, none older than `seconds`."""

    def __init__(self, bound: int, seconds: float) -> None:
        self._bound = bound
        self._seconds = seconds
        self._kept: OrderedDict[str, Remembered] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, made: Remembered) -> None:
        """Remember a list, and forget those that are too old or too many."""
        if not self._bound:
            return
        self._kept[made.request_id] = made
        while len(self._kept) > self._bound:
            self._kept.popitem(last=False)
        self.forget_before(made.at - self._seconds)

    def get(self, request_id: str, now: float) -> Remembered | None:
        """The list of that request, None where it was never made or has been forgotten."""
        self.forget_before(now - self._seconds)
        return self._kept.get(request_id)

    def latest(self, limit: int, now: float) -> list[Remembered]:
        """The newest lists still remembered, the newest first."""
        self.forget_before(now - self._seconds)
        return list(islice(reversed(self._kept.values()), limit))

    def forget_before(self, at: float) -> None:
        """Drop what is older."""
        while self._kept and next(iter(self._kept.values())).at < at:
            self._kept.popitem(last=False)


SENTENCES = {
    "personalized": "Chosen for you, from what you looked at and seem to like, as far as you agreed to that.",
    "contextual": "Chosen from what this page and this visit are about.",
    "popular": "What many people buy.",
    "fallback": "Nothing can be shown here at the moment.",
}
PICKED = "The shop has picked some of it itself."


def sentence_of(made: Remembered) -> str:
    """What a shopper may be told of a whole list: nothing of rules, segments or scores."""
    told = SENTENCES.get(made.strategy, "")
    if made.placement == "search" and made.strategy != "fallback":
        order = "in an order made for you" if made.strategy == "personalized" else "what many people buy first"
        told = f"Products that match your search, {order}."
    ranking, known = made.ranking, made.context
    promoted = ranking.parts.get(RULE_SCORE)
    picked = promoted is not None and bool((promoted > 0).any())
    if known is not None and any(item in known.made.ruling.placed for item in ranking.items.tolist()):
        picked = True
    return f"{told} {PICKED}" if picked else told


def purposes_named(purposes: Purpose) -> list[str]:
    """The purposes of a set by name."""
    return [name for name, purpose in PURPOSE_NAMES.items() if purpose and purpose & purposes == purpose]


def _arranged(ranking: Ranking, catalogue: Catalogue) -> Iterator[Arranged]:
    """Which items of the list each arranger moved, one after the other."""
    shown = set(ranking.items.tolist())
    before: dict[int, int] | None = None
    for plugin, items in ranking.arranged.items():
        places = {item: place for place, item in enumerate(items.tolist())}
        if before is not None:
            moved = {
                catalogue.ids[item]: (before[item], place)
                for item, place in places.items()
                if item in shown and item in before and before[item] != place
            }
            if moved:
                yield Arranged(plugin, moved)
        before = places


def _explored(ranking: Ranking, catalogue: Catalogue) -> list[str]:
    """Items that stand in the list because `explore_new` gave them a place."""
    steps = list(ranking.arranged)
    if "explore_new" not in steps:
        return []
    count = len(ranking.items)
    now = ranking.arranged["explore_new"][:count].tolist()
    before = set(ranking.arranged[steps[steps.index("explore_new") - 1]][:count].tolist())
    return [catalogue.ids[item] for item in now if item not in before and item in ranking.items]
