"""Everything the demo shop's pages ask: the catalogue, the aisles, the node's contextual answers and the templates."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from app.experiences.pages import Experience
from app.serving.money import money
from app.storefront.aisles import STAGE, Aisles
from app.storefront.cards import Card, card_of
from app.storefront.pages import Page, Shelf, Templates
from store.catalogue import Catalogue
from store.records import Ints, Item


@dataclass(frozen=True)
class Question:
    """What a page may tell the node when it asks for its shelves: nothing about the person."""

    placements: tuple[str, ...]
    region: str
    item: str = ""
    cart: tuple[str, ...] = ()
    filter: str = ""


@dataclass(frozen=True)
class Found:
    """A search as everyone would see it: item ids, how many match in all, and the attribution token."""

    ids: Sequence[str]
    total: int
    token: str = ""


Answer = tuple[str, Sequence[str]]
"""Attribution token and item ids of one shelf."""
AskShelves = Callable[[Question], Awaitable[Mapping[str, Answer]]]
AskSearch = Callable[[str, str, int], Awaitable[Found]]


@dataclass(frozen=True)
class Line:
    """One line of a cart."""

    item: Card
    quantity: int

    @property
    def sum(self) -> str:
        return money(self.item.amount * self.quantity, self.item.currency)


@dataclass(frozen=True)
class Storefront:
    """What the handlers of app/routes/demo.py work with; made once per node."""

    catalogue: Catalogue
    aisles: Aisles
    templates: Templates
    key: str
    ask_shelves: AskShelves
    ask_search: AskSearch
    experience: Callable[[str, bool], Experience]
    """The front page for a region, and for somebody who is known or not."""

    def item(self, item_id: str) -> Item | None:
        number = self.catalogue.number(item_id)
        return None if number is None else self.catalogue.item(number)

    def cards(self, ids: Iterable[str]) -> list[Card]:
        found = (self.item(item_id) for item_id in ids)
        return [card_of(item) for item in found if item]

    def cards_of(self, numbers: Ints | Sequence[int]) -> list[Card]:
        return [card_of(self.catalogue.item(int(number))) for number in numbers]

    async def shelves(self, page: Page, placements: Sequence[str], **context: object) -> dict[str, Shelf]:
        """The contextual shelves of a page, one question for all of them."""
        personal = {"recently-viewed", "buy-again"}  # say nothing without a person
        asked = tuple(name for name in placements if name not in personal)
        question = Question(asked, page.region, **context)  # type: ignore[arg-type]  # Question checks the names
        answers = await self.ask_shelves(question)
        shelves = {name: Shelf(name) for name in placements}
        for name, (token, ids) in answers.items():
            shelves[name] = Shelf(name, token, self.cards(ids))
        return shelves

    def lines(self, basket: Mapping[str, int]) -> list[Line]:
        """The cart's lines; what left the catalogue leaves the cart."""
        found = ((self.item(item_id), quantity) for item_id, quantity in basket.items())
        return [Line(card_of(item), quantity) for item, quantity in found if item]

    def stage(self, region: str) -> list[Card]:
        numbers = [self.aisles.best_of(path, region) for path in STAGE]
        return self.cards_of([number for number in numbers if number is not None])

    def tiles(self, region: str) -> list[dict[str, str]]:
        """A picture for every aisle, never one that is on the stage already."""
        stage = tuple(self.aisles.best_of(path, region) or -1 for path in STAGE)
        best = ((name, self.aisles.best_of(name, region, stage)) for name in self.aisles.tops())
        return [
            {"name": name, "image": self.catalogue.item(number).image} for name, number in best if number is not None
        ]
