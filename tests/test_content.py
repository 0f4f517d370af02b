"""Products that are alike in title, category, brand or price lie close together, new ones included."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from app.learning.content import ContentModel, fit
from store.records import Item

KINDS = {("shoes", "running"): "Trail Runner", ("kitchen", "kettles"): "Steel Kettle", ("garden", "pots"): "Clay Pot"}


def shop() -> list[Item]:
    return [
        Item(
            id=f"{kind[1]}-{number}",
            title=f"{('Red', 'Blue', 'Green', 'Grey')[number % 4]} {title} {number}",
            category=kind,
            brand=("Alder", "Birk")[number % 2],
            price=10.0 * (1 + number),
        )
        for kind, title in KINDS.items()
        for number in range(12)
    ]


def nearest(vectors: NDArray[np.float32], vector: NDArray[np.float32], count: int) -> list[int]:
    return [int(row) for row in np.argsort(-(vectors @ vector), kind="stable")[:count]]


def fitted(items: list[Item | None], dimensions: int = 16) -> tuple[NDArray[np.float32], ContentModel]:
    arrays = fit(items, dimensions=dimensions, seed=1)
    return np.asarray(arrays["vectors"], dtype=np.float32), ContentModel(arrays)


def test_the_nearest_products_are_of_the_same_kind() -> None:
    items = shop()
    vectors, _ = fitted([*items])
    for row, item in enumerate(items):
        kinds = [items[other].category for other in nearest(vectors, vectors[row], 6)]
        assert kinds.count(item.category) == 6


@pytest.mark.parametrize(
    "newcomer",
    [
        Item(id="n", title="Purple trail runners"),
        Item(id="n", title="Unheard of", category=("shoes", "running")),
        Item(id="n", title="Runner's choice"),
    ],
    ids=["words", "category", "part of a word"],
)
def test_a_new_product_lies_among_its_kind_at_once(newcomer: Item) -> None:
    items = shop()
    vectors, model = fitted([*items])
    kinds = [items[row].category for row in nearest(vectors, model.vector(newcomer), 5)]
    assert kinds.count(("shoes", "running")) == 5


def test_the_same_product_lies_where_it_was_fitted() -> None:
    items = shop()
    vectors, model = fitted([*items])
    for row, item in enumerate(items):
        assert model.vector(item) == pytest.approx(vectors[row], abs=1e-5)


def test_brand_and_price_bring_otherwise_equal_products_together() -> None:
    plain = [
        Item(id=str(n), title="Mug", brand=("Alder", "Birk")[n % 2], price=(5.0, 80.0)[n // 10]) for n in range(20)
    ]
    vectors, model = fitted([*plain], dimensions=8)
    near = nearest(vectors, model.vector(Item(id="n", title="Mug", brand="Birk", price=5.2)), 5)
    assert {plain[row].brand for row in near} == {"Birk"}
    assert {plain[row].price for row in near} == {5.0}


def test_the_sale_price_counts_when_there_is_one() -> None:
    _, model = fitted([*shop()])
    reduced = model.vector(Item(id="n", title="Mug", price=80.0, sale_price=20.0))
    assert reduced == pytest.approx(model.vector(Item(id="n", title="Mug", price=20.0)))


def test_a_missing_product_or_one_without_a_word_has_no_direction() -> None:
    vectors, model = fitted([None, *shop(), Item(id="?", title="?!")])
    assert not vectors[0].any()
    assert not vectors[-1].any()
    assert not model.vector(Item(id="?", title="")).any()


@pytest.mark.parametrize("items", [[], [None], [Item(id="1", title="One")]], ids=["none", "deleted", "one"])
def test_the_smallest_shops_can_be_fitted(items: list[Item | None]) -> None:
    vectors, model = fitted(items, dimensions=8)
    assert vectors.shape == (len(items), 8)
    assert model.vector(Item(id="n", title="One more")).shape == (8,)


def test_the_same_catalogue_and_seed_give_the_same_vectors() -> None:
    first, second = (fit([*shop()], dimensions=8, seed=5)["vectors"] for _ in range(2))
    assert first.tobytes() == second.tobytes()


FITTED = fitted([*shop()])[1]


@settings(max_examples=40, deadline=None)
@given(
    title=st.text(max_size=60),
    category=st.lists(st.text(max_size=8), max_size=4),
    price=st.none() | st.floats(-10, 1e9, allow_subnormal=False),
)
def test_whatever_is_written_gives_a_unit_vector_or_none(title: str, category: list[str], price: float | None) -> None:
    length = float(np.linalg.norm(FITTED.vector(Item(id="n", title=title, category=tuple(category), price=price))))
    assert length == pytest.approx(1, abs=1e-4) or length == 0
