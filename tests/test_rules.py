"""What rules do to lists: filters hold for everything, boosts move, pins stand where they were put."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.rules.index import Facts
from app.rules.model import Rule
from app.serving.recommend import Ask, Page, Recommender, Shelf
from plugins.contract import Visitor
from tests.ruled_shop import rule, ruled, rules_of
from tests.small_shop import BRANDS, HIDDEN, NOW, SIZE, SOLD_OUT, shopper, small_catalogue
from tests.small_shop import item as made_item

NOBODY = Visitor()


def ids(*numbers: int) -> list[str]:
    return [f"SKU{number}" for number in numbers]


def shelf(serving: Recommender, placement: str = "home", visitor: Visitor = NOBODY, **page: object) -> Shelf:
    where = Page(**page)  # type: ignore[arg-type]  # Page checks the names
    return serving.shelves([Ask(placement)], where, visitor, NOW, seed=1, dry_run=True)[0]


def shown(serving: Recommender, placement: str = "home", visitor: Visitor = NOBODY, **page: object) -> list[int]:
    found: list[int] = shelf(serving, placement, visitor, **page).items.tolist()
    return found


# ---- filters


def test_a_filter_holds_for_what_is_proposed_and_for_what_fills_up() -> None:
    serving = ruled(rule("bags", "filter", 'category == "bags"'))
    items = shown(serving, visitor=shopper(20, 21))
    assert len(items) == 10
    assert {number % 4 for number in items} == {2}


def test_a_filter_that_leaves_nothing_leaves_an_empty_list_and_no_mistake() -> None:
    found = shelf(ruled(rule("nothing", "filter", "price < 0")))
    assert found.items.tolist() == []
    assert found.strategy == "popular"


def test_filters_of_two_rules_both_hold() -> None:
    serving = ruled(rule("bags", "filter", 'category == "bags"'), rule("alder", "filter", 'brand == "Alder"'))
    assert shown(serving)
    assert all(number % 4 == 2 and number % 3 == 0 for number in shown(serving))


def test_rules_that_cannot_be_read_show_nothing_rather_than_what_they_might_forbid() -> None:
    serving = ruled(rule("bags", "filter", 'category == "bags"'))
    serving.rules.take_over("r2", b'[{"id": "x"}]')
    found = shelf(serving)
    assert (found.items.tolist(), found.strategy) == ([], "fallback")
    assert "r2 cannot be read" in serving.rules.problem
    serving.rules.take_over("r3", b"[]")
    assert shown(serving)


# ---- boosts


def test_a_boost_of_full_strength_comes_first_and_a_bury_of_full_strength_last() -> None:
    plain = shown(ruled())
    promoted = shown(ruled(rule("hats", "boost", 'category == "hats"', {"placements": ["home"]}, strength=1.0)))
    assert all(number % 4 == 3 for number in promoted[:4])
    buried = shown(ruled(rule("popular", "bury", ids(*plain), strength=1.0)))
    assert not set(buried) & set(plain)


def test_a_boost_written_for_a_placement_brings_in_what_nobody_proposed() -> None:
    far = 'id in ["SKU54", "SKU58"]'  # nothing about item 1 leads to them
    there = ruled(rule("old", "boost", far, {"placements": ["similar"]}, strength=1.0))
    assert set(shown(there, "similar", item=1)[:2]) == {54, 58}
    everywhere = ruled(rule("old", "boost", far, strength=1.0))
    assert not {54, 58} & set(shown(everywhere, "similar", item=1))


def test_boosts_add_up_and_a_boost_and_a_bury_of_one_strength_cancel_out() -> None:
    both = ruled(rule("up", "boost", 'brand == "Birch"'), rule("down", "bury", 'brand == "Birch"'))
    assert shown(both) == shown(ruled())


def test_many_boosts_come_to_the_same_as_asked_one_by_one() -> None:
    few = [rule(f"b{n}", "boost", f"price == {n + 1}", strength=0.03 * (n + 1)) for n in range(8)]
    many = [*few, *(rule(f"z{n}", "boost", f"price == {900 + n}") for n in range(30))]
    assert shown(ruled(*few)) == shown(ruled(*many))


# ---- pins


def test_a_pin_stands_in_its_place() -> None:
    serving = ruled(rule("pin", "pin", ids(40), position=3))
    assert shown(serving)[2] == 40
    assert len(shown(serving)) == 10


def test_a_pinned_item_is_not_said_to_be_there_for_the_visitors_sake() -> None:
    found = shelf(ruled(rule("pin", "pin", ids(21), position=2)), visitor=shopper(20, 22))
    assert found.items[1] == 21
    assert found.reasons[1] == ("pinned", "Picked by the shop")
    assert found.reasons[0].code not in ("pinned", "promoted")


def test_a_pin_by_attribute_takes_the_best_ranked_of_its_kind() -> None:
    best = next(number for number in shown(ruled()) if number % 4 == 3)
    found = shown(ruled(rule("hat", "pin", 'category == "hats"', position=1)))
    assert found[0] == best


def test_a_pin_by_attribute_brings_in_one_item_and_not_its_whole_kind() -> None:
    plain = shown(ruled(), "similar", item=1)
    found = shown(ruled(rule("hat", "pin", 'category == "hats" and price > 40', position=2)), "similar", item=1)
    assert found[1] % 4 == 3
    assert found[1] > 38
    assert sum(number % 4 == 3 and number > 38 for number in found) == 1 + sum(
        number % 4 == 3 and number > 38 for number in plain
    )


def test_pins_by_id_come_before_pins_by_attribute_and_a_taken_place_leaves_the_next() -> None:
    serving = ruled(
        rule("a-hat", "pin", 'category == "hats"', position=2, priority=9),
        rule("z-one", "pin", ids(40), position=2), rule("z-two", "pin", ids(41), position=2, priority=1),
    )  # fmt: skip
    found = shown(serving)
    assert found[1] == 41
    assert found[2] == 40
    assert found[3] % 4 == 3


@pytest.mark.parametrize("number", [SOLD_OUT, HIDDEN])
def test_what_is_sold_out_or_hidden_is_not_pinned_and_that_is_told(number: int) -> None:
    serving = ruled(rule("pin", "pin", ids(number, 40), position=1))
    found = shelf(serving)
    assert number not in found.items.tolist()
    assert found.items.tolist()[1] == 40
    why = found.made.explain(serving.catalogue, inside=True)
    assert why.inside is not None
    assert [(pin.item, pin.placed, pin.because) for pin in why.inside.pins] == [
        (f"SKU{number}", 0, "sold out or hidden"), ("SKU40", 2, ""),
    ]  # fmt: skip


def test_a_hard_pin_survives_diversity_and_a_soft_one_need_not() -> None:
    alders = [number for number in range(0, SIZE, 12) if number % 4 == 0][:5]  # one category, one brand
    hard = shown(ruled(rule("pin", "pin", ids(*alders), position=1)))
    assert hard[:5] == alders
    soft = shown(ruled(rule("pin", "pin", ids(*alders), position=1, hard=False)))
    assert soft[:5] != alders


def test_a_soft_pin_does_not_bring_its_item_in() -> None:
    visitor = shopper(1, 2)
    hard = ruled(rule("pin", "pin", ids(40), {"placements": ["similar"]}, position=1))
    soft = ruled(rule("pin", "pin", ids(40), {"placements": ["similar"]}, position=1, hard=False))
    assert shown(hard, "similar", visitor, item=1)[0] == 40
    assert 40 not in shown(soft, "similar", visitor, item=1)[:1]


def test_a_list_of_what_one_has_viewed_takes_nothing_in() -> None:
    everywhere = ruled(rule("pin", "pin", ids(40), position=1), rule("hats", "boost", 'category == "hats"'))
    assert shown(everywhere, "recently-viewed", shopper(1, 2)) == [2, 1]
    there = ruled(rule("pin", "pin", ids(40), {"placements": ["recently-viewed"]}, position=1))
    assert shown(there, "recently-viewed", shopper(1, 2)) == [40, 2, 1]


def test_a_pin_behind_a_filter_is_skipped_and_that_is_told() -> None:
    serving = ruled(rule("bags", "filter", 'category == "bags"'), rule("pin", "pin", ids(40), position=1))
    why = shelf(serving).made.explain(serving.catalogue, inside=True)
    assert why.inside is not None
    assert why.inside.pins[0].because == "a filter hides it"


def test_a_short_list_is_filled_up_around_its_pins() -> None:
    serving = ruled(rule("pin", "pin", ids(40), position=9), rule("few", "filter", "price > 30"))
    found = shown(serving)
    assert found[8] == 40
    assert len(found) == 10


def test_what_is_pinned_behind_the_lists_end_does_not_slip_into_it() -> None:
    serving = ruled(
        rule("first", "pin", ids(30), position=4, priority=9), rule("many", "pin", ids(0, 21, 58, 34), position=4),
        rule("more", "pin", ids(8, 16, 3), position=7),
    )  # fmt: skip
    found = shown(serving)
    assert found[3:] == [30, 0, 21, 58, 34, 8, 16]


def test_an_arranger_of_somebody_else_does_not_move_a_hard_pin() -> None:
    serving = ruled(rule("pin", "pin", ids(40), position=2), dropped_in=("prefer_cheap",))
    assert shown(serving)[1] == 40


# ---- conditions


@pytest.mark.parametrize(
    ("when", "facts", "holds"),
    [
        ({}, {}, True),
        ({"placements": ["home"]}, {}, True),
        ({"placements": ["cart", "home"]}, {}, True),
        ({"placements": ["cart"]}, {}, False),
        ({"regions": ["UK"]}, {"region": "uk"}, True),
        ({"regions": ["UK"]}, {"region": "FR"}, False),
        ({"regions": ["UK"]}, {}, False),
        ({"devices": ["phone"]}, {"device": "phone"}, True),
        ({"devices": ["phone"]}, {"device": "desktop"}, False),
        ({"segments": ["runners", "hikers"]}, {"segments": frozenset({"hikers"})}, True),
        ({"segments": ["runners"]}, {"segments": frozenset({"hikers"})}, False),
        ({"segments": ["runners"]}, {}, False),
        ({"arms": {"hero": "b"}}, {"arms": {"hero": "b", "other": "a"}}, True),
        ({"arms": {"hero": "b"}}, {"arms": {"hero": "a"}}, False),
        ({"arms": {"hero": "b", "other": "a"}}, {"arms": {"hero": "b"}}, False),
        ({"categories": ["shoes"]}, {"item": 0}, True),
        ({"categories": ["shoes/walking"]}, {"item": 0}, False),
        ({"categories": ["shoes > walking"]}, {"item": 1}, True),
        ({"categories": ["shoes"]}, {}, False),
        ({"categories": ["shoes"]}, {"category": "shoes/walking"}, True),
        ({"categories": ["shoes/walking"]}, {"category": "shoes"}, False),
        ({"categories": ["shoes"], "brands": ["Alder"]}, {"category": "shoes"}, False),
        ({"brands": ["Alder"]}, {"item": 3}, True),
        ({"brands": ["Alder"]}, {"item": 4}, False),
        ({"page": "price < 5"}, {"item": 2}, True),
        ({"page": "price < 5"}, {"item": 20}, False),
        ({"page": "price < 5"}, {}, False),
        ({"queries": ["rain jacket"]}, {"query": "Jackets for RAIN"}, True),
        ({"queries": ["rain jacket"]}, {"query": "jacket"}, False),
        ({"queries": ["rain jacket"]}, {}, False),
        ({"queries": ["rain jacket"], "exact": True}, {"query": "rain jackets"}, True),
        ({"queries": ["rain jacket"], "exact": True}, {"query": "red rain jacket"}, False),
        ({"cart": "price > 50"}, {"cart": np.array([1, 55], np.int32)}, True),
        ({"cart": "price > 50", "cart_items": 2}, {"cart": np.array([1, 55], np.int32)}, False),
        ({"cart_items": 2}, {"cart": np.array([1, 55], np.int32)}, True),
        ({"cart": "price > 50"}, {}, False),
        ({"regions": ["UK"], "devices": ["phone"]}, {"region": "UK", "device": "desktop"}, False),
    ],
)  # fmt: skip
def test_a_rule_holds_where_all_it_asks_for_is_so(when: dict[str, Any], facts: dict[str, Any], holds: bool) -> None:
    catalogue = small_catalogue()
    others = [rule(f"other-{n}", "filter", "price > 0", {"regions": [f"R{n}"]}) for n in range(20)]
    rules = rules_of(catalogue, *others, rule("it", "filter", "price > 0", when), rule("off", "filter", "price > 0",
                     enabled=False))  # fmt: skip
    ruling = rules.ruling(Facts(NOW, "home", **facts))
    held = [one.rule.id for one in rules.published.rules if ruling.selected >> one.place & 1]
    assert held == (["it"] if holds else [])


def test_the_arm_without_rules_keeps_the_filters_and_drops_the_rest() -> None:
    rules = rules_of(
        small_catalogue(), rule("f", "filter", "price > 0"), rule("b", "boost", "price > 5"), rule("p", "pin", ids(1))
    )
    ruling = rules.ruling(Facts(NOW, "home", rules_off=True))
    assert ruling.kept is not None
    assert (ruling.boosts, ruling.pins) == ((), ())


def test_a_changed_item_is_seen_by_the_next_request() -> None:
    serving = ruled(rule("bags", "filter", 'category == "bags"'))
    before = shown(serving)
    serving.catalogue.put(before[0], made_item(3))  # a hat now
    assert before[0] not in shown(serving)
    serving.catalogue.put(SIZE, made_item(SIZE + 2))  # a new bag
    assert SIZE in serving.allowed.of("", rules=serving.rules.ruling(Facts(NOW, "home"))).items


# ---- whatever the rules are


EXPRESSIONS = st.sampled_from(
    ["price < 20", "price > 45", 'brand == "Alder"', 'category == "hats"', 'not category == "shoes"', "price < 0",
     'id in ["SKU1", "SKU7", "SKU50"]', 'brand == "Birch" or price > 50', 'color == "none has it"']
)  # fmt: skip
WHENS = st.fixed_dictionaries(
    {},
    optional={
        "placements": st.lists(st.sampled_from(["home", "similar"]), max_size=2, unique=True),
        "regions": st.lists(st.sampled_from(["FR", "UK"]), max_size=1),
        "categories": st.lists(st.sampled_from(["shoes", "hats"]), max_size=1),
        "brands": st.lists(st.sampled_from(BRANDS), max_size=1),
    },
)


@st.composite
def some_rules(draw: st.DrawFn) -> list[Rule]:
    written = []
    for place in range(draw(st.integers(0, 8))):
        do = draw(st.sampled_from(["filter", "boost", "bury", "pin", "pin"]))
        numbers = st.lists(st.integers(0, SIZE + 3).map(lambda n: f"SKU{n}"), min_size=1, max_size=4, unique=True)
        what: Any = draw(EXPRESSIONS | numbers)
        more: dict[str, Any] = (
            {"position": draw(st.integers(1, 12)), "hard": draw(st.booleans())} if do == "pin" else {}
        )
        written.append(
            rule(f"r{place}", do, what, draw(WHENS), priority=draw(st.integers(-2, 2)), **more,
                 **({"strength": draw(st.sampled_from([0.1, 1.0]))} if do in ("boost", "bury") else {}))
        )  # fmt: skip
    return written


CASES = st.tuples(
    some_rules(), st.lists(st.integers(0, SIZE - 1), max_size=6, unique=True), st.sampled_from(["", "FR", "UK"]),
    st.sampled_from(["home", "similar"]), st.integers(-1, SIZE - 1),
)  # fmt: skip


@settings(max_examples=150)
@given(CASES)
def test_whatever_the_rules_no_list_shows_what_a_filter_forbids_and_equal_questions_have_equal_answers(
    case: tuple[list[Rule], list[int], str, str, int],
) -> None:
    written, history, region, placement, item = case
    serving = ruled(*written)
    page = {"region": region, "item": item}
    found = shown(serving, placement, shopper(*history), **page)
    assert len(found) == len(set(found)) <= 10
    ruling = serving.rules.ruling(Facts(NOW, placement, region, item=item))
    held = [one for one in serving.rules.published.rules if ruling.selected >> one.place & 1]
    for one in held:
        if one.rule.then.do == "filter":
            assert serving.rules.published.names(one, np.array(found, np.int32)).all()
    assert not {SOLD_OUT, HIDDEN, item} & set(found)
    assert shown(ruled(*written), placement, shopper(*history), **page) == found


@settings(max_examples=150)
@given(CASES)
def test_whatever_else_the_rules_say_a_hard_pin_that_may_be_shown_stands_where_it_was_put(
    case: tuple[list[Rule], list[int], str, str, int],
) -> None:
    written, history, region, placement, item = case
    first = rule("first", "pin", ids(30), {}, position=4, priority=1000)
    serving = ruled(*written, first)
    ruling = serving.rules.ruling(Facts(NOW, placement, region, item=item))
    found = shown(serving, placement, shopper(*history), region=region, item=item)
    allowed = ruling.kept is None or bool(ruling.kept[30])
    if not allowed or item == 30:
        assert 30 not in found
    elif len(found) >= 4:
        assert found[3] == 30
    else:
        assert 30 in found
