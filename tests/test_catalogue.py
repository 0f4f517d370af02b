import json

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.affinities import AFFINITY_KINDS
from store.catalogue import CHANGES_KEPT, Catalogue, CatalogueFull
from store.records import Item


def shoe(number: int = 1, **changes: object) -> Item:
    fields: dict[str, object] = {
        "id": f"SKU{number}",
        "title": f"Trail shoe {number}",
        "price": 10.0 * number,
        "category": ("shoes", "running"),
        "brand": "Alder",
    }
    return Item(**(fields | changes))  # type: ignore[arg-type]


def of_shoes(count: int) -> Catalogue:
    catalogue = Catalogue()
    for number in range(count):
        catalogue.put(number, shoe(number))
    return catalogue


def test_an_item_is_a_row_of_every_column() -> None:
    catalogue = Catalogue()
    catalogue.put(0, shoe(1, sale_price=8.0, published=5.0))
    assert catalogue.number("SKU1") == 0
    assert catalogue.size == 1
    assert catalogue.price[0] == 8.0
    assert catalogue.published[0] == 5.0
    assert catalogue.category_names[catalogue.category[0]] == "shoes/running"
    assert catalogue.top_category_names[catalogue.top_category[0]] == "shoes"
    assert catalogue.brand_names[catalogue.brand[0]] == "Alder"
    assert catalogue.item(0) == shoe(1, sale_price=8.0, published=5.0)


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({}, True),
        ({"availability": "preorder"}, True),
        ({"availability": "backorder"}, True),
        ({"availability": "out_of_stock"}, False),
        ({"hidden": True}, False),
    ],
)
def test_only_sold_out_and_hidden_items_are_not_servable(changes: dict[str, object], shown: bool) -> None:
    catalogue = Catalogue()
    catalogue.put(0, shoe(1, **changes))
    assert catalogue.servable[0] == shown


def test_a_deleted_item_is_gone_from_every_column_and_its_number_stays_taken() -> None:
    catalogue = of_shoes(3)
    catalogue.put(1, shoe(1, attributes={"color": "moss", "weight": 3.0}))
    catalogue.remove(1)
    assert catalogue.number("SKU1") is None
    assert catalogue.size == 3
    assert not catalogue.servable[1]
    assert np.isnan(catalogue.price[1])
    assert catalogue.category[1] == catalogue.brand[1] == catalogue.band[1] == -1
    assert catalogue.fragment(1) == b""
    assert catalogue.affinity_keys(1) == ()
    with pytest.raises(KeyError):
        catalogue.item(1)


def test_an_update_leaves_nothing_of_what_the_item_was() -> None:
    catalogue = Catalogue()
    catalogue.put(0, shoe(1, attributes={"color": "moss", "weight": 3.0}, regions=("FR",)))
    before = catalogue.fragment(0)
    catalogue.put(0, Item(id="SKU1", title="Renamed", attributes={"color": 7.0}))
    color, weight = catalogue.attributes["color"], catalogue.attributes["weight"]
    assert color.codes is not None
    assert color.codes.values[0] == -1
    assert color.numbers is not None
    assert color.numbers.values[0] == 7.0
    assert weight.numbers is not None
    assert np.isnan(weight.numbers.values[0])
    assert catalogue.in_region("DE")[0]
    assert catalogue.fragment(0) != before


def test_the_fragment_is_what_an_answer_says_of_the_item_and_leaves_empty_fields_out() -> None:
    catalogue = Catalogue()
    catalogue.put(0, shoe(2, image="/i.svg", url="/p/2", currency="EUR", description="long"))
    catalogue.put(1, Item(id="x", title="Bare"))
    assert json.loads(catalogue.fragment(0)) == {
        "id": "SKU2",
        "title": "Trail shoe 2",
        "url": "/p/2",
        "image": {"url": "/i.svg", "alt": "Trail shoe 2"},
        "price": 20.0,
        "currency": "EUR",
        "availability": "in_stock",
    }
    assert json.loads(catalogue.fragment(1)) == {"id": "x", "title": "Bare", "availability": "in_stock"}


def test_an_item_of_some_regions_is_shown_in_no_other() -> None:
    catalogue = Catalogue()
    catalogue.put(0, shoe(0, regions=("FR", "DE")))
    catalogue.put(1, shoe(1))
    assert catalogue.in_region("FR").tolist() == [True, True]
    assert catalogue.in_region("NL").tolist() == [False, True]
    assert catalogue.in_region("").tolist() == [True, True]
    catalogue.put(2, shoe(2, regions=("NL",)))
    assert catalogue.in_region("NL").tolist() == [False, True, True]


