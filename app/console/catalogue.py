"""The catalogue: find a product, see what the shop says about it and what was learned around it."""

from __future__ import annotations

from urllib.parse import urlencode

import msgspec
import numpy as np

from app.console.asked import Answer, Asked, Page
from app.console.items import ItemLine, item_line, item_lines, picture
from app.console.rule_words import condition_words
from app.node import Node
from app.problem import Problem
from store.records import Ints, Item
from store.sparse import Rows, row

PAGE = 50
NEIGHBOURS = 12
STATES = {"": "Every state", "shown": "Shown", "out_of_stock": "Sold out", "hidden": "Hidden"}
SORTS = {"popular": "Popular first", "newest": "Newest first", "price": "Cheapest first", "dear": "Dearest first"}


class Listing(msgspec.Struct, frozen=True):
    """One page of the catalogue."""

    items: list[ItemLine]
    total: int
    start: int
    query: str
    category: str
    state: str
    sort: str
    corrected: dict[str, str] = {}
    """Words nobody has -> what was searched instead."""


class Neighbours(msgspec.Struct, frozen=True):
    """Products one kind of closeness leads to, the closest first."""

    name: str
    what: str
    items: list[ItemLine]


class Touching(msgspec.Struct, frozen=True):
    """One rule in force that does something to the product where it holds."""

    id: str
    name: str
    does: str
    when: str


class Product(msgspec.Struct, frozen=True):
    """One product with what was learned around it."""

    item: Item
    line: ItemLine
    rank: int | None
    """Its place by distinct buyers, 1 = most bought; None where nothing was learned of it."""
    of: int
    sensitive: bool
    neighbours: list[Neighbours]
    rules: list[Touching]


async def listing(asked: Asked) -> Answer:
    node, catalogue = asked.node, asked.node.catalogue
    query, category, state = asked.query("q")[:200], asked.query("category"), asked.query("state")
    sort = asked.query("sort") or ("" if query else "popular")
    start = asked.number("start", 0, 1_000_000)
    corrected: dict[str, str] = {}
    if query:
        exact = catalogue.number(query)
        found = node.search.matches(query)
        numbers, corrected = found.items, dict(found.corrected)
        if exact is not None:
            numbers, corrected = np.concatenate(([exact], numbers[numbers != exact])).astype(np.int32), {}
    else:
        numbers = np.arange(catalogue.size, dtype=np.int32)
    numbers = _sorted(node, _narrowed(node, numbers, category, state), sort)
    numbers = np.array([number for number in numbers.tolist() if catalogue.exists(number)], np.int32)
    here = numbers[start : start + PAGE].tolist()
    data = Listing(item_lines(catalogue, here), len(numbers), start, query, category, state, sort, corrected)
    told = {"q": query, "category": category, "state": state, "sort": sort}

    def page(at: int) -> str:
        return "/console/catalogue?" + urlencode({**{k: v for k, v in told.items() if v}, "start": at})

    extra = {
        "states": list(STATES.items()), "sorts": ([("", "Best match")] if query else []) + list(SORTS.items()),
        "categories": [("", "Every category"), *sorted((path, path.replace("/", " › "))
                                                       for path in catalogue.category_names)],
        "before": page(max(0, start - PAGE)) if start else "",
        "after": page(start + PAGE) if start + PAGE < len(numbers) else "",
        "empty_shop": not catalogue.size,
    }  # fmt: skip
    return Page("catalogue.html", "Catalogue", data, extra=extra)


async def product(asked: Asked) -> Answer:
    catalogue, model = asked.node.catalogue, asked.node.model
    number = catalogue.number(asked.path("id"))
    if number is None:
        raise Problem(404, "There is no such product", "it was removed, or its id is spelled otherwise")
    popularity = model.popularity("")
    known = popularity is not None and number < len(popularity)
    data = Product(
        catalogue.item(number),
        item_line(catalogue, number),
        1 + int(np.count_nonzero(popularity > popularity[number])) if popularity is not None and known else None,
        len(popularity) if popularity is not None else 0,
        bool(catalogue.sensitive[number]),
        _neighbours(asked.node, number),
        _touching(asked.node, number),
    )
    return Page("product.html", data.item.title, data, extra={"picture": picture(data.item.image)})


def _narrowed(node: Node, numbers: Ints, category: str, state: str) -> Ints:
    catalogue = node.catalogue
    if category:
        numbers = numbers[np.isin(catalogue.category[numbers], catalogue.categories_below(category))]
    if state == "shown":
        numbers = numbers[catalogue.servable[numbers]]
    elif state in ("out_of_stock", "hidden"):
        wanted = [
            number
            for number in numbers[~catalogue.servable[numbers]].tolist()
            if catalogue.exists(number) and (catalogue.item(number).hidden == (state == "hidden"))
        ]
        numbers = np.array(wanted, np.int32)
    return numbers


def _sorted(node: Node, numbers: Ints, sort: str) -> Ints:
    """Stable; what has no figure comes last."""
    catalogue = node.catalogue
    if sort == "newest":
        return numbers[np.argsort(-catalogue.published[numbers], kind="stable")]
    if sort in ("price", "dear"):
        price = catalogue.price[numbers]
        return numbers[np.argsort(np.where(np.isnan(price), np.inf, price if sort == "price" else -price),
                                  kind="stable")]  # fmt: skip
    if sort == "popular" and (popularity := node.model.popularity("")) is not None:
        value = np.zeros(catalogue.size, np.float32)
        value[: len(popularity)] = popularity
        return numbers[np.argsort(-value[numbers], kind="stable")]
    return numbers


def _neighbours(node: Node, number: int) -> list[Neighbours]:
    model = node.model
    found = []
    vectors = model.content_vectors(np.array([number], np.int32))
    if vectors is not None:
        items, scores = model.nearest_by_content(vectors[0], NEIGHBOURS + 1)
        found.append(("Alike", "By what the catalogue says about them; nobody's behaviour is in it.", items, scores))
    for name, what, matrix in (
        ("Viewed by the same people", "Learned from visits of people who agreed to it.", model.neighbours),
        ("Bought together", "In one order, or by one person within days.", model.together),
    ):
        if matrix is not None and number < len(matrix.indptr) - 1:
            found.append((name, what, *_row(matrix, number)))
    return [
        Neighbours(name, what, [
            item_line(node.catalogue, int(other), score=round(float(score), 3))
            for other, score in zip(items, scores, strict=True)
            if other != number and node.catalogue.exists(int(other))
        ][:NEIGHBOURS])
        for name, what, items, scores in found
    ]  # fmt: skip


def _touching(node: Node, number: int) -> list[Touching]:
    """The rules in force that name it; of filters those that do not."""
    published, item = node.rules.published, np.array([number], np.int32)
    does = {"boost": "boosts it", "bury": "buries it", "pin": "pins it", "filter": "hides it"}
    return [
        Touching(ready.rule.id, ready.rule.name, does[ready.rule.then.do], condition_words(ready.rule.when))
        for ready in published.rules
        if bool(published.names(ready, item)[0]) != (ready.rule.then.do == "filter")
    ]


def _row(matrix: Rows, number: int) -> tuple[Ints, np.ndarray]:
    items, strengths = row(matrix, number)
    order = np.argsort(-strengths, kind="stable")[:NEIGHBOURS]
    return items[order], strengths[order]
