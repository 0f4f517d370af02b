"""Segment's HTTP tracking API, which RudderStack's clients speak too: messages as batches of ours, one per visitor.

Source: Segment's "HTTP Tracking API" and "E-commerce events spec (v2)".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from app.dialects.names import SEGMENT
from app.dialects.reading import Json, digest, line, milliseconds, number, table, tables, without_gaps, word

KINDS = ("track", "page", "screen", "identify", "group", "alias")
ConsentType = Literal[
    "ad_storage", "ad_user_data", "ad_personalization", "analytics_storage", "functionality_storage",
    "personalization_storage", "security_storage",
]  # fmt: skip
"""Types of Google Consent Mode v2."""
_SILENT = ("identify", "group", "alias")


class SegmentOptions(msgspec.Struct, frozen=True, kw_only=True):
    """[segment]: what a message that says nothing of consent may be taken for, and what its categories mean."""

    consent: Literal["", "granted", "session", "denied", "anonymous"] = ""
    """State of messages without consent preferences; empty: what the jurisdiction allows unasked."""
    categories: dict[str, list[ConsentType]] = {}
    """Category of `context.consent.categoryPreferences` -> types of Google Consent Mode it grants."""


@dataclass
class Group:
    """Messages of one visitor in one state of consent, as the JSON of a batch of ours."""

    envelope: dict[str, object]
    events: list[dict[str, object]] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    """Where each event's message stands in what was sent."""


@dataclass
class Heard:
    """Everything that was sent: what becomes batches, and what says nothing here."""

    groups: list[Group]
    silent: list[int]
    """Messages that are understood and bring no event: identify, group, alias."""
    unknown: dict[int, str]
    """Place -> why it is nothing we know."""


def hear(messages: Iterable[object], options: SegmentOptions, sent: object = None, kind: str = "") -> Heard:
    """`kind`: the type of messages that do not say theirs (`/v1/track` and the like); `sent`: the batch's `sentAt`."""
    heard = Heard([], [], {})
    for place, told in enumerate(messages):
        message = table(told)
        event = _event(message, word(message.get("type")) or kind)
        if isinstance(event, str):
            heard.unknown[place] = event
        elif event is None:
            heard.silent.append(place)
        else:
            envelope = _envelope(message, options, message.get("sentAt") or sent)
            if not heard.groups or heard.groups[-1].envelope != envelope:
                heard.groups.append(Group(envelope))
            heard.groups[-1].events.append(event)
            heard.groups[-1].places.append(place)
    return heard


def _envelope(message: Json, options: SegmentOptions, sent: object) -> dict[str, object]:
    context = table(message.get("context"))
    ours = table(context.get("personalize"))
    state, signals = _consent(table(context.get("consent")), options)
    anonymous = word(message.get("anonymousId"))
    return without_gaps({
        "sent": milliseconds(sent),
        "consent": word(ours.get("consent")) or state,
        "purposes": ours.get("purposes"),
        "signals": signals,
        "anon": anonymous,
        "user": word(message.get("userId")),
        "user_sig": word(ours.get("user_sig")),
        # A client that knows no visits is one: its session features still end when it is idle.
        "session": word(ours.get("session")) or word(context.get("sessionId")) or anonymous,
        "region": word(ours.get("region")) or word(table(context.get("location")).get("country")),
    })  # fmt: skip


def _consent(told: Json, options: SegmentOptions) -> tuple[str, Mapping[str, Any]]:
    """Preferences that came and that nobody explained grant nothing."""
    preferences = table(told.get("categoryPreferences"))
    if not preferences:
        return options.consent, {}
    granted = {name for name, yes in preferences.items() if yes is True}
    types: dict[str, str] = {}
    for category, named in options.categories.items():
        for kind in named:
            types[kind] = "granted" if category in granted or types.get(kind) == "granted" else "denied"
    return ("granted", {"gcm": types}) if "granted" in types.values() else ("denied", {})


def _event(message: Json, kind: str) -> dict[str, object] | str | None:
    if kind not in KINDS:
        return f"type is one of {', '.join(KINDS)}, not {kind[:40]!r}"
    if kind in _SILENT:
        return None
    name = "page_view" if kind in ("page", "screen") else SEGMENT.get(word(message.get("event")))
    if name is None:
        return f"{word(message.get('event'))[:80]!r} is no event of the e-commerce spec"
    properties = table(message.get("properties"))
    at = milliseconds(message.get("originalTimestamp") or message.get("timestamp"))
    identity = word(message.get("messageId")) or digest("sg", msgspec.json.encode(message))
    if at is None:
        return "timestamp is no time; write it like 2026-11-27T12:00:00Z"
    return {"id": identity[:128], "name": name, "ts": at, "params": _params(properties)}


def _params(properties: Json) -> dict[str, object]:
    products = tables(properties.get("products")) or [properties]
    lines = [
        line([one.get("product_id"), one.get("sku"), one.get("variant")], one.get("quantity"), one.get("price"))
        for one in products
    ]
    total = next((told for name in ("total", "revenue", "value") if (told := number(properties.get(name)))), None)
    return without_gaps({
        "items": [one for one in lines if "item_id" in one],
        "search_term": word(properties.get("query")),
        "value": total,
        "currency": word(properties.get("currency")),
        "item_list_id": word(properties.get("list_id")),
        "token": word(properties.get("token")),
        "transaction_id": word(properties.get("order_id")),
    })  # fmt: skip
