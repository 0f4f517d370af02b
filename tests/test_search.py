from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from app.filters.masks import FilterError
from app.metrics import Metrics
from app.search.options import SearchOptions
from app.search.query_affinities import query_affinities
from app.search.search import Found, Search, Searcher
from app.serving.options import ServingOptions
from app.serving.recommend import Page, Recommender
from app.serving.token import Tokens
from plugins.contract import Floats, Ints, Visitor
from plugins.manager import load_plugins
from store.catalogue import Catalogue
from store.keys import Domain
from store.records import Item
from store.search_index import SearchIndex
from tests.small_shop import CATEGORIES, NOW, SmallModel, item, shopper, small_catalogue

NOBODY = Visitor()
SCORERS: dict[str, object] = {
    "in_stock": {}, "region": {}, "dismissed": {}, "buy_again": {}, "taste": {}, "history_neighbours": {},
    "affinity": {},
}  # fmt: skip


class OneKey:
    def epochs(self) -> list[int]:
        return [1]

    def key(self, domain: Domain, epoch: int | None = None) -> bytes:
        return b"k" * 32


@dataclass
class Shop:
    """Sixty items all called "Item", the first ones bought by most."""

    index: SearchIndex
    recommender: Recommender
    searcher: Searcher

    def search(
        self, query: str = "item", visitor: Visitor = NOBODY, page: Page | None = None, **asked: object
    ) -> Found:
        told: dict[str, object] = {"limit": 5, **asked}
        return self.searcher.search(Search(query, **told), page or Page(), visitor, NOW)  # type: ignore[arg-type]

    def found(
        self, query: str = "item", visitor: Visitor = NOBODY, page: Page | None = None, **asked: object
    ) -> list[int]:
        numbers: list[int] = self.search(query, visitor, page, **asked).shelf.items.tolist()
        return numbers


def open_searcher(
    catalogue: Catalogue, options: SearchOptions, plugins: dict[str, object], folder: Path | None = None
) -> Shop:
    index = SearchIndex(catalogue)
    numbers = [number for number in range(catalogue.size) if catalogue.exists(number)]
    items = {number: catalogue.item(number) for number in numbers}
    index.build({n: item.title for n, item in items.items()}, {n: item.description for n, item in items.items()})
    serving = ServingOptions()
    recommender = Recommender(
        catalogue=catalogue, plugins=load_plugins(plugins, folder), model=SmallModel, options=serving,
        tokens=Tokens(OneKey(), serving), placements={}, metrics=Metrics(),
    )  # fmt: skip
    return Shop(index, recommender, Searcher(index, recommender, SmallModel, options))


@pytest.fixture
def shop() -> Shop:
    return open_searcher(small_catalogue(), SearchOptions(), SCORERS)


def test_for_everyone_matches_come_in_the_order_of_how_many_bought_them(shop: Shop) -> None:
    found = shop.search()
    assert found.shelf.items.tolist() == [0, 1, 2, 3, 4]
    assert found.shelf.strategy == "popular"
    assert found.total == 58


def test_sold_out_hidden_and_elsewhere_sold_items_never_appear(shop: Shop) -> None:
    everything = shop.found(limit=100, page=Page(region="DE"))
    assert len(everything) == 57
    assert not {7, 11, 13} & set(everything)
    assert 13 in shop.found(limit=100, page=Page(region="FR"))


def test_what_was_bought_before_moves_up_but_only_among_matches(shop: Shop) -> None:
    visitor = shopper(bought=(40,))
    assert shop.found(limit=100, visitor=visitor).index(40) < shop.found(limit=100).index(40)
    assert shop.search(visitor=visitor).shelf.strategy == "personalized"
    assert 40 not in shop.found("bags", limit=100, visitor=visitor)


def test_taste_moves_like_items_up_and_leaves_the_rest_in_the_static_order(shop: Shop) -> None:
    order = shop.found(limit=100, visitor=shopper(50, 51))
    static = shop.found(limit=100)
    assert order.index(49) < static.index(49)
    assert sorted(order) == sorted(static)


def test_a_visitor_of_whom_nothing_may_be_known_gets_the_static_order(shop: Shop) -> None:
    assert shop.found(limit=100, visitor=Visitor()) == shop.found(limit=100)


def test_with_all_weights_zero_everyone_gets_the_static_order() -> None:
    shop = open_searcher(small_catalogue(), SearchOptions(weights={}), SCORERS)
    assert shop.found(limit=100, visitor=shopper(50, bought=(40,))) == shop.found(limit=100)


def test_a_complete_match_stays_above_an_incomplete_one_whoever_asks() -> None:
    catalogue = small_catalogue(10)
    catalogue.put(3, Item(id="SKU3", title="Something", description="goes with any item"))
    shop = open_searcher(catalogue, SearchOptions(), SCORERS)
    assert shop.found(limit=20, visitor=shopper(3, bought=(3,)))[-1] == 3


