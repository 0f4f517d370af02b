"""The index finds the products that comparing all of them would find, and refuses what does not fit."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from store.index import ExactIndex, FreshItems, Index, IndexUnusable, Labels, VectorIndex, search_all

Floats: TypeAlias = NDArray[np.float32]
Make: TypeAlias = Callable[[Floats, Labels], Index]


def vectors(count: int, dimensions: int = 16, seed: int = 1) -> Floats:
    return np.random.default_rng(seed).normal(size=(count, dimensions)).astype(np.float32)


def graph(rows: Floats, labels: Labels) -> Index:
    return VectorIndex.build(rows, labels, seed=1)


@pytest.fixture(params=[ExactIndex, graph], ids=["exact", "graph"])
def make(request: pytest.FixtureRequest) -> Make:
    made: Make = request.param
    return made


def test_the_best_rows_come_first_under_their_own_labels(make: Make) -> None:
    index = make(np.eye(4, dtype=np.float32), np.array([70, 71, 72, 73]))
    labels, scores = index.search(np.array([0.1, 0.9, 0.5, 0], dtype=np.float32), 2, 16)
    assert labels.tolist() == [71, 72]
    assert scores == pytest.approx([0.9, 0.5])


def test_asking_for_more_than_there_is_gives_all(make: Make) -> None:
    index = make(vectors(5), np.arange(5))
    labels, scores = index.search(vectors(1)[0], 50, 10)
    assert sorted(labels.tolist()) == [0, 1, 2, 3, 4]
    assert (np.diff(scores) <= 0).all()


def test_an_empty_index_or_no_wish_gives_nothing(make: Make) -> None:
    assert len(make(vectors(0), np.arange(0)).search(vectors(1)[0], 5, 10)[0]) == 0
    assert len(make(vectors(3), np.arange(3)).search(vectors(1)[0], 0, 10)[0]) == 0


def test_rows_that_are_all_alike_are_still_found(make: Make) -> None:
    index = make(np.zeros((300, 8), dtype=np.float32), np.arange(300))
    assert len(set(index.search(np.ones(8, dtype=np.float32), 200, 10)[0].tolist())) == 200


@pytest.mark.parametrize("shape", [(15,), (1, 16), (16,)], ids=["too short", "a table", "not finite"])
def test_a_query_that_does_not_fit_is_refused(make: Make, shape: tuple[int, ...]) -> None:
    bad = np.full(shape, np.nan if shape == (16,) else 1, dtype=np.float32)
    index = make(vectors(20), np.arange(20))
    with pytest.raises(IndexUnusable, match="query"):
        index.search(bad, 3, 10)


def test_rows_that_are_not_finite_or_not_labelled_are_refused(make: Make) -> None:
    with pytest.raises(IndexUnusable, match="finite"):
        make(np.full((2, 4), np.inf, dtype=np.float32), np.arange(2))
    with pytest.raises(IndexUnusable, match="one label per vector"):
        make(vectors(3), np.arange(2))


def test_the_graph_finds_what_the_scan_finds() -> None:
    # Vectors of a low-rank table with skewed lengths, as factorised behaviour gives them.
    random = np.random.default_rng(3)
    rows = (vectors(3000, 12) * random.lognormal(0, 0.7, (3000, 1))).astype(np.float32)
    exact, built = ExactIndex(rows, np.arange(3000)), VectorIndex.build(rows, np.arange(3000), seed=1)
    queries = vectors(100, 12, seed=4)
    found = [len(set(exact.search(q, 20)[0].tolist()) & set(built.search(q, 20)[0].tolist())) for q in queries]
    assert np.mean(found) / 20 >= 0.95


def test_a_mask_leaves_the_others_out(make: Make) -> None:
    index = make(vectors(300), np.arange(300) * 2)
    allowed = np.arange(500) % 3 == 0  # the last labels are beyond it
    for query in vectors(5, seed=4):
        labels, scores = index.search(query, 30, 300, allowed)
        may = np.arange(0, 500, 6)
        truth = may[np.argsort(-(index.vectors[may // 2] @ query))[:30]]
        assert labels[:20].tolist() == truth[:20].tolist()
        assert scores == pytest.approx(index.vectors[labels // 2] @ query, rel=1e-3, abs=1e-3)


def test_the_same_vectors_and_seed_give_the_same_file(tmp_path: Path) -> None:
    for name in ("a", "b"):
        VectorIndex.build(vectors(400), np.arange(400), seed=7).save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_saved_index_answers_like_the_one_that_was_built(tmp_path: Path) -> None:
    rows, labels = vectors(400), np.arange(400) * 3
    built = VectorIndex.build(rows, labels, seed=7)
    built.save(tmp_path / "items.hnsw")
    loaded = VectorIndex.load(tmp_path / "items.hnsw", rows, labels)
    for query in vectors(10, seed=9):
        assert loaded.search(query, 20)[0].tolist() == built.search(query, 20)[0].tolist()


def test_a_file_of_another_shape_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "items.hnsw"
    VectorIndex.build(vectors(40, 16), np.arange(40), seed=7).save(path)
    with pytest.raises(IndexUnusable, match="40 vectors of 16 numbers; 40 of 8 are needed"):
        VectorIndex.load(path, vectors(40, 8), np.arange(40))
    with pytest.raises(IndexUnusable, match="41 of 16 are needed"):
        VectorIndex.load(path, vectors(41, 16), np.arange(41))


def test_a_missing_or_cut_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "items.hnsw"
    with pytest.raises(IndexUnusable, match="cannot be read"):
        VectorIndex.load(path, vectors(40), np.arange(40))
    VectorIndex.build(vectors(40), np.arange(40), seed=7).save(path)
    whole = path.read_bytes()
    for kept in (10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:kept])
        with pytest.raises(IndexUnusable, match="train again"):
            VectorIndex.load(path, vectors(40), np.arange(40))


def test_a_fresh_item_is_found_at_once_and_counts_once() -> None:
    index = ExactIndex(np.eye(3, dtype=np.float32), np.arange(3))
    fresh = FreshItems(dimensions=3, limit=10)
    query = np.array([1, 0.5, 0], dtype=np.float32)
    assert search_all(index, fresh, query, 2, 10)[0].tolist() == [0, 1]
    assert fresh.add(9, np.array([2, 0, 0], dtype=np.float32))
    assert search_all(index, fresh, query, 2, 10)[0].tolist() == [9, 0]
    assert fresh.add(0, np.array([0, 0, 1], dtype=np.float32))
    labels, scores = search_all(index, fresh, query, 4, 10)
    assert labels.tolist() == [9, 1, 2, 0] or labels.tolist() == [9, 1, 0, 2]
    assert scores == pytest.approx([2, 0.5, 0, 0])


def test_fresh_items_keep_within_their_limit() -> None:
    fresh = FreshItems(dimensions=2, limit=70)
    assert [fresh.add(label, np.ones(2, dtype=np.float32)) for label in range(72)] == [True] * 70 + [False] * 2
    assert fresh.add(3, np.array([5, 5], dtype=np.float32))
    assert fresh.search(np.ones(2, dtype=np.float32), 1)[0].tolist() == [3]
    assert len(fresh) == 70
    assert 69 in fresh
    assert 70 not in fresh


@settings(max_examples=60, deadline=None)
@given(count=st.integers(0, 60), k=st.integers(0, 80), seed=st.integers(0, 1000))
def test_a_scan_is_a_full_sort_cut_at_k(count: int, k: int, seed: int) -> None:
    rows, query = vectors(count, 4, seed), vectors(1, 4, seed + 1)[0]
    labels, scores = ExactIndex(rows, np.arange(count)).search(query, k)
    assert scores == pytest.approx(np.sort(rows @ query)[::-1][:k], abs=1e-5)
    assert rows[labels] @ query == pytest.approx(scores, abs=1e-5)


def test_a_mask_that_has_no_word_on_anything_allows_nothing(make: Make) -> None:
    rows = vectors(50)
    labels, scores = make(rows, np.arange(50)).search(rows[0], 5, 64, np.zeros(0, np.bool_))
    assert len(labels) == len(scores) == 0
