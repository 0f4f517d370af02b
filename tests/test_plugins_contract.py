"""What every plugin that ships promises, for any request; then what each one is there for."""

import dataclasses
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from plugins.contract import HISTORY_FOLLOWED, NO_ITEMS, Allowed, Board, Candidates, Context, Ints, Visitor, scaled
from plugins.links import links_of
from plugins.loading import shipped_names
from plugins.manager import Plugins, load_plugins
from plugins.verify import hook_arguments
from store.records import Line, LoggedEvent, Purpose
from tests.small_shop import (
    CONSENTED,
    DAY,
    HIDDEN,
    NOW,
    ONLY_FR,
    SIZE,
    SOLD_OUT,
    NothingLearned,
    SmallModel,
    asking,
    shopper,
    small_catalogue,
)

CATALOGUE = small_catalogue()
# Ten items came after the training.
MODELS = (SmallModel(), SmallModel(SIZE - 10, "older"), NothingLearned())
ALL = load_plugins({name: {} for name in shipped_names()}, None)
HOT = ("retrieve", "keep", "score", "arrange")

numbers = st.lists(st.integers(0, SIZE - 1), max_size=12, unique=True).map(lambda items: np.array(items, np.int32))


def one(name: str, **options: object) -> Plugins:
    return load_plugins({name: options}, None)


def of(*items: int) -> Candidates:
    return Candidates(np.array(items, np.int32), CATALOGUE)


@st.composite
def visitors(draw: st.DrawFn) -> Visitor:
    history, bought = draw(numbers), draw(numbers)
    keys = [key for number in history.tolist() for key in CATALOGUE.affinity_keys(number)]
    return Visitor(
        purposes=CONSENTED,
        visit=draw(st.integers(0, 3)),
        viewed=draw(numbers),
        history=history,
        weights=np.array(draw(st.lists(st.floats(-1, 9, width=32), min_size=12, max_size=12)), np.float32)[
            : len(history)
        ],
        seen_at=np.arange(len(history), dtype=np.float32) * 1000,
        bought=bought,
        bought_times=np.arange(len(bought), dtype=np.float32) - 1,
        bought_ago=np.arange(len(bought), dtype=np.float32) * np.float32(DAY),
        affinities=dict.fromkeys([*keys, "brand:gone"], 0.5),
        dismissed=draw(numbers),
        extra={"price_level.log_price": 2.0} if draw(st.booleans()) else {},
    )


@st.composite
def contexts(draw: st.DrawFn) -> Context:
    mask = np.array(draw(st.lists(st.booleans(), min_size=SIZE, max_size=SIZE)))
    return asking(
        CATALOGUE, draw(st.sampled_from(MODELS)), draw(visitors()), limit=draw(st.integers(1, 20)),
        placement=draw(st.sampled_from(["home", "similar"])), region=draw(st.sampled_from(["", "FR", "XX"])),
        item=draw(st.integers(-1, SIZE - 1)), cart=draw(numbers), searching=draw(st.booleans()),
        seed=draw(st.integers(0, 2**63)), allowed=draw(st.sampled_from([None, Allowed(mask)])),
    )  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(contexts(), st.lists(st.integers(0, SIZE - 1), max_size=40, unique=True), st.integers(1, 30))
def test_every_plugin_answers_every_request_in_the_shape_it_promised(
    context: Context, items: list[int], limit: int
) -> None:
    candidates = of(*items)
    before = {call: call.failures for hook in HOT for call in ALL.calls[hook]}
    for call in ALL.calls["retrieve"]:
        proposed = call.function(context, limit)
        if proposed is not None:
            assert len(proposed) <= limit
            assert len(set(proposed.tolist())) == len(proposed)
            assert all(0 <= number < SIZE for number in proposed.tolist())
    ALL.retrieve(context, limit)
    assert ALL.keep(candidates, context).shape == (len(items),)
    total, parts = ALL.score(candidates, context, dict.fromkeys(ALL.names("score"), 1.0))
    assert total.dtype == np.float32
    for part in parts.values():
        assert part.shape == (len(items),)
        assert np.isfinite(part).all()
        assert (np.abs(part) <= 1.0001).all()
    order = ALL.arrange(candidates, context).tolist()
    assert sorted(order) == list(range(len(items)))
    assert {call: call.failures for hook in HOT for call in ALL.calls[hook]} == before