def test_pages_do_not_overlap_and_excluded_items_are_out(shop: Shop) -> None:
    visitor = shopper(20, 21, bought=(40,))
    whole = shop.found(visitor=visitor, limit=20)
    assert shop.found(visitor=visitor, limit=10) + shop.found(visitor=visitor, limit=10, offset=10) == whole
    excluded: Ints = np.array(whole[:3], np.int32)
    rest = shop.found(visitor=visitor, limit=100, exclude=excluded)
    assert len(rest) == 55
    assert not set(rest) & set(whole[:3])


def test_a_filter_holds_for_the_list_and_the_total(shop: Shop) -> None:
    found = shop.search(filter='category == "bags" and price < 20', limit=20)
    assert found.shelf.items.tolist() == [2, 6, 10, 14, 18]
    assert found.total == 5
    with pytest.raises(FilterError, match="did you mean 'price'"):
        shop.search(filter="prise < 20")


def test_a_misspelt_word_is_searched_as_it_was_meant(shop: Shop) -> None:
    found = shop.search("runing")
    assert found.corrected == {"runing": "running"}
    assert found.shelf.items.tolist() == [0, 4, 8, 12, 16]


def test_nothing_found_is_an_empty_list(shop: Shop) -> None:
    found = shop.search("xylophone")
    assert (found.shelf.items.tolist(), found.total, found.shelf.strategy) == ([], 0, "popular")


def test_a_dismissed_item_is_still_found_by_who_searches_for_it(shop: Shop) -> None:
    assert 0 in shop.found(limit=100, visitor=shopper(5, dismissed=(0,)))


BROKEN_RULE = '''"""A rule that breaks."""
from dataclasses import dataclass
from plugins.contract import Candidates, Mask, hookimpl

@dataclass(frozen=True)
class Plugin:
    @hookimpl
    def keep(self, candidates: Candidates) -> Mask:
        raise RuntimeError("broken")
'''


def test_when_a_rule_breaks_nothing_is_shown(tmp_path: Path) -> None:
    (tmp_path / "broken_rule.py").write_text(BROKEN_RULE)
    shop = open_searcher(small_catalogue(), SearchOptions(), SCORERS | {"broken_rule": {}}, tmp_path)
    found = shop.search()
    assert (found.shelf.strategy, found.shelf.items.tolist(), found.total) == ("fallback", [], 0)


def test_why_can_be_asked_of_a_search_and_names_no_query(shop: Shop) -> None:
    found = shop.search("item 40", visitor=shopper(5, bought=(40,)))
    made = shop.recommender.explanations.get(found.shelf.request_id, NOW)
    assert made is not None
    assert made.explain(shop.index.catalogue).items[0].parts["buy_again"] > 0
    assert "item 40" not in repr(made)


def test_a_search_means_the_categories_brands_and_prices_of_its_matches() -> None:
    catalogue = Catalogue()
    for number in range(40):
        shoe = number % 4 == 0
        kind = (
            {"category": ("shoes", "running"), "brand": "Alder"}
            if shoe
            else {"category": ("tea",), "brand": f"B{number}"}
        )
        title = "Trail shoe" if shoe else "Green tea"
        catalogue.put(number, Item(id=f"i{number}", title=title, price=1.0 + number, **kind))  # type: ignore[arg-type]
    index = open_searcher(catalogue, SearchOptions(), SCORERS).index
    meaning = query_affinities("trail shoes", index)
    assert meaning["category:shoes/running"] == 1.0
    assert meaning["brand:Alder"] == 0.6
    assert all(0 < weight <= 1 for weight in meaning.values())
    assert len(meaning) <= SearchOptions().meaning_keys
    assert not any(key.startswith("brand:") for key in query_affinities("green tea", index))
    assert query_affinities("xylophone", index) == {}
    assert query_affinities("", index) == {}
    known = set(catalogue.affinity_keys(0)) | {key for n in range(0, 40, 4) for key in catalogue.affinity_keys(n)}
    assert set(meaning) <= known


def test_categories_of_the_small_shop_are_searched() -> None:
    shop = open_searcher(small_catalogue(), SearchOptions(), SCORERS)
    for path in CATEGORIES:
        assert all("/".join(path) == "/".join(item(n).category) for n in shop.found(" ".join(path)))


def test_for_a_known_visitor_what_sells_these_days_counts_more_than_what_sold_all_along() -> None:
    class Lately(SmallModel):
        def selling_now(self, region: str) -> Floats | None:
            sells = np.zeros(self.size, np.float32)
            sells[20] = 1
            return sells

    class NotLearned(SmallModel):
        def selling_now(self, region: str) -> Floats | None:
            return None

    shop = open_searcher(small_catalogue(), SearchOptions(weights={}), SCORERS)
    visitor = shopper(5)
    assert search_with(shop, Lately(), visitor)[:3] == [20, 0, 1]
    assert search_with(shop, Lately(), NOBODY)[:3] == [0, 1, 2]
    assert search_with(shop, NotLearned(), visitor)[:3] == [0, 1, 2]


def search_with(shop: Shop, model: SmallModel, visitor: Visitor) -> list[int]:
    searcher = Searcher(shop.index, shop.recommender, lambda: model, SearchOptions(weights={}))
    numbers: list[int] = searcher.search(Search("item", 5), Page(), visitor, NOW).shelf.items.tolist()
    return numbers
