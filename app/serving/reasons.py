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
    told = {speaker: plugins.reason(speaker) if speaker else NO_REASON for speaker in set(speakers)}
    plain = {speaker: Reason(code, text) for speaker, (code, text) in told.items() if "{" not in text}
    if len(plain) == len(told):
        return [plain[speaker] for speaker in speakers]
    anchors = _anchors(ranking, context).tolist() if any("{anchor}" in text for _, text in told.values()) else []
    made: dict[tuple[str, int], Reason] = {}
    reasons = []
    for position, speaker in enumerate(speakers):
        reason = plain.get(speaker)
        if reason is None:
            about = speaker, anchors[position] if "{anchor}" in told[speaker][1] else context.item
            reason = made.get(about)
            if reason is None:
                reason = made[about] = _spelled(*told[speaker], about[1], context)
        reasons.append(reason)
    return reasons


def _spelled(code: str, text: str, number: int, context: Context) -> Reason:
    """A sentence with the title of the item it is about in its place; none where that has no title."""
    if "{anchor}" in text:
        named = _title(context, number)
        return Reason(code, text.replace("{anchor}", named).replace("{did}", _did(context, number)) if named else "")
    if "{page}" in text:
        named = _title(context, number) if number >= 0 else "what is in your cart"
        return Reason(code, text.replace("{page}", named) if named else "")
    return Reason(code, text)


def _speakers(ranking: Ranking) -> list[str]:
    """For each item the plugin with the largest share of its score, else the first that proposed it."""
    count = len(ranking.items)
    names = list(ranking.parts)
    speakers = [""] * count
    if names:
        shares = np.array(list(ranking.parts.values()))
        loudest = zip(shares.argmax(axis=0).tolist(), np.maximum.reduce(shares, axis=0).tolist(), strict=True)
        speakers = [names[best] if share > 0 else "" for best, share in loudest]
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