@settings(max_examples=50, deadline=None)
@given(contexts(), st.lists(st.integers(0, SIZE - 1), max_size=30, unique=True))
def test_equal_questions_have_equal_answers(context: Context, items: list[int]) -> None:
    again = dataclasses.replace(context, board=Board())
    weights = dict.fromkeys(ALL.names("score"), 1.0)
    assert_array_equal(ALL.score(of(*items), context, weights)[0], ALL.score(of(*items), again, weights)[0])
    assert_array_equal(ALL.arrange(of(*items), context), ALL.arrange(of(*items), again))


def test_every_hook_is_used_by_a_plugin_that_ships_and_is_documented() -> None:
    text = (Path(__file__).parent.parent / "plugins" / "README.md").read_text()
    for hook in hook_arguments():
        assert ALL.names(hook), f"nothing that ships uses {hook}"
        assert re.search(rf"^### `{hook}\(", text, re.MULTILINE), f"plugins/README.md does not document {hook}"
    for name in shipped_names():
        assert f"`{name}`" in text


def test_nothing_personal_is_used_of_a_visitor_who_agreed_to_nothing() -> None:
    context = asking(CATALOGUE)
    _, parts = ALL.score(of(*range(20)), context, dict.fromkeys(ALL.names("score"), 1.0))
    assert set(parts) == {"popular", "selling_now", "trending", "new_items"}


def test_sold_out_and_hidden_items_never_pass() -> None:
    assert one("in_stock").keep(of(SOLD_OUT, 1, HIDDEN), asking(CATALOGUE)).tolist() == [False, True, False]


def test_an_item_is_shown_only_in_its_regions() -> None:
    for region, shown in (("FR", True), ("DE", False), ("", True)):
        context = asking(CATALOGUE, region=region)
        assert one("region").keep(of(1, ONLY_FR), context).tolist() == [True, shown]


def test_what_was_dismissed_is_not_offered_but_can_be_searched() -> None:
    visitor = shopper(1, dismissed=(3, 50))
    assert one("dismissed").keep(of(2, 3, 4), asking(CATALOGUE, visitor=visitor)).tolist() == [True, False, True]
    assert one("dismissed").keep(of(2, 3, 4), asking(CATALOGUE, visitor=visitor, searching=True)).all()


def test_the_pages_own_item_and_the_cart_are_not_recommended() -> None:
    context = asking(CATALOGUE, item=2, cart=np.array([4], np.int32))
    assert one("not_on_page").keep(of(2, 3, 4), context).tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("name", "told", "first"),
    [
        ("popular", {}, [0, 1, 2]),
        ("trending", {}, [59, 58, 57]),
        ("new_items", {}, [0, 1, 2]),
        ("item_neighbours", {"item": 20}, [21, 19, 22]),
        ("bought_together", {"item": 20}, [30, 10]),
        ("bought_together", {"cart": np.array([20, 30], np.int32)}, [30, 40, 10]),
        ("content_similar", {"item": 20}, [0, 4, 8]),
        ("session_neighbours", {"visitor": shopper(5, 20)}, [21, 22]),
        ("history_neighbours", {"visitor": shopper(20, 22)}, [21, 23, 19]),
        ("recently_viewed", {"visitor": shopper(9, 1, 2, 3)}, [3, 2, 1, 9]),
        ("buy_again", {"visitor": shopper(1, bought=(8, 9))}, [8, 9]),
        ("taste", {"visitor": shopper(30)}, [30, 29, 31]),
    ],
)
def test_each_retriever_proposes_what_it_is_there_for(name: str, told: dict[str, Any], first: list[int]) -> None:
    plugins = one(name)
    proposed = plugins.retrieve(asking(CATALOGUE, **told), 20)[name].tolist()
    assert proposed[: len(first)] == first


