import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from app.serving.options import PlacementOptions
from app.serving.placements import Placement, placements_of, problems_of
from app.serving.rank import merge, rank
from plugins.contract import NO_ITEMS, Allowed, Ints
from plugins.loading import shipped_names
from plugins.manager import load_plugins
from tests.small_shop import HIDDEN, SIZE, SOLD_OUT, asking, shopper, small_catalogue

CATALOGUE = small_catalogue()
ALL = load_plugins({name: {} for name in shipped_names()}, None)
SOME = load_plugins({name: {} for name in ("popular", "new_items", "in_stock")}, None)
POPULAR = Placement(name="plain", title="", retrieve=("popular",), weights={"popular": 1.0})


def ids(*numbers: int) -> Ints:
    return np.array(numbers, np.int32)


@given(st.lists(st.lists(st.integers(0, SIZE - 1), max_size=20, unique=True), max_size=4), st.integers(1, 40))
def test_merging_takes_turns_and_loses_nothing_below_the_bound(lists: list[list[int]], bound: int) -> None:
    proposals = {str(place): ids(*items) for place, items in enumerate(lists)}
    merged = merge(proposals, bound, asking(CATALOGUE)).items.tolist()
    everything = {number for items in lists for number in items}
    assert len(merged) == len(set(merged)) == min(bound, len(everything))
    assert set(merged) <= everything
    if len(everything) > bound >= len(lists):
        assert {items[0] for items in lists if items} <= set(merged)


@settings(max_examples=60, deadline=None)
@given(
    st.sets(st.integers(0, SIZE - 1)), st.lists(st.integers(0, SIZE - 1), max_size=10),
    st.lists(st.integers(0, SIZE - 1), max_size=8, unique=True), st.sampled_from(sorted(placements_of({}))),
    st.integers(1, 30),
)  # fmt: skip
def test_no_list_shows_what_is_forbidden_excluded_or_gone(
    allowed: set[int], excluded: list[int], history: list[int], placement: str, limit: int
) -> None:
    mask = np.zeros(SIZE, np.bool_)
    mask[list(allowed)] = True
    context = asking(
        CATALOGUE,
        visitor=shopper(*history),
        item=3,
        cart=ids(4),
        limit=limit,
        allowed=Allowed(mask),
        placement=placement,
    )
    ranking = rank(ALL, context, placements_of({})[placement], ids(*excluded), proposals=100, candidates=500)
    shown = ranking.items.tolist()
    assert len(shown) == len(set(shown)) <= limit
    assert set(shown) <= allowed - set(excluded) - {SOLD_OUT, HIDDEN, 3, 4}
    assert all(len(part) == len(shown) for part in ranking.parts.values())


def test_a_short_list_is_filled_up_from_the_back() -> None:
    placement = msgspec.structs.replace(POPULAR, retrieve=("history_neighbours",), fill=("popular", "new_items"))
    plugins = load_plugins({name: {} for name in ("history_neighbours", "popular", "new_items", "in_stock")}, None)
    context = asking(CATALOGUE, visitor=shopper(20), limit=10)
    ranking = rank(plugins, context, placement, NO_ITEMS, proposals=100, candidates=500)
    assert set(ranking.items[:4].tolist()) == {18, 19, 21, 22}
    assert ranking.items[4:].tolist() == [0, 1, 2, 3, 4, 5]
    assert ranking.filled == 6


def test_a_list_that_is_not_to_be_filled_stays_short() -> None:
    ranking = rank(
        ALL, asking(CATALOGUE, visitor=shopper(20)), placements_of({})["recently-viewed"], NO_ITEMS,
        proposals=100, candidates=500,
    )  # fmt: skip
    assert ranking.items.tolist() == [20]


def test_what_took_candidates_out_is_counted() -> None:
    mask = np.ones(SIZE, np.bool_)
    mask[30:] = False
    context = asking(CATALOGUE, allowed=Allowed(mask), limit=3)
    ranking = rank(SOME, context, POPULAR, ids(0, 1), proposals=30, candidates=500)
    assert ranking.considered == 30
    assert ranking.dropped == {"excluded": 2, "in_stock": 2}
    assert ranking.kept == 26
    assert ranking.items.tolist() == [2, 3, 4]


def test_a_placement_keeps_what_its_configuration_does_not_change() -> None:
    told = placements_of({"home": PlacementOptions(limit=4, weights={"taste": 0.0}), "landing": PlacementOptions()})
    shipped = placements_of({})["home"]
    assert told["home"].limit == 4
    assert told["home"].retrieve == shipped.retrieve
    # A boost of a rule counts as much as all the others together, whatever they are.
    assert told["home"].weights == shipped.weights | {"taste": 0.0, "rule_boosts": shipped.weights["rule_boosts"] - 1.0}
    assert told["landing"].retrieve == shipped.retrieve
    assert told["landing"].name == "landing"


def test_placements_that_name_what_is_not_there_are_told_all_at_once() -> None:
    configured = {
        "home": PlacementOptions(retrieve=("populer",), weights={"in_stock": 1.0, "trending": 1.0}),
        "cart": PlacementOptions(arrange=("popular",), fill=("nothing",)),
    }
    assert problems_of(configured, SOME) == [
        "placements.home.retrieve: there is no plugin 'populer'; did you mean 'popular'?",
        "placements.home.weights: plugin 'in_stock' has no score hook; these have: popular, new_items",
        "placements.cart.arrange: plugin 'popular' has no arrange hook; these have: ",
        "placements.cart.fill: there is no plugin 'nothing'; known here: new_items, popular",
    ]


def test_the_shipped_placements_name_only_plugins_that_ship() -> None:
    for placement in placements_of({}).values():
        assert set(placement.retrieve) | set(placement.fill) <= set(ALL.names("retrieve"))
        assert set(placement.weights) <= set(ALL.names("score"))
        assert set(placement.arrange) <= set(ALL.names("arrange"))
