"""Segments: the groups of visitors that were learned, what distinguishes them, and which rules speak to them."""

from __future__ import annotations

import msgspec

from app.console.asked import Answer, Asked, Page
from app.routes.segments import SegmentOnWire

_KINDS = {"category": "", "brand": "brand ", "band": "price band "}


class SegmentLine(msgspec.Struct, frozen=True, kw_only=True):
    """One segment."""

    segment: SegmentOnWire
    terms: list[str]
    """What distinguishes it, in words."""
    rules: list[str]
    """Ids of the rules in force that are for it."""


class Segments(msgspec.Struct, frozen=True):
    """The largest first."""

    model: str
    at_least: int
    segments: list[SegmentLine]


async def segments(asked: Asked) -> Answer:
    node = asked.node
    model = node.generations.serving
    found = msgspec.convert(model.segment_list, list[SegmentOnWire])
    found.sort(key=lambda each: (-(each.people or 0), -each.items))
    lines = [
        SegmentLine(
            segment=each, terms=[_words(term) for term in each.terms],
            rules=[rule.id for rule in node.rules.published.written if each.key in rule.when.segments],
        )
        for each in found
    ]  # fmt: skip
    data = Segments(model.id, node.config.retention.people_at_least, lines)
    most = max((each.people or 0 for each in found), default=0)
    return Page("segments.html", "Segments", data, extra={"most": most or 1})


def _words(term: str) -> str:
    """`category:shoes/running` as `shoes › running`, `category_band:shoes|3` as `shoes, price band 3`."""
    kind, _, value = term.partition(":")
    if kind == "category_band":
        return value.replace("|", ", price band ")
    return _KINDS.get(kind, f"{kind} ") + value.replace("/", " › ")
