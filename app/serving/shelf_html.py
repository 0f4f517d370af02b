"""A list as a piece of HTML: needs no script, moves nothing on the page, and the widget only wires it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

import web
from app.serving.money import money
from app.serving.recommend import Shelf
from store.catalogue import Catalogue
from store.records import Item

TEMPLATES = Path(web.__file__).parent / "templates"


@dataclass(frozen=True)
class Card:
    """An item as the page shows it; empty texts are left out."""

    id: str
    title: str
    url: str
    image: str
    amount: float | None
    price: str
    was: str
    currency: str
    reason: str


def shelf_html(shelf: Shelf, catalogue: Catalogue) -> str:
    """The markup of WEB.md's widget: a labelled section, a heading, a list of links. Nothing for an empty list."""
    if not len(shelf.items):
        return ""
    items = [
        card_of(catalogue.item(number), reason.text)
        for number, reason in zip(shelf.items.tolist(), shelf.reasons, strict=True)
    ]
    return _template().render(shelf=shelf, items=items)


def card_of(item: Item, reason: str) -> Card:
    """An item with its price written out; addresses other than http(s) and relative ones are dropped."""
    reduced = item.price is not None and item.sale_price is not None and item.sale_price < item.price
    amount = item.sale_price if reduced else item.price
    return Card(
        item.id,
        item.title,
        _safe(item.url),
        _safe(item.image),
        amount,
        money(amount, item.currency) if amount is not None else "",
        money(item.price, item.currency) if reduced and item.price is not None else "",
        item.currency,
        reason,
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template("shelf.html")


def _safe(url: str) -> str:
    try:
        return url if urlsplit(url).scheme in ("", "http", "https") else ""
    except ValueError:
        return ""
