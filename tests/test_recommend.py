import dataclasses
from pathlib import Path

import msgspec
import numpy as np
import pytest

from app.filters.masks import FilterError
from app.metrics import Metrics
from app.serving.answer import RecommendationsAnswer, answer_json
from app.serving.options import PlacementOptions, ServingOptions
from app.serving.placements import placements_of
from app.serving.recommend import Ask, Page, Recommender, Shelf, UnknownPlacement
from app.serving.shelf_html import shelf_html
from app.serving.token import Tokens
from plugins.contract import Ints, Visitor
from plugins.loading import shipped_names
from plugins.manager import load_plugins
from store.records import Purpose
from tests.small_shop import (
    CONSENTED,
    HIDDEN,
    NOW,
    ONLY_FR,
    SOLD_OUT,
    NothingLearned,
    SmallModel,
    item,
    shopper,
    small_catalogue,
)
from tests.test_token import Ring

DROP_IN = Path(__file__).parent / "drop_in"
NOBODY = Visitor()


def recommender(
    *dropped_in: str,
    model: SmallModel | None = None,
    metrics: Metrics | None = None,
    placements: dict[str, PlacementOptions] | None = None,
    **options: object,
) -> Recommender:
    serving = msgspec.convert(options, ServingOptions)
    serving_model = model or SmallModel()
    return Recommender(
        catalogue=small_catalogue(),
        plugins=load_plugins({name: {} for name in [*shipped_names(), *dropped_in]}, DROP_IN),
        model=lambda: serving_model,
        tokens=Tokens(Ring(1), serving),
        options=serving,
        placements=placements_of(placements or {}),
        metrics=metrics or Metrics(),
    )


def ids(*numbers: int) -> Ints:
    return np.array(numbers, np.int32)


def shelf(serving: Recommender, placement: str = "home", visitor: Visitor = NOBODY, page: Page | None = None) -> Shelf:
    return serving.shelves([Ask(placement)], page or Page(), visitor, NOW, seed=1)[0]


def test_what_a_visitor_looked_at_changes_the_next_list() -> None:
    serving = recommender()
    popular = shelf(serving)
    personal = shelf(serving, visitor=shopper(40, 41))
    assert (popular.strategy, personal.strategy) == ("popular", "personalized")
    assert popular.items.tolist() != personal.items.tolist()
    assert {42, 43} <= set(personal.items.tolist())


@pytest.mark.parametrize(
    ("visitor", "page", "strategy"),
    [
        (NOBODY, Page(), "popular"),
        (NOBODY, Page(item=3), "contextual"),
        (NOBODY, Page(cart=ids(3)), "contextual"),
        (NOBODY, Page(viewed=ids(3)), "contextual"),
        (shopper(3), Page(), "personalized"),
        (dataclasses.replace(shopper(3), purposes=Purpose.TRAINING), Page(), "contextual"),
        (Visitor(purposes=CONSENTED), Page(), "popular"),
    ],
)
def test_the_strategy_says_what_a_list_was_made_from(visitor: Visitor, page: Page, strategy: str) -> None:
    assert shelf(recommender(), visitor=visitor, page=page).strategy == strategy


def test_without_consent_the_pages_own_words_about_the_visit_still_help() -> None:
    found = shelf(recommender(), page=Page(viewed=ids(40)))
    assert {41, 42} <= set(found.items.tolist())


def test_sold_out_hidden_and_foreign_items_never_appear_from_the_moment_they_are_marked() -> None:
    serving = recommender()
    page = Page(region="DE")
    shown = shelf(serving, visitor=shopper(6, 8, 10, 12), page=page).items.tolist()
    assert not {SOLD_OUT, HIDDEN, ONLY_FR} & set(shown)
    for number in shown[:3]:
        serving.catalogue.put(number, msgspec.structs.replace(item(number), hidden=True))
    assert not set(shown[:3]) & set(shelf(serving, visitor=shopper(6, 8, 10, 12), page=page).items.tolist())


def test_lists_of_one_page_do_not_repeat_each_other() -> None:
    asks = [Ask("home", 8), Ask("trending", 8), Ask("new", 8)]
    shown = [found.items.tolist() for found in recommender().shelves(asks, Page(), shopper(20), NOW)]
    assert len({number for items in shown for number in items}) == 24
    repeated = recommender(distinct=False).shelves([Ask("trending", 8), Ask("trending", 8)], Page(), NOBODY, NOW)
    assert repeated[0].items.tolist() == repeated[1].items.tolist()


