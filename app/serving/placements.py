"""The places of a shop that show recommendations, as they ship and as the configuration changes them."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from app.filters.language import FilterError, parse_filter
from app.serving.options import PlacementOptions
from plugins.loading import did_you_mean, shipped_names
from plugins.manager import Plugins
from plugins.ruling import RULE_SCORE, RULES_FIRST, RULES_PROPOSE


class Placement(msgspec.Struct, frozen=True, kw_only=True):
    """One place: who proposes, how much each scorer counts, who arranges."""

    name: str = ""
    title: str
    fill_title: str = "You may also like"
    limit: int = 10
    retrieve: tuple[str, ...]
    weights: dict[str, float]
    arrange: tuple[str, ...] = ()
    fill: tuple[str, ...] = ("popular", "new_items")
    filter: str = ""
    exclude_bought: bool = False
    distinct: bool = True


SHIPPED: dict[str, Placement] = {
    "home": Placement(
        title="For you",
        retrieve=(
            "taste", "history_neighbours", "session_neighbours", "buy_again", "content_similar",
            "selling_now", "popular", "new_items",
        ),
        weights={
            "taste": 1.0, "history_neighbours": 0.3, "session_neighbours": 0.6, "affinity": 0.4, "selling_now": 0.6,
            "popular": 0.1, "price_level": 0.1, "content_similar": 0.3, "new_items": 0.05, "buy_again": 0.8,
        },
        arrange=("diversity", "explore_new"),
    ),
    "similar": Placement(
        title="Similar items",
        retrieve=("item_neighbours", "content_similar"),
        weights={"item_neighbours": 1.0, "content_similar": 1.0, "taste": 0.2, "affinity": 0.15, "popular": 0.05},
    ),
    "bought-together": Placement(
        title="Often bought together",
        retrieve=("bought_together", "item_neighbours"),
        weights={"bought_together": 1.0, "item_neighbours": 0.3, "taste": 0.15, "popular": 0.05},
    ),
    "cart": Placement(
        title="Goes with your cart",
        retrieve=("bought_together", "item_neighbours", "session_neighbours", "history_neighbours"),
        weights={
            "bought_together": 1.0, "item_neighbours": 0.3, "session_neighbours": 0.3, "taste": 0.3, "popular": 0.1,
        },
        arrange=("diversity",),
    ),
    "trending": Placement(
        title="Trending now",
        retrieve=("trending", "popular"),
        weights={"trending": 1.0, "popular": 0.2, "affinity": 0.3, "taste": 0.3},
        arrange=("diversity",),
    ),
    "new": Placement(
        title="New in",
        retrieve=("new_items",),
        weights={"new_items": 1.0, "affinity": 0.6, "content_similar": 0.3, "taste": 0.3},
        arrange=("diversity",),
    ),
    "recently-viewed": Placement(
        title="You looked at these", retrieve=("recently_viewed",), weights={"recently_viewed": 1.0}, fill=(),
        distinct=False,
    ),
    "buy-again": Placement(
        title="Buy again", retrieve=("buy_again",), weights={"buy_again": 1.0}, fill=(), distinct=False,
    ),
}  # fmt: skip


def placements_of(configured: Mapping[str, PlacementOptions]) -> dict[str, Placement]:
    """Every placement by name: what ships, with the configuration laid over it."""
    placements = {name: msgspec.structs.replace(placement, name=name) for name, placement in SHIPPED.items()}
    for name, options in configured.items():
        base = placements.get(name) or msgspec.structs.replace(SHIPPED["home"], name=name, title="")
        told = {key: value for key, value in msgspec.structs.asdict(options).items() if value is not None}
        if options.weights is not None:
            told["weights"] = base.weights | options.weights
        placements[name] = msgspec.structs.replace(base, **told)
    return {name: with_rules(placement) for name, placement in placements.items()}


def with_rules(placement: Placement) -> Placement:
    """The placement with the plugins that apply rules: no configuration of a placement leaves them out.

    Where it does not say how much a boost counts, one of strength 1 counts as much as all other scores together.
    """
    weights = placement.weights
    if RULE_SCORE not in weights:
        weights = weights | {RULE_SCORE: sum(weight for weight in weights.values() if weight > 0) or 1.0}
    arrange = (RULES_FIRST, *(name for name in placement.arrange if name != RULES_FIRST))
    retrieve = (*placement.retrieve, *(name for name in RULES_PROPOSE if name not in placement.retrieve))
    return msgspec.structs.replace(placement, weights=weights, arrange=arrange, retrieve=retrieve)


def problems_of(configured: Mapping[str, PlacementOptions], plugins: Plugins) -> list[str]:
    """What is wrong with the plugins and filters of [placements.NAME] tables, each with its TOML path.

    A plugin that ships but is switched off is no mistake: the placement does without it.
    """
    problems: list[str] = []
    for name, options in configured.items():
        if options.filter:
            try:
                parse_filter(options.filter)
            except FilterError as error:
                problems.append(f"placements.{name}.filter: {error}")
        asked = (
            ("retrieve", "retrieve", options.retrieve or ()),
            ("weights", "score", tuple(options.weights or ())),
            ("arrange", "arrange", options.arrange or ()),
            ("fill", "retrieve", options.fill or ()),
        )
        for setting, hook, plugin_names in asked:
            able = plugins.names(hook)
            on = {found.name for found in plugins.found}
            for plugin in plugin_names:
                path = f"placements.{name}.{setting}"
                if plugin in on and plugin not in able:
                    problems.append(f"{path}: plugin {plugin!r} has no {hook} hook; these have: {', '.join(able)}")
                elif plugin not in on and plugin not in shipped_names():
                    problems.append(f"{path}: there is no plugin {plugin!r}{did_you_mean(plugin, able)}")
    return problems