@pytest.mark.parametrize("name", ["popular", "trending", "new_items", "taste", "content_similar"])
def test_retrievers_fill_their_proposals_under_a_selective_filter(name: str) -> None:
    mask = np.zeros(SIZE, np.bool_)
    mask[[20, 24, 28, 32]] = True
    context = asking(CATALOGUE, visitor=shopper(20), allowed=Allowed(mask))
    assert set(one(name).retrieve(context, 30)[name].tolist()) == {20, 24, 28, 32}


def test_affinity_prefers_the_liked_category_and_brand() -> None:
    visitor = dataclasses.replace(shopper(1), affinities={"category:shoes/running": 1.0, "brand:Alder": 1.0})
    scores, _ = one("affinity").score(of(0, 4, 3, 2), asking(CATALOGUE, visitor=visitor), {"affinity": 1.0})
    both, category, brand, neither = scores.tolist()
    assert both > category > brand > neither == 0


def test_new_items_are_worth_half_after_their_half_life() -> None:
    scores, _ = one("new_items", half_life_days=10).score(of(0, 10, 20), asking(CATALOGUE), {"new_items": 1.0})
    assert scores.tolist() == pytest.approx([1, 0.5, 0.25], rel=1e-3)


def test_a_price_twice_the_usual_one_scores_half() -> None:
    visitor = dataclasses.replace(shopper(1), extra={"price_level.log_price": float(np.log(10))})
    scores, _ = one("price_level").score(of(9, 19, 4), asking(CATALOGUE, visitor=visitor), {"price_level": 1.0})
    assert scores.tolist() == pytest.approx([1, 0.5, 0.5], rel=1e-5)


def test_what_was_bought_yesterday_can_be_given_a_rest() -> None:
    context = asking(CATALOGUE, visitor=shopper(1, bought=(5,)))
    assert one("buy_again").retrieve(context, 5)["buy_again"].tolist() == [5]
    assert one("buy_again", rest_days=30).retrieve(context, 5)["buy_again"].tolist() == []


def test_a_search_judges_matches_by_what_they_mean_to_the_visitor_not_by_the_best_of_them() -> None:
    often = dataclasses.replace(shopper(1, bought=(5, 6)), bought_times=np.array([10, 1], np.float32))
    cold, warm = of(6, 20), of(5, 6, 20)
    listed, searched = (asking(CATALOGUE, visitor=often, searching=searching) for searching in (False, True))
    for context, expected in ((listed, 1.0), (searched, np.log(2) / np.log(11))):
        scores, _ = one("buy_again", half_life_days=1e6).score(cold, context, {"buy_again": 1.0})
        assert scores.tolist() == pytest.approx([expected, 0], rel=1e-3)
    scores, _ = one("buy_again", half_life_days=1e6).score(warm, searched, {"buy_again": 1.0})
    assert scores[0] == pytest.approx(1, rel=1e-3)
    liked = dataclasses.replace(shopper(1), affinities={"category:shoes/running": 2.0, "brand:Birch": -1.0})
    scores, _ = one("affinity", category_band=0, band=0).score(
        of(0, 1, 2), asking(CATALOGUE, visitor=liked, searching=True), {"affinity": 1.0}
    )
    assert scores.tolist() == pytest.approx([1, -0.3, 0])


def test_what_was_learned_counts_as_far_as_it_is_more_than_noise() -> None:
    noisy = SmallModel()
    noisy.taste_trust = 0.5
    whole, half = (
        one("taste").score(of(29, 30, 40), asking(CATALOGUE, model, shopper(30)), {"taste": 1.0})[0]
        for model in (SmallModel(), noisy)
    )
    assert whole.max() == pytest.approx(1)
    np.testing.assert_allclose(half, whole / 2, rtol=1e-6)
    noisy.neighbours_trust = 0.25
    whole, quarter = (
        one("history_neighbours").score(
            of(21, 23, 40), asking(CATALOGUE, model, shopper(20, 22)), {"history_neighbours": 1}
        )[0]
        for model in (SmallModel(), noisy)
    )
    assert whole.max() == pytest.approx(1)
    np.testing.assert_allclose(quarter, whole / 4, rtol=1e-6)