def test_excluded_items_and_filters_are_obeyed() -> None:
    serving = recommender()
    found = serving.shelves([Ask("home", 10, ids(0, 1, 2), 'brand == "Birch" and price < 20')], Page(), NOBODY, NOW)[0]
    assert set(found.items.tolist()) == {4, 10, 13, 16}
    with pytest.raises(FilterError, match="brnd"):
        serving.shelves([Ask("home", filter='brnd == "Birch"')], Page(), NOBODY, NOW)


def test_a_placement_may_have_a_filter_of_its_own_and_leave_out_what_was_bought() -> None:
    serving = recommender(
        placements={
            "hats": PlacementOptions(filter='category == "hats"'),
            "home": PlacementOptions(exclude_bought=True),
        }
    )
    assert all(number % 4 == 3 for number in shelf(serving, "hats").items.tolist())
    bought = shopper(20, 21, bought=(0, 1, 22, 23))
    assert not {0, 1, 22, 23} & set(shelf(serving, visitor=bought).items.tolist())


def test_a_rule_that_fails_leaves_no_items_and_the_strategy_fallback() -> None:
    serving = recommender("broken_keep")
    found = shelf(serving, visitor=shopper(20))
    assert (found.strategy, found.items.tolist()) == ("fallback", [])
    assert shelf_html(found, serving.catalogue) == ""
    read_answer(serving, [found])


def test_a_scorer_that_fails_is_left_out_and_the_list_is_as_without_it() -> None:
    whole = shelf(recommender(), visitor=shopper(20)).items.tolist()
    assert shelf(recommender("broken_scorer"), visitor=shopper(20)).items.tolist() == whole


def test_what_plugins_cost_and_how_often_they_fail_can_be_watched() -> None:
    metrics = Metrics()
    serving = recommender("broken_scorer", metrics=metrics)
    shelf(serving, visitor=shopper(20))
    text = metrics.text().decode()
    assert 'personalize_plugin_failures_total{hook="score",plugin="broken_scorer"} 1.0' in text
    assert 'personalize_plugin_calls_total{hook="retrieve",plugin="popular"} 1.0' in text
    assert 'personalize_lists_total{strategy="personalized"} 1.0' in text


def test_before_the_first_training_the_newest_items_are_shown() -> None:
    found = shelf(recommender(model=NothingLearned()), visitor=shopper(30))
    assert found.items[:5].tolist() == [0, 1, 2, 3, 4]


def test_a_list_that_is_only_filled_up_does_not_claim_to_be_what_its_place_is_for() -> None:
    nobody = recommender(model=NothingLearned())
    (shelf,) = nobody.shelves([Ask("bought-together", 5)], Page(item=20), NOBODY, NOW)
    assert len(shelf.items)
    assert shelf.title == "You may also like"
    (real,) = recommender().shelves([Ask("bought-together", 5)], Page(item=20), NOBODY, NOW)
    assert real.title == "Often bought together"
    plain = recommender(model=NothingLearned(), placements={"bought-together": PlacementOptions(fill_title="")})
    (shelf,) = plain.shelves([Ask("bought-together", 5)], Page(item=20), NOBODY, NOW)
    assert shelf.title == "Often bought together"


def test_items_that_came_after_the_training_can_be_shown() -> None:
    found = shelf(recommender(model=SmallModel(50)), "new", visitor=shopper(51, 55))
    assert len(found.items) == 10


def test_equal_seeds_give_equal_lists_and_no_seed_explores() -> None:
    serving = recommender(explanations=0)
    lists = [shelf(serving, visitor=shopper(59, 58)).items.tolist() for _ in range(3)]
    assert lists[0] == lists[1] == lists[2]
    explored = {
        tuple(serving.shelves([Ask("home", 20)], Page(), shopper(59, 58, visit=0), NOW)[0].items.tolist())
        for _ in range(20)
    }
    assert len(explored) > 1


def test_an_unknown_placement_is_named_with_those_there_are() -> None:
    with pytest.raises(UnknownPlacement, match=r"'hom'; there are .*home"):
        shelf(recommender(), "hom")


