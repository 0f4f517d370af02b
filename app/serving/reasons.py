"""Says in a shopper's words why an item is in the list, from what spoke loudest for it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from app.serving.rank import Ranking
from plugins.contract import Context, Ints
from plugins.manager import Plugins
from plugins.ruling import RULES_FIRST


class Reason(NamedTuple):
    """A code for programs and a sentence for shoppers; the sentence may be empty."""

    code: str
    text: str


NO_REASON = Reason("", "")


def reasons_of(plugins: Plugins, ranking: Ranking, context: Context) -> list[Reason]:
    """One reason per item of the list. Names only items of the page, or of a visit and history allowed to be used."""
    speakers = _speakers(ranking)
    if context.rules.placed:  # whatever else speaks for it: it is there because the shop put it there
        placed = context.rules.placed
        speakers = [
            RULES_FIRST if item in placed else speaker
            for item, speaker in zip(ranking.items.tolist(), speakers, strict=True)
        ]
    told = [plugins.reason(speaker) if speaker else NO_REASON for speaker in speakers]
    anchors = _anchors(ranking, context) if any("{anchor}" in text for _, text in told) else None
    titles: dict[int, str] = {}

    def title(number: int) -> str:
        if number not in titles:
            titles[number] = _title(context, number)
        return titles[number]

    reasons = []
    for position, (code, text) in enumerate(told):
        if "{anchor}" in text:
            anchor = int(anchors[position]) if anchors is not None else -1
            named = title(anchor)
            text = text.replace("{anchor}", named).replace("{did}", _did(context, anchor)) if named else ""
        elif "{page}" in text:
            named = title(context.item) if context.item >= 0 else "what is in your cart"
            text = text.replace("{page}", named) if named else ""
        reasons.append(Reason(code, text))
    return reasons


def _speakers(ranking: Ranking) -> list[str]:
    """For each item the plugin with the largest share of its score, else the first that proposed it."""
    count = len(ranking.items)
    names = list(ranking.parts)
    if names:
        shares = np.array([ranking.parts[name] for name in names])
        best = shares.argmax(axis=0)
        loud = shares.max(axis=0) > 0
        speakers = [
            names[best_one] if is_loud else "" for best_one, is_loud in zip(best.tolist(), loud.tolist(), strict=True)
        ]
    else:
        speakers = [""] * count
    if "" in speakers:
        for position, item in enumerate(ranking.items.tolist()):
            if not speakers[position]:
                speakers[position] = next((name for name, items in ranking.proposals.items() if item in items), "")
    return speakers


def _anchors(ranking: Ranking, context: Context) -> Ints:
    """For each item the item of the history that leads to it most strongly, else the last one viewed; -1 for none."""
    visitor = context.visitor
    last = int(visitor.viewed[-1]) if len(visitor.viewed) else -1
    anchors = np.full(len(ranking.items), last, np.int32)
    links = context.history_links
    if len(links):
        strongest = context.board.strongest(ranking.items, links.items, links.scores, context.catalogue.size)
        led = np.flatnonzero(strongest >= 0)
        anchors[led] = visitor.history.take(links.source.take(strongest.take(led)))
    anchors[anchors == ranking.items] = -1
    return anchors


def _did(context: Context, anchor: int) -> str:
    """What the visitor did with an item of their history: "bought" where only the vault knows of it."""
    visitor = context.visitor
    return "bought" if anchor in visitor.bought and anchor not in visitor.viewed else "viewed"


def _title(context: Context, number: int) -> str:
    """Empty for one that was deleted since it was viewed."""
    return context.catalogue.title(number) if number >= 0 else ""