def test_in_a_search_taste_holds_back_for_what_was_bought() -> None:
    scores = {
        searching: one("taste")
        .score(
            of(29, 30, 31),
            asking(CATALOGUE, visitor=shopper(30, bought=(30,)), searching=searching),
            {"taste": 1.0},
        )[0]
        .tolist()
        for searching in (False, True)
    }
    assert scores[False] == pytest.approx([1, 1, 1], abs=0.01)
    assert scores[True] == pytest.approx([1, 0.4, 1], abs=0.01)


def test_no_category_fills_a_list_while_others_wait() -> None:
    ranked = of(*range(0, 40, 4), 1, 2, 3, 5)  # ten of one category, then others
    order = one("diversity", category_share=0.3, brand_share=1).arrange(ranked, asking(CATALOGUE, limit=10))
    shown = ranked.items[order][:10]
    assert np.bincount(shown % 4).max() == 6  # three, and three more because nothing else was left
    assert shown[:7].tolist() == [0, 4, 8, 1, 2, 3, 5]


def test_new_items_get_their_share_of_slots_but_never_the_first_ones() -> None:
    # Item n is n days old: the old come first, the new wait behind.
    ranked = of(*range(59, -1, -1))
    plugins = one("explore_new", share=0.2, new_days=14, first_slot=3)
    lists = [
        ranked.items[plugins.arrange(ranked, asking(CATALOGUE, limit=10, seed=seed))][:10].tolist()
        for seed in range(40)
    ]
    for shown in lists:
        assert sum(number < 14 for number in shown) == 2
        assert all(number >= 14 for number in shown[:3])
    assert len({tuple(shown) for shown in lists}) > 20


def test_what_is_shown_again_and_again_untouched_makes_way_in_that_visit_only() -> None:
    plugins = one("frequency_cap", shown_at_most=2)
    context = asking(CATALOGUE, visitor=shopper(9, visit=5))
    for _ in range(2):
        assert plugins.keep(of(1, 2), context).tolist() == [True, True]
        plugins.served(context, np.array([1], np.int32))
    assert plugins.keep(of(1, 2), context).tolist() == [False, True]
    assert plugins.keep(of(1, 2), asking(CATALOGUE, visitor=shopper(9, visit=6))).all()
    assert plugins.keep(of(1, 2), dataclasses.replace(context, placement="similar")).all()
    plugins.event_stored(LoggedEvent(1, 5, 1, "view_item", int(Purpose.SESSION), (Line(1),)))
    assert plugins.keep(of(1, 2), context).all()


def test_showing_is_not_counted_for_visitors_without_a_visit() -> None:
    plugins = one("frequency_cap")
    plugins.served(asking(CATALOGUE), np.array([1], np.int32))
    assert plugins.person_erased(1) == 0


def test_counts_of_showing_are_bounded_and_idle_visits_go() -> None:
    plugins = one("frequency_cap", visits_at_most=3)
    visits = plugins.found[0].plugin._visits
    for visit in range(1, 9):
        plugins.served(asking(CATALOGUE, visitor=shopper(1, visit=visit), now=NOW + visit), np.array([1], np.int32))
    assert list(visits.by_visit) == [6, 7, 8]
    assert visits.forget_idle(NOW + 7.5) == 2
    assert list(visits.by_visit) == [8]


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (LoggedEvent(1, 1, 1, "add_to_cart", 0, (Line(1, 5000),)), "implausible_quantity"),
        (LoggedEvent(1, 1, 1, "purchase", 0, (Line(1),), value=1e6), "implausible_value"),
        (LoggedEvent(1, 1, 1, "purchase", 0, (Line(1, 5000),), trust=3), None),
        (LoggedEvent(1, 1, 1, "view_item", 0, (Line(1),)), None),
    ],
)
def test_implausible_events_are_refused_unless_the_shop_signed_them(event: LoggedEvent, reason: str | None) -> None:
    assert one("plausible_events").reject_event(event) == reason


# ---- what plugins are given to work with