def test_price_bands_are_deciles_within_the_top_category() -> None:
    catalogue = Catalogue()
    for number in range(100):
        catalogue.put(2 * number, shoe(2 * number, price=float(number)))
        catalogue.put(2 * number + 1, shoe(2 * number + 1, price=1000.0 + number, category=("tents",)))
    assert catalogue.band[::2].tolist() == [number // 10 for number in range(100)]
    assert catalogue.band[1::2].tolist() == [number // 10 for number in range(100)]


def test_affinities_are_named_alike_when_learned_and_when_looked_up() -> None:
    catalogue = Catalogue()
    catalogue.put(0, shoe(1))
    catalogue.put(1, shoe(2, category=("shoes",), brand="Birch"))
    catalogue.put(2, Item(id="bare", title="Bare"))
    keys = catalogue.affinity_keys(0)
    band = catalogue.band[0]
    assert keys == ("category:shoes/running", "brand:Alder", f"band:{band}", f"category_band:shoes|{band}")
    found = catalogue.affinity_of(np.array([0, 1, 2], np.int32), dict.fromkeys(keys, 2.0) | {"brand:unheard of": 1.0})
    assert found[:, 0].tolist() == [2.0] * len(AFFINITY_KINDS)
    assert found[:2, 1].tolist() == [0.0, 0.0]
    assert found[:, 2].tolist() == [0.0] * len(AFFINITY_KINDS)


def test_a_key_is_found_by_its_kind_and_code() -> None:
    catalogue = of_shoes(40)
    items = np.arange(40, dtype=np.int32)
    by_kind = zip(AFFINITY_KINDS, catalogue.affinity_codes(items), strict=True)
    keys = [[catalogue.affinity_key(kind, code) for code in codes.tolist()] for kind, codes in by_kind]
    assert [catalogue.affinity_keys(number) for number in range(40)] == list(zip(*keys, strict=True))


def test_a_category_includes_all_below_it() -> None:
    catalogue = Catalogue()
    for number, path in enumerate([("shoes",), ("shoes", "running"), ("shoestrings",), ("shoes", "running", "trail")]):
        catalogue.put(number, shoe(number, category=path))
    below = catalogue.categories_below("shoes")
    assert np.isin(catalogue.category, below).tolist() == [True, True, False, True]
    assert catalogue.categories_below("shoes/running").tolist() == [1, 3]
    assert catalogue.categories_below("running").tolist() == []


def test_what_changed_since_a_version_is_known_for_a_while() -> None:
    catalogue = of_shoes(5)
    version = catalogue.version
    catalogue.put(3, shoe(3))
    catalogue.remove(1)
    catalogue.put(3, shoe(3))
    changed = catalogue.changed_since(version)
    assert changed is not None
    assert changed.tolist() == [1, 3]
    for _ in range(3 * CHANGES_KEPT):
        catalogue.put(0, shoe(0))
    assert catalogue.changed_since(version) is None


def test_too_many_attributes_or_regions_are_refused_before_anything_changes() -> None:
    catalogue = Catalogue(attributes_at_most=2)
    catalogue.put(0, shoe(0, attributes={"a": 1.0}))
    catalogue.check([shoe(1, attributes={"b": 1.0})])
    with pytest.raises(CatalogueFull, match="2 attribute names"):
        catalogue.check([shoe(1, attributes={"b": 1.0}), shoe(2, attributes={"c": 1.0})])
    with pytest.raises(CatalogueFull, match="63 regions"):
        catalogue.check([shoe(number, regions=(f"R{number}",)) for number in range(64)])


items = st.builds(
    Item,
    id=st.sampled_from([f"i{number}" for number in range(12)]),
    title=st.text(max_size=5),
    price=st.none() | st.floats(0, 1e6),
    category=st.lists(st.sampled_from(["a", "b", "c"]), max_size=3).map(tuple),
    brand=st.sampled_from(["", "x", "y"]),
    availability=st.sampled_from(["in_stock", "out_of_stock"]),
    hidden=st.booleans(),
    attributes=st.dictionaries(st.sampled_from(["p", "q"]), st.booleans() | st.sampled_from(["u", "v"]), max_size=2),
)


@given(st.lists(items | st.integers(0, 11), max_size=60))
def test_a_catalogue_changed_step_by_step_equals_one_loaded_at_the_end(changes: list[Item | int]) -> None:
    catalogue, kept = Catalogue(), dict[int, Item]()
    for change in changes:
        if isinstance(change, Item):
            number = int(change.id[1:])
            catalogue.put(number, change)
            kept[number] = change
        elif change in kept:
            catalogue.remove(change)
            del kept[change]
    fresh = Catalogue()
    for number in range(catalogue.size):
        if number in kept:
            fresh.put(number, kept[number])
        else:
            fresh.load(number, b"")
    assert np.array_equal(catalogue.servable, fresh.servable)
    assert np.array_equal(catalogue.price, fresh.price, equal_nan=True)
    for number, item in kept.items():
        assert catalogue.number(item.id) == number
        assert catalogue.item(number) == item
        path, brand = "/".join(item.category), item.brand
        assert path == ("" if catalogue.category[number] < 0 else catalogue.category_names[catalogue.category[number]])
        assert brand == ("" if catalogue.brand[number] < 0 else catalogue.brand_names[catalogue.brand[number]])


def test_attributes_loaded_in_bulk_are_those_put_one_by_one() -> None:
    kinds: list[dict[str, str | float | bool]] = [
        {"color": "red", "weight": 1.5}, {"color": "blue", "weight": 2}, {"waterproof": True}, {}, {"color": 7.0},
    ]  # fmt: skip
    one_by_one, loaded = Catalogue(), Catalogue()
    for number in range(200):
        one_by_one.put(number, Item(id=str(number), title="x", attributes=kinds[number % len(kinds)]))
        loaded.load(number, msgspec.msgpack.encode(one_by_one.item(number)))
    loaded.settle()
    assert loaded.attributes.keys() == one_by_one.attributes.keys()
    for name, column in one_by_one.attributes.items():
        told = loaded.attributes[name]
        assert np.array_equal(told.number_cells(200), column.number_cells(200), equal_nan=True)
        texts = [[names[code] if code >= 0 else None for code in codes.tolist()] for names, codes in (
            (each.words.names, each.code_cells(200)) for each in (told, column))]  # fmt: skip
        assert texts[0] == texts[1]
