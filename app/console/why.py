"""Why this item: how a list of the last minutes came out, from candidates to the final order."""

from __future__ import annotations

import msgspec

from app.console.asked import Answer, Asked, Go, Page
from app.console.items import ItemLine, item_line
from app.console.placements import bars_of
from app.problem import Problem
from app.serving.explanations import Explanation

LATEST = 50


class Answered(msgspec.Struct, frozen=True):
    """One list that can still be asked about."""

    request_id: str
    at: float
    placement: str
    strategy: str
    items: int
    first: str


class Latest(msgspec.Struct, frozen=True):
    """The lists of the last minutes, the newest first; nothing in them says whose they were."""

    answers: list[Answered]
    minutes: float
    held: int


class Why(msgspec.Struct, frozen=True):
    """One list explained."""

    at: float
    explanation: Explanation
    items: list[ItemLine]


async def latest(asked: Asked) -> Answer:
    if told := asked.query("request_id"):
        return Go(f"/console/why/{told[:64]}") if told.isalnum() else _unknown(asked, told)
    node = asked.node
    explanations = node.recommender.explanations
    answers = [
        Answered(
            made.request_id, made.at, made.placement, made.strategy, len(made.ranking.items),
            node.catalogue.title(int(made.ranking.items[0])) if len(made.ranking.items) else "",
        )
        for made in explanations.latest(LATEST, node.clock.now())
    ]  # fmt: skip
    data = Latest(answers, node.recommender.options.explain_minutes, len(explanations))
    return Page("why_latest.html", "Why this item", data)


async def why(asked: Asked) -> Answer:
    node = asked.node
    told = asked.path("request_id")
    made = node.recommender.explanations.get(told, node.clock.now())
    if made is None:
        return _unknown(asked, told)
    explanation = made.explain(node.catalogue, inside=True)
    numbers = [node.catalogue.number(item.id) for item in explanation.items]
    lines = [
        item_line(node.catalogue, number) if number is not None else ItemLine(item.id, "(removed since)")
        for number, item in zip(numbers, explanation.items, strict=True)
    ]
    bars, names = bars_of([item.parts for item in explanation.items])
    return Page("why.html", "Why this list", Why(made.at, explanation, lines), extra={"bars": bars, "names": names})


def _unknown(asked: Asked, told: str) -> Answer:
    minutes = asked.node.recommender.options.explain_minutes
    raise Problem(
        404, "This answer is not remembered",
        f"{told[:64]!r}: lists are remembered for {minutes:g} minutes, without the visitor. Ask again with"
        ' "explain": true in POST /v1/recommendations, and the answer brings its explanation along.',
    )  # fmt: skip