def test_every_item_says_why_and_names_only_what_the_visitor_did() -> None:
    serving = recommender()
    visitor = shopper(20, 21)
    for found in (shelf(serving, visitor=visitor), shelf(serving, "recently-viewed", visitor)):
        for reason in found.reasons:
            assert reason.code
            named = [number for number in range(60) if reason.text.endswith(f"Item {number}")]
            assert set(named) <= {20, 21}
    home = shelf(serving, visitor=shopper(20))
    reasons = {number: reason.text for number, reason in zip(home.items.tolist(), home.reasons, strict=True)}
    assert reasons[21] in ("Others who viewed Item 20 went on to this", "Because you viewed Item 20", "Picked for you")
    bought = dataclasses.replace(shopper(20, bought=(20,)), viewed=ids())
    only_history = {"taste": 0.0, "popular": 0.0, "selling_now": 0.0, "buy_again": 0.0}
    by_history = recommender(placements={"home": PlacementOptions(weights=only_history)})
    assert "Because you bought Item 20" in {reason.text for reason in shelf(by_history, visitor=bought).reasons}
    assert {reason.text for reason in shelf(serving, "similar", page=Page(item=20)).reasons} >= {"Similar to Item 20"}


def test_why_a_list_came_out_is_remembered_without_the_visitor_and_then_forgotten() -> None:
    serving = recommender(explanations=2, explain_minutes=15)
    first = shelf(serving, visitor=shopper(20))
    why = serving.explanations.get(first.request_id, NOW + 60)
    assert why is not None
    told = why.explain(serving.catalogue)
    assert [one.id for one in told.items] == [f"SKU{number}" for number in first.items.tolist()]
    top = told.items[0]
    assert top.score == pytest.approx(sum(top.parts.values()), abs=1e-3)
    assert top.proposed_by
    assert told.kept <= told.considered
    assert serving.explanations.get(first.request_id, NOW + 16 * 60) is None
    for _ in range(5):
        shelf(serving)
    assert len(serving.explanations) == 2


def test_a_dry_run_leaves_no_trace() -> None:
    serving = recommender()
    found = serving.shelves([Ask("home")], Page(), shopper(20), NOW, dry_run=True)[0]
    assert serving.explanations.get(found.request_id, NOW) is None
    assert all(call.calls == 0 for call in serving.plugins.calls["served"])


def test_an_unmoved_visitor_is_not_shown_the_same_items_for_ever() -> None:
    serving = recommender()
    visitor = shopper(20)
    first = shelf(serving, visitor=visitor).items.tolist()
    later = [shelf(serving, visitor=visitor).items.tolist() for _ in range(10)]
    assert len(set(first) & set(later[-1])) <= 2


def read_answer(
    serving: Recommender, shelves: list[Shelf], fields: tuple[str, ...] = (), explain: bool = False
) -> RecommendationsAnswer:
    body = answer_json(
        shelves, serving.catalogue, fields=[fields] * len(shelves), missing=[["gone"]] * len(shelves), took_ms=1.25,
        explain=explain,
    )  # fmt: skip
    return msgspec.json.decode(body, type=RecommendationsAnswer)


def test_the_answer_is_the_json_that_its_types_promise() -> None:
    serving = recommender()
    made = serving.shelves([Ask("home", 3), Ask("trending", 2)], Page(), shopper(20), NOW)
    answer = read_answer(serving, made, explain=True)
    home, trending = answer.results
    assert [found.id for found in home.items] == [f"SKU{number}" for number in made[0].items.tolist()]
    assert [found.index for found in home.items] == [0, 1, 2]
    assert (home.strategy, home.title, trending.placement) == ("personalized", "For you", "trending")
    assert home.items[0].reason is not None
    assert home.missing_ids == ["gone"]
    assert home.explanation is not None
    assert answer.served_by.model == "small"
    assert serving.tokens.read(home.token, NOW) is not None
    (only,) = read_answer(serving, made[1:], fields=("title",)).results
    assert (only.items[0].title[:4], only.items[0].url, only.items[0].price) == ("Item", "", None)


def test_a_list_as_html_is_labelled_linked_and_escaped() -> None:
    serving = recommender()
    nasty = msgspec.structs.replace(item(0), title='<script>"x"', url="javascript:alert(1)", sale_price=0.5)
    serving.catalogue.put(0, nasty)
    found = shelf(serving, "new")
    text = shelf_html(found, serving.catalogue)
    assert f'aria-labelledby="pz-{found.request_id}"' in text
    assert f'data-pz-token="{found.token}"' in text
    assert text.count("<li ") == len(found.items)
    assert "<script" not in text
    assert "javascript:" not in text
    assert "€0.50" in text
