"""Writes lists as JSON: item fields come encoded already from the catalogue, only the frame is new."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal

import msgspec

from app.serving.explanations import Explanation
from app.serving.reasons import Reason
from app.serving.recommend import Shelf
from app.serving.trials import ExperimentOnWire
from store.catalogue import Catalogue
from store.fragment import ShownItem

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class ReasonOnWire(msgspec.Struct, frozen=True):
    """Why an item is there: a code for programs, a sentence for the shopper (it may be empty)."""

    code: str
    text: str = ""


class ShelfItem(ShownItem, frozen=True, omit_defaults=True):
    """An item in its place."""

    index: int = 0
    reason: ReasonOnWire | None = None


class ShelfOnWire(msgspec.Struct, frozen=True, omit_defaults=True):
    """One list."""

    placement: str
    title: str
    request_id: str
    """To ask "why?" with."""
    token: str
    """To be sent with what happens to the list's items."""
    strategy: Literal["personalized", "contextual", "popular", "fallback"]
    items: list[ShelfItem]
    missing_ids: list[str]
    """Ids of the request that the catalogue does not know."""
    experiment: ExperimentOnWire | None = None
    explanation: Explanation | None = None


class ServedBy(msgspec.Struct, frozen=True):
    """What an answer was made with."""

    model: str
    rules: str
    segments: list[str] = []
    """Keys of the segments the visitor belongs to; told to the shop's own server alone."""


class RecommendationsAnswer(msgspec.Struct, frozen=True):
    """The answer to recommendations: one list per request, in their order."""

    results: list[ShelfOnWire]
    served_by: ServedBy
    took_ms: float


class ShelfHead(msgspec.Struct, frozen=True):
    """What stands before the items of a list."""

    placement: str
    title: str
    request_id: str
    token: str
    strategy: str


def answer_json(
    shelves: Sequence[Shelf], catalogue: Catalogue, *, fields: Sequence[Collection[str]], missing: Sequence[list[str]],
    took_ms: float, explain: bool,
    inside: bool = False,
) -> bytes:  # fmt: skip
    """The body of an answer (WEB.md). `fields` and `missing` have one entry per list; no fields = all. `inside`: who
    asks is the shop's own server."""
    results = b",".join(
        shelf_json(shelf, catalogue, wanted, absent, explain, inside)
        for shelf, wanted, absent in zip(shelves, fields, missing, strict=True)
    )
    served_by = _encode(served_by_of(shelves[0], inside) if shelves else ServedBy("", ""))
    return b'{"results":[%b],"served_by":%b,"took_ms":%.2f}' % (results, served_by, took_ms)


def served_by_of(shelf: Shelf, inside: bool) -> ServedBy:
    """What a list was made with; `inside`: who asks is the shop's own server."""
    known = shelf.made.context if inside else None
    return ServedBy(shelf.model, shelf.rules, sorted(known.segments) if known is not None else [])


def _reason_json(reason: Reason) -> bytes:
    return b',"reason":' + _encode(ReasonOnWire(reason.code, reason.text)) if reason.code else b""


def shelf_json(
    shelf: Shelf, catalogue: Catalogue, fields: Collection[str], missing: list[str], explain: bool, inside: bool = False
) -> bytes:
    head = _encode(ShelfHead(shelf.placement, shelf.title, shelf.request_id, shelf.token, shelf.strategy))
    told = {reason: _reason_json(reason) for reason in set(shelf.reasons)}
    items = []
    for index, number in enumerate(shelf.items.tolist()):
        fragment = catalogue.fragment(number)
        if fields:
            fragment = _encode({name: raw for name, raw in _decode(fragment).items() if name == "id" or name in fields})
        items.append(b'%b,"index":%d%b}' % (fragment[:-1], index, told[shelf.reasons[index]]))
    trial = b',"experiment":' + _encode(shelf.trial.told) if shelf.trial else b""
    tail = b',"explanation":' + _encode(shelf.made.explain(catalogue, inside=inside)) if explain else b""
    return b'%b,"items":[%b],"missing_ids":%b%b%b}' % (head[:-1], b",".join(items), _encode(missing), trial, tail)
