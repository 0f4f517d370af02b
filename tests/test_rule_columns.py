"""What expressions name, kept up with the catalogue; and how few rules a request has to ask."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.filters.masks import compile_filter
from app.rules.columns import Columns
from app.rules.index import Facts, Index
from store.records import Item
from tests.ruled_shop import rule, rules_of
from tests.small_shop import NOW, SIZE, item, small_catalogue

TEXTS = ["price < 20", 'brand == "Alder"', 'not category == "shoes"', 'id in ["SKU1", "SKU70"]', "discount > 10"]
CHANGES = st.lists(
    st.tuples(st.integers(0, SIZE + 20), st.sampled_from(["other", "gone", "sale", "again"])), max_size=12
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(CHANGES, st.integers(1, 4))
def test_columns_that_follow_the_catalogue_are_those_made_anew(changes: list[tuple[int, str]], every: int) -> None:
    catalogue = small_catalogue()
    columns = Columns(catalogue, 1 << 20)
    filters = [compile_filter(text) for text in TEXTS]
    summed = [(0.25 * (place + 1), one) for place, one in enumerate(filters)]
    for step, (number, what) in enumerate(changes):
        if what == "gone":
            if catalogue.exists(number):
                catalogue.remove(number)
        elif what == "sale":
            catalogue.put(number, Item(id=f"SKU{number}", title="On sale", price=90.0, sale_price=45.0, brand="Alder"))
        else:
            made = item(number + (1 if what == "other" else 0))
            catalogue.put(number, Item(id=f"SKU{number}", title="x", price=made.price, category=made.category))
        if step % every:
            continue
        fresh = Columns(catalogue, 1 << 20)
        for one in filters:
            assert np.array_equal(columns.mask(one), fresh.mask(one))
        assert np.array_equal(columns.all_of("k", filters[:2]), fresh.all_of("k", filters[:2]))
        assert np.allclose(columns.sum_of("s", summed), fresh.sum_of("s", summed))
        bits = np.unpackbits(columns.packed("p", filters), axis=1, bitorder="little")[:, : len(filters)]
        assert np.array_equal(bits.T.astype(np.bool_), [fresh.mask(one) for one in filters])


def test_what_was_not_asked_longest_is_forgotten_at_the_bound() -> None:
    catalogue = small_catalogue()
    columns = Columns(catalogue, 10 * catalogue.size)
    filters = [compile_filter(f"price < {n}") for n in range(40)]
    for one in filters:
        columns.mask(one)
    assert len(columns._kept) == 10
    assert columns._bytes == 10 * catalogue.size
    assert all(int(np.count_nonzero(columns.mask(one))) == max(n - 1, 0) for n, one in enumerate(filters))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, SIZE - 1), st.lists(st.sampled_from([*TEXTS, ""]), max_size=11))
def test_rules_about_the_page_hold_for_the_items_their_expressions_name(on: int, texts: list[str]) -> None:
    catalogue = small_catalogue()
    written = [rule(f"r{n:02}", "boost", "price > 5", {"page": text} if text else {}) for n, text in enumerate(texts)]
    rules = rules_of(catalogue, *written)
    masks = [Columns(catalogue, 1 << 20).mask(compile_filter(text)) if text else None for text in texts]
    wanted = sum(1 << n for n, mask in enumerate(masks) if mask is None or mask[on])
    assert rules.ruling(Facts(NOW, "home", item=on)).selected == wanted
    assert rules.ruling(Facts(NOW, "home")).selected == sum(1 << n for n, mask in enumerate(masks) if mask is None)


def test_of_a_thousand_rules_only_those_are_asked_that_the_index_cannot_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = random.Random(1)
    written = [
        rule(f"r{n}", "boost", "price > 5", {"queries": [f"word{n % 100} and{n % 7}"], "regions": [draw.choice("ABCD")],
                                             "placements": ["search"]})
        for n in range(1000)
    ]  # fmt: skip
    rules = rules_of(small_catalogue(), *written)
    asked: list[str] = []
    real = Index._verified

    def noted(self: Index, ready: object, facts: Facts, words: frozenset[str]) -> bool:
        asked.append("")
        return real(self, ready, facts, words)  # type: ignore[arg-type]  # handed on as it came

    monkeypatch.setattr(Index, "_verified", noted)
    ruling = rules.ruling(Facts(NOW, "search", "A", query="word5"))
    assert ruling.selected == 0  # the phrase's other word is missing
    assert 1 <= len(asked) <= 10
    asked.clear()
    assert rules.ruling(Facts(NOW, "home", "A")).selected == 0
    assert rules.ruling(Facts(NOW, "search", "E", query="word5")).selected == 0
    assert asked == []
