"""Connects the demo shop's pages with the node that serves them: its catalogue, its answers, its key."""

from __future__ import annotations

from collections.abc import Mapping

from app.demo import personas
from app.demo.mark import read_mark
from app.experiences.pages import Experience
from app.node import Node
from app.rules.index import Facts
from app.search.search import Search, Searcher
from app.serving.recommend import Ask
from app.serving.recommend import Page as Where
from app.serving.request import numbers_of
from app.storefront.aisles import Aisles
from app.storefront.assets import Assets
from app.storefront.pages import Persona, Templates
from app.storefront.shop import Answer, Found, Question, Storefront
from plugins.contract import Visitor
from store.records import Floats, Ints

NOBODY = Visitor()
SHELF_ITEMS = 12
SEED_SECONDS = 60
"""Everyone sees the same contextual shelf for a while."""


def storefront_of(node: Node, assets: Assets) -> Storefront:
    """The demo shop over an open node."""

    def popularity(region: str) -> Floats | None:
        return node.model.popularity(region)  # of the generation that serves now

    aisles = Aisles(node.catalogue, popularity)
    templates = Templates(node.config.shop.name, assets, aisles.tops(), _personas(node))
    public = next((key.shown for key in node.keys.api_keys() if key.kind == "public"), "")
    searcher = Searcher(node.search, node.recommender, lambda: node.model, node.config.search)

    def ids(numbers: Ints) -> list[str]:
        return [node.catalogue.ids[number] for number in numbers.tolist()]

    async def ask_shelves(question: Question) -> Mapping[str, Answer]:
        number = node.catalogue.number(question.item)
        where = Where(
            region=question.region,
            item=-1 if number is None else number,
            cart=numbers_of(question.cart, node.catalogue),
        )
        asks = [Ask(placement, SHELF_ITEMS, filter=question.filter) for placement in question.placements]
        now = node.clock.now()
        shelves = node.recommender.shelves(asks, where, NOBODY, now, seed=int(now // SEED_SECONDS))
        return {shelf.placement: (shelf.token, ids(shelf.items)) for shelf in shelves}

    async def ask_search(query: str, region: str, limit: int) -> Found:
        found = searcher.search(Search(query, limit), Where(region=region), NOBODY, node.clock.now())
        return Found(ids(found.shelf.items), found.total, found.shelf.token)

    def experience(region: str, known: bool) -> Experience:
        return node.experiences.show("home", Facts(node.clock.now(), "", region), known=known)

    return Storefront(node.catalogue, aisles, templates, public, ask_shelves, ask_search, experience)


def _personas(node: Node) -> list[Persona]:
    """The generated shoppers one may browse as; none where the catalogue is not the generated one."""
    mark = read_mark(node.folder)
    if mark is None:
        return []
    return [Persona(who.name, who.line, who.anon, who.region) for who in personas(mark.seed, mark.now)]
