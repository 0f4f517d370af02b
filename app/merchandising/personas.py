"""Visitors made up by staff, to look at the shop with their eyes. No real person is in them, and none can be saved."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta

from app.rules.model import RuleId, Word
from app.serving.recommend import Page
from plugins.contract import NO_ITEMS, Ints, Visitor
from store.catalogue import Catalogue
from store.records import Purpose

Ids = Annotated[list[Word], Meta(max_length=100)]
CONSENTED = Purpose.SESSION | Purpose.PROFILE | Purpose.PURCHASES | Purpose.EXPERIMENTS
DAY = 86_400.0


class PersonaOnWire(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Who is imagined, and where."""

    name: Annotated[str, Meta(min_length=1, max_length=100)]
    viewed: Ids = []
    """Items looked at, the last one last."""
    bought: Ids = []
    likes: Annotated[dict[Word, Annotated[float, Meta(ge=-1, le=1)]], Meta(max_length=50)] = {}
    """Affinities, such as `category:shoes/running`, `brand:Alder` or `band:3` (a price band, 0 to 9), from -1 to 1."""
    segments: Annotated[list[Word], Meta(max_length=50)] = []
    arms: Annotated[dict[Word, Word], Meta(max_length=20)] = {}
    region: Annotated[str, Meta(max_length=64)] = ""
    device: Annotated[str, Meta(max_length=32)] = ""
    item: Annotated[str, Meta(max_length=128)] = ""
    """The page is about this item."""
    cart: Ids = []
    category: Annotated[str, Meta(max_length=400)] = ""
    """Or about this category."""


class Persona(PersonaOnWire, frozen=True, kw_only=True, omit_defaults=True):
    """A saved one."""

    id: RuleId


NOBODY = PersonaOnWire(name="A new visitor")


def visitor_of(persona: PersonaOnWire, catalogue: Catalogue) -> Visitor:
    """The persona as plugins see a visitor who agreed to everything."""
    viewed, bought = _numbers(persona.viewed, catalogue), _numbers(persona.bought, catalogue)
    history = np.array(list(dict.fromkeys([*bought.tolist(), *viewed.tolist()])), np.int32)
    if not len(history) and not persona.likes:
        return Visitor(segments=frozenset(persona.segments), arms=persona.arms)
    return Visitor(
        purposes=CONSENTED, viewed=viewed, history=history, weights=np.ones(len(history), np.float32),
        seen_at=(60 * np.arange(len(history), 0, -1)).astype(np.float32), bought=bought,
        bought_times=np.ones(len(bought), np.float32), bought_ago=np.full(len(bought), 30 * DAY, np.float32),
        affinities=dict(persona.likes), segments=frozenset(persona.segments), arms=persona.arms,
    )  # fmt: skip


def page_of(persona: PersonaOnWire, catalogue: Catalogue) -> Page:
    """Where the persona is."""
    item = catalogue.number(persona.item) if persona.item else None
    return Page(
        region=persona.region, device=persona.device, item=-1 if item is None else item,
        cart=_numbers(persona.cart, catalogue), category=persona.category,
    )  # fmt: skip


def unknown_ids(persona: PersonaOnWire, catalogue: Catalogue) -> list[str]:
    """Items that the catalogue does not know (any more)."""
    named: Sequence[str] = [*persona.viewed, *persona.bought, *persona.cart, *([persona.item] if persona.item else [])]
    return [item for item in dict.fromkeys(named) if catalogue.number(item) is None]


def _numbers(ids: Iterable[str], catalogue: Catalogue) -> Ints:
    numbers = [number for item in ids if (number := catalogue.number(item)) is not None]
    return np.array(list(dict.fromkeys(numbers)), np.int32) if numbers else NO_ITEMS
