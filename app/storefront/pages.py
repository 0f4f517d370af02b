"""Fills the demo shop's templates: what every page knows of its visitor, and the frame around what it shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec
from markupsafe import Markup

import web
from app.demo.storefront_words import CATEGORY_LINES
from app.storefront.assets import Assets
from app.storefront.cards import LOCALE
from app.templates import templates_in

TEMPLATES: Final = Path(web.__file__).parent / "demo" / "templates"
REGIONS: Final = {
    "FR": "France",
    "DE": "Germany",
    "NL": "Netherlands",
    "BE": "Belgium",
    "IT": "Italy",
    "ES": "Spain",
    "AT": "Austria",
    "UK": "United Kingdom",
}


@dataclass(frozen=True)
class Shelf:
    """A shelf as it is before the widget takes over: the contextual answer, the same for everyone."""

    placement: str
    token: str = ""
    items: Sequence[object] = field(default_factory=tuple)


@dataclass(frozen=True)
class Persona:
    """A generated shopper one may browse as: a name, a line about them, and the random id their history lies under."""

    name: str
    line: str
    anon: str
    region: str


@dataclass(frozen=True)
class Page:
    """What every page knows: from its own cookies, which the personalization server never sees."""

    path: str
    region: str
    key: str
    consent: str = ""
    purposes: tuple[str, ...] = ()
    cart_count: int = 0
    query: str = ""
    aisle: str = ""
    locale: str = LOCALE

    @property
    def region_name(self) -> str:
        return REGIONS[self.region]

    @property
    def personal(self) -> bool:
        """True where the visitor agreed to be recognised: the page then leaves its shelves to the widget."""
        return self.consent in ("granted", "session")

    @property
    def purchases(self) -> bool:
        return self.personal and "vault.purchases" in self.purposes


class Templates:
    """The demo shop's templates with what is the same on every page."""

    def __init__(self, shop: str, assets: Assets, categories: Sequence[str], personas: Sequence[Persona]) -> None:
        self._environment = templates_in(TEMPLATES)
        self._environment.globals.update(
            shop=shop,
            lines=CATEGORY_LINES,
            asset=assets.url,
            categories=categories,
            personas=personas,
            regions=tuple(REGIONS.items()),
        )

    def render(self, name: str, page: Page, **values: object) -> str:
        return self._environment.get_template(name).render(page=page, **values)


def data_block(event: object) -> Markup:
    """An event's params for a `<script type="application/json">`: JSON that cannot close the element it stands in."""
    text = msgspec.json.encode(event).decode()
    return Markup(text.replace("<", "\\u003c").replace("&", "\\u0026"))
