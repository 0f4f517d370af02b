"""Placements: what each place of the shop asks, weighs and arranges, and what it would show right now."""

from __future__ import annotations

import msgspec

from app.console.asked import Answer, Asked, Page
from app.console.charts import Slice, stacked
from app.console.items import ItemLine, item_line
from app.problem import Problem
from app.serving.placements import Placement
from app.serving.recommend import Ask, Shelf
from app.serving.recommend import Page as Where
from plugins.contract import Visitor

NOBODY = Visitor()
SHOWN = 12


class Weight(msgspec.Struct, frozen=True):
    """One scorer of a placement; `share` of the largest weight."""

    plugin: str
    weight: float
    share: float
    on: bool


class PlacementLine(msgspec.Struct, frozen=True):
    """One placement in the list."""

    name: str
    title: str
    limit: int
    retrieve: list[str]
    arrange: list[str]
    filter: str
    own: bool
    """Changed or added by the configuration."""


class Placements(msgspec.Struct, frozen=True):
    """GET /console/placements.json"""

    placements: list[PlacementLine]


class Shown(msgspec.Struct, frozen=True):
    """One item of the list as it is now."""

    item: ItemLine
    parts: dict[str, float]
    reason: str


class PlacementScreen(msgspec.Struct, frozen=True):
    """One placement, and the list it gives to a visitor nothing is known of."""

    placement: PlacementLine
    weights: list[Weight]
    fill: list[str]
    exclude_bought: bool
    region: str
    item: str
    strategy: str
    considered: int
    kept: int
    dropped: dict[str, int]
    shown: list[Shown]


async def listing(asked: Asked) -> Answer:
    found = [_line(asked, placement) for placement in asked.node.recommender.placements.values()]
    return Page("placements.html", "Placements", Placements(found))


async def placement(asked: Asked) -> Answer:
    node = asked.node
    found = node.recommender.placements.get(asked.path("name"))
    if found is None:
        known = ", ".join(sorted(node.recommender.placements))
        raise Problem(404, "There is no such placement", f"there are {known}; [placements.NAME] adds one")
    region, item_id = asked.query("region").upper()[:64], asked.query("item")[:128]
    number = node.catalogue.number(item_id) if item_id else None
    where = Where(region=region, item=-1 if number is None else number)
    now = node.clock.now()
    shelf = node.recommender.shelves([Ask(found.name, SHOWN)], where, NOBODY, now, dry_run=True, seed=int(now))[0]
    able = set(node.plugins.names("score"))
    largest = max(found.weights.values(), default=1.0) or 1.0
    weights = [
        Weight(plugin, weight, weight / largest, plugin in able)
        for plugin, weight in sorted(found.weights.items(), key=lambda pair: -pair[1])
    ]
    ranking = shelf.made.ranking
    data = PlacementScreen(
        _line(asked, found), weights, list(found.fill), found.exclude_bought, region, item_id, shelf.strategy,
        ranking.considered, ranking.kept, {name: count for name, count in ranking.dropped.items() if count},
        shown_of(asked, shelf),
    )  # fmt: skip
    bars, names = bars_of([each.parts for each in data.shown])
    extra = {
        "bars": bars, "names": names, "unknown_item": bool(item_id) and number is None,
        "regions": [("", "Any region"), *((name, name) for name in sorted(node.catalogue.region_names))],
    }  # fmt: skip
    return Page("placement.html", found.title or found.name, data, extra=extra)


def shown_of(asked: Asked, shelf: Shelf) -> list[Shown]:
    """A list with each item's share of the score, by scorer."""
    ranking = shelf.made.ranking
    return [
        Shown(
            item_line(asked.node.catalogue, number),
            {name: round(float(part[place]), 4) for name, part in ranking.parts.items() if part[place]},
            shelf.reasons[place].text if place < len(shelf.reasons) else "",
        )
        for place, number in enumerate(ranking.items.tolist())
    ]


def bars_of(rows: list[dict[str, float]]) -> tuple[list[list[Slice]], list[str]]:
    """Stacked bars of score parts, and the parts' names, the largest part first."""
    sums: dict[str, float] = {}
    for row in rows:
        for name, part in row.items():
            sums[name] = sums.get(name, 0.0) + abs(part)
    names = sorted(sums, key=lambda name: -sums[name])
    return stacked(rows, names), names


def _line(asked: Asked, found: Placement) -> PlacementLine:
    return PlacementLine(
        found.name, found.title, found.limit, list(found.retrieve), list(found.arrange), found.filter,
        found.name in asked.node.config.placements,
    )  # fmt: skip
