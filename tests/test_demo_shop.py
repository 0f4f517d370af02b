"""The generated demo shop is believable, the same for the same seed, and worth personalizing."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from itertools import islice, pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from app.demo import Batch, Event, Item, generate_catalogue, generate_history, personas, picture
from app.demo.catalogue import DAY, HISTORY_DAYS, charm
from app.demo.choice import Need, utility
from app.demo.drawings_special import SPECIAL
from app.demo.lifestyles import HABITS, wants
from app.demo.pictures import DRAWINGS, mix
from app.demo.queries import misspell
from app.demo.shelf import read_shelf
from app.demo.shoppers import generate_shoppers
from app.demo.storefront_words import CATEGORY_LINES
from app.demo.taxonomy import COMPLEMENTS, SUBCATEGORIES, TOPS
from store import records

SEED = 7
NOW = 1_795_348_800


@pytest.fixture(scope="module")
def catalogue() -> list[Item]:
    return generate_catalogue(SEED, NOW)


@pytest.fixture(scope="module")
def visits(catalogue: list[Item]) -> list[Batch]:
    return list(generate_history(catalogue, SEED, NOW, shoppers=500))


@dataclass
class Tally:
    """What one pass over the whole history counts."""

    events: int = 0
    consents: Counter[str] = field(default_factory=Counter)
    orders: dict[str, list[tuple[float, list[str]]]] = field(default_factory=lambda: defaultdict(list))
    views: list[tuple[float, str, str]] = field(default_factory=list)


@pytest.fixture(scope="module")
def tally(catalogue: list[Item]) -> Tally:
    found = Tally()
    for batch in generate_history(catalogue, SEED, NOW):
        found.events += len(batch["events"])
        found.consents[batch["consent"]] += 1
        if "anon" not in batch:
            continue
        for event in batch["events"]:
            if event["name"] == "purchase":
                found.orders[batch["anon"]].append((event["ts"] / DAY / 1000, bought_in(event)))
            elif event["name"] == "view_item":
                found.views.append((event["ts"] / DAY / 1000, batch["anon"], event["item"]))
    return found


def bought_in(event: Event) -> list[str]:
    lines = event["params"]["items"]
    assert isinstance(lines, list)
    return [str(line["item_id"]) for line in lines]


def test_the_same_seed_gives_the_same_bytes_and_another_seed_another_shop(catalogue: list[Item]) -> None:
    again = generate_catalogue(SEED, NOW)
    assert json.dumps(again) == json.dumps(catalogue)
    assert [item["title"] for item in generate_catalogue(SEED + 1, NOW)] != [item["title"] for item in catalogue]
    first = json.dumps(list(islice(generate_history(catalogue, SEED, NOW, 60), 50)))
    assert first == json.dumps(list(islice(generate_history(again, SEED, NOW, 60), 50)))
    assert first != json.dumps(list(islice(generate_history(catalogue, SEED + 1, NOW, 60), 50)))


def test_products_are_items_as_the_item_api_takes_them(catalogue: list[Item]) -> None:
    read = msgspec.convert(catalogue, list[records.Item])
    assert {item.availability for item in read} == {"in_stock", "out_of_stock"}
    assert all(item.url == f"/demo/p/{item.id}" and item.image == f"/demo/img/{item.id}.svg" for item in read)
    assert all(0 < item.sale_price < (item.price or 0) for item in read if item.sale_price is not None)
    assert all(item.published < NOW for item in read)


def test_the_shop_has_twelve_categories_and_every_title_once(catalogue: list[Item]) -> None:
    assert 2_300 <= len(catalogue) <= 2_500
    assert {item["category"][0] for item in catalogue} == set(TOPS) == set(CATEGORY_LINES)
    assert len({item["title"] for item in catalogue}) == len({item["id"] for item in catalogue}) == len(catalogue)
    fewest = Counter(tuple(item["category"]) for item in catalogue).most_common()[-1][1]
    assert fewest >= 8
    assert len({item["brand"] for item in catalogue}) >= 40


def test_prices_spread_like_the_real_shops(catalogue: list[Item]) -> None:
    """Real: median 1.95, p5..p95 .39..9.95, so 0.20 and 5.10 times the median. Reached: 0.20 and 5.0 of 26.90 EUR."""
    prices = np.array([item["sale_price"] or item["price"] for item in catalogue])
    low, median, high = np.percentile(prices, [5, 50, 95])
    assert 20 < median < 35
    assert 0.15 < low / median < 0.25
    assert 4.0 < high / median < 6.0


def test_about_15_percent_of_products_are_new_in_the_second_half(catalogue: list[Item]) -> None:
    fresh = np.mean([item["published"] > NOW - HISTORY_DAYS / 2 * DAY for item in catalogue])
    assert 0.12 < fresh < 0.18


def test_some_goods_do_not_cross_every_border(catalogue: list[Item]) -> None:
    assert all("UK" not in item["regions"] for item in catalogue if item["category"] == ["garden", "seeds"])
    assert np.mean([not item["regions"] for item in catalogue]) > 0.85


def test_rain_gear_can_be_found_by_attribute(catalogue: list[Item]) -> None:
    rain = [item for item in catalogue if item["attributes"].get("weather") == "rain"]
    assert {"rain-jackets", "umbrellas", "boots"} <= {item["category"][1] for item in rain}


def test_every_subcategory_has_its_own_drawing() -> None:
    assert {sub.name for sub in SUBCATEGORIES} <= set(DRAWINGS)


def test_pictures_are_small_well_formed_and_the_same_every_time(catalogue: list[Item]) -> None:
    for item in catalogue:
        drawn = picture(item)
        assert len(drawn.encode()) <= 2_500, item["id"]
        assert "$" not in drawn
        assert ElementTree.fromstring(drawn).get("viewBox") == "0 0 400 400"
    assert picture(catalogue[5]) == picture(catalogue[5])


def test_colourways_of_one_design_differ_only_in_colour(catalogue: list[Item]) -> None:
    one = next(item for item in catalogue if item["category"][1] == "totes")
    other = Item(**{**one, "attributes": {**one["attributes"], "color": "mustard"}})
    assert picture(one) != picture(other)
    assert len(picture(one)) == pytest.approx(len(picture(other)), abs=20)


def test_a_picture_of_a_foreign_item_is_a_parcel_and_carries_no_markup(catalogue: list[Item]) -> None:
    odd = Item(**{**catalogue[0], "id": '"><script>x</script>', "category": [], "brand": "<b>", "attributes": {}})
    assert "script" not in picture(odd)
    assert DRAWINGS["parcel"].body in picture(odd)


def test_visits_come_in_order_of_time_and_end_before_now(visits: list[Batch]) -> None:
    starts = [batch["events"][0]["ts"] for batch in visits]
    assert all(one <= two for one, two in pairwise(starts))
    assert starts[0] >= (NOW - HISTORY_DAYS * DAY) * 1000
    assert max(event["ts"] for batch in visits for event in batch["events"]) < NOW * 1000
    for batch in visits:
        assert all(one["ts"] < two["ts"] for one, two in pairwise(batch["events"]))


def test_event_ids_are_unique(visits: list[Batch]) -> None:
    ids = [event["id"] for batch in visits for event in batch["events"]]
    assert len(set(ids)) == len(ids)


def test_ids_are_only_sent_as_far_as_the_consent_allows(visits: list[Batch]) -> None:
    sent = defaultdict(set)
    for batch in visits:
        sent[batch["consent"]].add(("anon" in batch, "session" in batch))
        assert batch["consent"] == "granted" or not batch["purposes"]
    assert sent == {
        "granted": {(True, True)},
        "session": {(False, True)},
        "anonymous": {(False, False)},
        "denied": {(False, False)},
    }
    assert all(len(bytes.fromhex(batch["anon"])) == 16 for batch in visits if "anon" in batch)


def test_what_is_bought_was_looked_at_and_put_into_the_cart_before(visits: list[Batch]) -> None:
    orders = 0
    for batch in visits:
        viewed: set[str] = set()
        cart: set[str] = set()
        for event in batch["events"]:
            if event["name"] == "view_item":
                viewed.add(event["item"])
            elif event["name"] == "add_to_cart":
                cart.add(event["item"])
            elif event["name"] == "remove_from_cart":
                cart.discard(event["item"])
            elif event["name"] == "purchase":
                orders += 1
                assert set(bought_in(event)) <= viewed & cart
    assert orders > 300


def test_nobody_sees_a_product_that_is_sold_out_unpublished_or_not_sold_there(
    catalogue: list[Item], visits: list[Batch]
) -> None:
    items = {item["id"]: item for item in catalogue}
    for batch in visits:
        for event in batch["events"]:
            if event["name"] == "view_item":
                item = items[event["item"]]
                assert item["availability"] == "in_stock"
                assert item["published"] * 1000 <= event["ts"]
                assert not item["regions"] or batch["region"] in item["regions"]


def test_a_refund_names_an_earlier_order(visits: list[Batch]) -> None:
    orders: dict[Any, list[str]] = {}
    refunds = 0
    for batch in visits:
        for event in batch["events"]:
            if event["name"] == "purchase":
                orders[event["params"]["transaction_id"]] = bought_in(event)
            elif event["name"] == "refund":
                refunds += 1
                assert set(bought_in(event)) <= set(orders[event["params"]["transaction_id"]])
    assert refunds > 0


def test_the_history_has_the_shape_of_the_real_shop(tally: Tally) -> None:
    """Target: online_retail seen through windows of 90 days (mean of the last three); baskets a fifth of its size.

    | | target | reached |
    |---|---|---|
    | basket, distinct items p25/50/75/90/99 | 1.3/3/5.4/9.1/20 | 1/3/5/8/19 |
    | orders per customer p25/50/75/90/99 | 1/1/2.3/4/11 | 1/2/3/5/12 |
    | gap in days p25/50/75/90 | 3/13/28/44 | 4/12/25/40 |
    | lines that repeat an item (31 % over a year) | .165 | .16 |
    | Gini of buyers per item · buyers on the top 10 % (.59 · .40 over a year) | .61 · .43 | .55 · .41 |
    """
    baskets = np.percentile(
        [len(items) for orders in tally.orders.values() for _, items in orders], [25, 50, 75, 90, 99]
    )
    assert np.all(np.abs(baskets - [1.3, 3, 5.4, 9.1, 20]) <= [1, 0.6, 1.5, 2.5, 6])
    orders = np.percentile([len(orders) for orders in tally.orders.values()], [25, 50, 75, 90, 99])
    assert np.all(np.abs(orders - [1, 1, 2.3, 4, 11]) <= [0.1, 1, 1, 1.5, 4])
    gaps = [two[0] - one[0] for orders in tally.orders.values() for one, two in pairwise(orders)]
    assert np.all(np.abs(np.percentile(gaps, [25, 50, 75, 90]) - [3, 13, 28, 44]) <= [1.5, 4, 7, 8])
    assert 0.13 < repeats(tally) < 0.22
    buyers: dict[str, set[str]] = defaultdict(set)
    for person, bought in tally.orders.items():
        for item in {item for _, items in bought for item in items}:
            buyers[item].add(person)
    counts = np.sort([len(people) for people in buyers.values()])
    assert 0.54 < gini(counts) < 0.64
    assert 0.38 < counts[-len(counts) // 10 :].sum() / counts.sum() < 0.48


def repeats(tally: Tally) -> float:
    again = lines = 0
    for orders in tally.orders.values():
        had: set[str] = set()
        for _, items in orders:
            again += len(had & set(items))
            lines += len(items)
            had |= set(items)
    return again / lines


def gini(counts: np.ndarray[Any, Any]) -> float:
    return float(1 - 2 * np.sum(np.cumsum(counts) / counts.sum()) / len(counts) + 1 / len(counts))


def test_the_history_is_neither_too_small_to_learn_from_nor_too_large_for_a_demo(tally: Tally) -> None:
    assert 150_000 < tally.events < 300_000
    assert tally.consents["granted"] > 10_000
    assert min(tally.consents[state] for state in ("session", "anonymous", "denied")) > 400


def test_knowing_the_visitor_beats_popularity_on_things_they_never_bought(catalogue: list[Item], tally: Tally) -> None:
    """Plain item neighbours, trained up to 14 days before the end, against distinct buyers of 60 days.

    iALS and item neighbours reached 1.4 to 1.8 times popularity on seeds 3, 4, 7 and 20261122 (350 visitors each).
    """
    cut = NOW / DAY - 14
    numbers = {item["id"]: number for number, item in enumerate(catalogue)}
    people = {person: row for row, person in enumerate(sorted({person for _, person, _ in tally.views}))}
    seen = np.zeros((len(people), len(catalogue)), dtype=np.float32)
    for at, person, item in tally.views:
        seen[people[person], numbers[item]] += at < cut
    popular = np.zeros(len(catalogue))
    tests: dict[int, set[int]] = {}
    for person, orders in tally.orders.items():
        before = {numbers[item] for at, items in orders if at < cut for item in items}
        popular[[numbers[item] for item in {i for at, items in orders if cut - 60 < at < cut for i in items}]] += 1
        tests[people[person]] = {numbers[item] for at, items in orders if at >= cut for item in items} - before
        seen[people[person], list(before)] += 4
    known = sparse.csr_array(seen > 0, dtype=np.float32)
    by_person = sparse.diags_array(np.maximum(known.sum(axis=1), 1) ** -0.5)
    by_item = sparse.diags_array(np.maximum(known.sum(axis=0), 1) ** -0.5)
    scaled = by_person @ known @ by_item
    near = (scaled.T @ scaled).toarray()
    np.fill_diagonal(near, 0)
    hits = {"popular": 0, "near": 0}
    for row, wanted in tests.items():
        bought = seen[row] >= 4
        if wanted and seen[row].any():
            for name, scores in (("popular", popular), ("near", np.log1p(seen[row]) @ near)):
                top = np.argsort(-np.where(bought, -1.0, scores), kind="stable")[:20]
                hits[name] += bool(wanted & set(top.tolist()))
    assert hits["popular"] > 50
    assert hits["near"] >= 1.3 * hits["popular"]


def test_personas_have_a_history_under_their_own_id(visits: list[Batch]) -> None:
    shown = personas(SEED, NOW)
    assert len({persona.anon for persona in shown}) == len(shown) == 6
    by_person = Counter(batch["anon"] for batch in visits if "anon" in batch)
    for persona in shown:
        assert by_person[persona.anon] >= 8, persona.name
        assert {batch["region"] for batch in visits if batch.get("anon") == persona.anon} == {persona.region}


def test_a_veto_and_a_wrong_kind_are_worth_nothing(catalogue: list[Item]) -> None:
    shelf = read_shelf(catalogue, SEED, NOW)
    boots = next(number for number, sub in enumerate(SUBCATEGORIES) if sub.name == "boots")
    person = replace(generate_shoppers(SEED, NOW, 1)[0], veto=0)
    free = utility(person, shelf, Need(boots, "wish"), NOW)
    strict = utility(replace(person, veto=1), shelf, Need(boots, "wish"), NOW)
    leather = (shelf.material == 1) & (free > 0)
    assert leather.any()
    assert np.all(strict[leather] < 0.05 * free[leather])
    assert not free[shelf.sub != boots].any()
    assert not free[~shelf.available].any()


def test_wool_is_liked_better_in_january_than_in_july(catalogue: list[Item]) -> None:
    shelf = read_shelf(catalogue, SEED, NOW)
    knit = next(number for number, sub in enumerate(SUBCATEGORIES) if sub.name == "knitwear")
    person = generate_shoppers(SEED, NOW, 1)[0]
    january, july = NOW + 55 * DAY, NOW + 240 * DAY
    wool = (shelf.material == 2) & (shelf.sub == knit) & (shelf.wave == 0) & (shelf.published < NOW - 60 * DAY)
    winter = utility(person, shelf, Need(knit, "wish"), january)[wool]
    summer = utility(person, shelf, Need(knit, "wish"), july)[wool]
    assert winter.sum() > 1.2 * summer.sum()


def test_names_in_the_tables_exist() -> None:
    paths = {sub.path for sub in SUBCATEGORIES}
    assert set(COMPLEMENTS) | {other for others in COMPLEMENTS.values() for other in others} <= paths
    assert all(wants(f"{habit}:1").any() for habit in HABITS)
    with pytest.raises(ValueError, match="'runing' is neither"):
        wants("runing:1")


@given(st.floats(0.5, 900))
def test_prices_look_like_prices(price: float) -> None:
    shown = charm(price)
    assert shown > 0
    assert shown == round(shown, 2)
    assert abs(shown - price) < max(0.8, 0.12 * price)


@given(st.text(alphabet="abcdefgh ", min_size=4, max_size=30), st.integers(0, 2**32))
def test_a_typing_error_changes_a_word_by_at_most_one_letter(query: str, seed: int) -> None:
    assert abs(len(misspell(query, np.random.default_rng(seed))) - len(query)) <= 1


@given(st.sampled_from(["#000000", "#ffffff", "#4a7fb0"]), st.floats(0, 1))
def test_mixed_colours_are_colours(colour: str, share: float) -> None:
    assert len(mix(colour, "#f7f4ee", share)) == 7
    assert int(mix(colour, "#f7f4ee", share)[1:], 16) >= 0


def test_a_rabbit_does_not_look_like_a_bear(catalogue: list[Item]) -> None:
    toys = [item for item in catalogue if item["category"][1] == "soft-toys"]
    rabbit = next(item for item in toys if "Rabbit" in item["title"])
    bear = next(item for item in toys if "Bear" in item["title"])
    assert DRAWINGS["soft-toys"].body in picture(bear)
    assert DRAWINGS["soft-toys"].body not in picture(rabbit)


def test_every_special_drawing_is_of_a_product_that_exists(catalogue: list[Item]) -> None:
    for subcategory, word in SPECIAL:
        assert any(item["category"][1] == subcategory and word in item["title"] for item in catalogue), word


def test_nothing_that_learns_or_serves_can_read_the_visitors_true_tastes() -> None:
    root = Path(__file__).parent.parent
    folders = [
        root / name for name in ("app/learning", "app/serving", "app/features", "app/search", "plugins", "store")
    ]
    for module in (module for folder in folders for module in folder.rglob("*.py")):
        assert "app.demo" not in module.read_text(encoding="utf-8"), module