@given(
    st.lists(st.integers(0, SIZE - 1), max_size=30, unique=True),
    st.lists(st.tuples(st.integers(0, SIZE - 1), st.floats(-5, 5, width=32)), max_size=60),
)
def test_scores_are_laid_out_over_the_candidates(members: list[int], given_scores: list[tuple[int, float]]) -> None:
    items = np.array([number for number, _ in given_scores], np.int32)
    scores = np.array([score for _, score in given_scores], np.float32)
    candidates = of(*members)
    other = Candidates(np.arange(SIZE, dtype=np.int32), CATALOGUE, candidates.board)
    expected = [float(scores[items == member].sum(dtype=np.float64)) for member in members]
    for _ in range(2):  # two candidate sets take turns on one board
        assert candidates.spread(items, scores).tolist() == pytest.approx(expected, abs=1e-4)
        assert other.positions(items).tolist() == items.tolist()
    assert candidates.contains(items).tolist() == [member in set(items.tolist()) for member in members]
    places = [members.index(number) if number in members else -1 for number in items.tolist()]
    assert candidates.positions(items).tolist() == places


@given(st.lists(st.tuples(st.integers(0, SIZE - 1), st.floats(-5, 5, width=32)), max_size=60))
def test_repeated_items_are_merged_and_their_scores_added(given_scores: list[tuple[int, float]]) -> None:
    items = np.array([number for number, _ in given_scores], np.int32)
    scores = np.array([score for _, score in given_scores], np.float32)
    board = Board()
    sums = {number: float(scores[items == number].sum(dtype=np.float64)) for number in set(items.tolist())}
    found, totals = board.best(items, scores, len(items), SIZE)
    assert {number for number, total in sums.items() if total > 1e-4} <= set(found.tolist()) <= set(sums)
    assert totals.tolist() == pytest.approx([sums[number] for number in found.tolist()], abs=1e-4)
    assert totals.tolist() == sorted(totals.tolist(), reverse=True)
    assert board.distinct(items, SIZE).tolist() == list(dict.fromkeys(items.tolist()))


@given(numbers)
def test_links_are_the_rows_of_the_matrix(items: Ints) -> None:
    weights = np.linspace(1, 2, len(items), dtype=np.float32)
    older = SmallModel(SIZE - 10)
    links = links_of(older.neighbours, items, weights)
    dense = np.zeros((len(items), SIZE - 10))
    dense[links.source, links.items] = links.scores
    expected = [
        older.neighbours[[number]].toarray()[0] * weight if number < SIZE - 10 else np.zeros(SIZE - 10)
        for number, weight in zip(items.tolist(), weights.tolist(), strict=True)
    ]
    np.testing.assert_allclose(dense, np.array(expected).reshape(dense.shape), rtol=1e-6)


def test_columns_know_nothing_of_items_that_came_after_the_training() -> None:
    column = np.arange(1, 11, dtype=np.float32)
    assert of(3, 30, 9).lookup(column).tolist() == [4, 0, 10]
    assert of(3, 30).lookup(np.stack((column, column), axis=1)).tolist() == [[4, 4], [0, 0]]
    assert of(3).lookup(None).tolist() == [0]


def test_parts_of_any_origin_are_brought_to_one_scale() -> None:
    assert scaled(np.array([5, -10, 0], np.float32)).tolist() == [0.5, -1, 0]
    assert scaled(np.zeros(2, np.float32)).tolist() == [0, 0]
    assert len(scaled(np.empty(0, np.float32))) == 0


def test_the_weightiest_history_is_followed_when_it_is_long() -> None:
    long = shopper(*range(SIZE), *range(SIZE))
    weights = np.where(np.arange(2 * SIZE) < HISTORY_FOLLOWED - 2, 1, 0.1).astype(np.float32)
    links = asking(CATALOGUE, visitor=dataclasses.replace(long, weights=weights)).history_links
    assert len(set(links.source.tolist())) == HISTORY_FOLLOWED
    assert set(range(HISTORY_FOLLOWED - 2)) <= set(links.source.tolist())


def test_empty_candidates_are_no_trouble() -> None:
    nothing = Candidates(NO_ITEMS, CATALOGUE)
    assert nothing.spread(np.array([1], np.int32), np.ones(1, np.float32)).tolist() == []
    assert nothing.positions(np.array([1], np.int32)).tolist() == [-1]
    assert (
        ALL.score(nothing, asking(CATALOGUE, visitor=shopper(1)), dict.fromkeys(ALL.names("score"), 1.0))[0].tolist()
        == []
    )
