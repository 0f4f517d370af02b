"""How to learn is chosen by what would have foretold the last interactions; what the noise explains changes nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix, random_array

from app.learning import evaluation, lists
from app.learning.choice import Choice, Taste, better, choose, keep_out
from app.learning.lists import best_columns, blended, by_neighbours, recall_and_ndcg
from app.learning.neighbours import Filter, by_source, company, first_of_each, item_degrees, item_neighbours
from app.learning.regression import most_dense, regression_neighbours


def table(people: int, items: int, density: float, seed: int) -> csr_matrix:
    made = csr_matrix(random_array((people, items), density=density, rng=np.random.default_rng(seed), dtype=np.float32))
    made.data[:] = 1
    made.sort_indices()
    return made


def kinds(people: int, items: int, kinds: int, each: int, seed: int) -> csr_matrix:
    """People who each choose `each` items of one of `kinds` kinds of items, and never of another."""
    random = np.random.default_rng(seed)
    own = items // kinds
    columns = [
        np.sort(random.permutation(own)[:each] + own * (person % kinds)) for person in range(people)
    ]  # fmt: skip
    starts = np.arange(people + 1) * each
    return csr_matrix((np.ones(people * each, np.float32), np.concatenate(columns), starts), shape=(people, items))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 9999), k=st.integers(1, 30), items=st.integers(1, 700))
def test_a_list_holds_the_largest_scores_in_their_order(seed: int, k: int, items: int) -> None:
    block = np.random.default_rng(seed).random((5, items)).astype(np.float32)
    found = best_columns(block, k)
    assert found.tolist() == np.argsort(-block, axis=1)[:, :k].tolist()


def test_many_people_are_measured_as_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "_BLOCK_FLOATS", 150)
    seen, wanted = table(30, 50, 0.1, 1), table(30, 50, 0.2, 2)
    wanted = csr_matrix(wanted - wanted.multiply(seen))
    wanted.eliminate_zeros()
    scores = np.random.default_rng(3).random((30, 50)).astype(np.float32)
    recall, ndcg = recall_and_ndcg(lambda start, stop: scores[start:stop].copy(), seen, wanted, k=5)
    for person in range(30):
        unseen = np.setdiff1d(np.arange(50), seen[[person]].indices)
        ranked = unseen[np.argsort(-scores[person][unseen])].tolist()
        truth = wanted[[person]].indices.tolist()
        assert recall[person] == pytest.approx(evaluation.recall(ranked, truth, 5))
        assert ndcg[person] == pytest.approx(evaluation.ndcg(ranked, truth, 5))


def test_recall_and_gain_by_hand() -> None:
    scores = np.array([[0.9, 0.8, 0.7, 0.6]], np.float32)
    seen, wanted = csr_matrix(np.array([[1.0, 0, 0, 0]])), csr_matrix(np.array([[0, 0, 1.0, 1]]))
    recall, ndcg = recall_and_ndcg(lambda start, stop: scores.copy(), seen, wanted, k=2)
    # Item 0 is known, so the list is 1, 2: one of two found, on the second place.
    assert recall[0] == 0.5
    assert ndcg[0] == pytest.approx((1 / np.log2(3)) / (1 + 1 / np.log2(3)))


def test_parts_are_added_on_one_scale() -> None:
    seen = csr_matrix(np.array([[1.0, 0, 0]]))
    first = np.array([[9.0, 2, 1]], np.float32)
    second = np.array([[9.0, -4, 2]], np.float32)
    total = blended(lambda *_: first.copy(), lambda *_: second.copy(), 0.5, seen)(0, 1)
    assert total[0, 1:].tolist() == [1 - 0.5, 0.5 + 0.25]


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 9999), ridge=st.sampled_from([0.5, 5.0, 100.0]))
def test_the_regression_is_the_one_of_the_paper(seed: int, ridge: float) -> None:
    chosen = table(40, 23, 0.2, seed)
    inverse = np.linalg.inv((chosen.T @ chosen).toarray() + ridge * np.eye(23))
    whole = -inverse / np.diag(inverse)
    np.fill_diagonal(whole, 0)
    assert regression_neighbours(chosen, ridge=ridge, keep=23).toarray() == pytest.approx(whole, abs=1e-4)


def test_the_regression_keeps_the_weightiest_whatever_their_sign() -> None:
    chosen = table(60, 30, 0.3, 4)
    whole = regression_neighbours(chosen, ridge=3, keep=30).toarray()
    cut = regression_neighbours(chosen, ridge=3, keep=4)
    for item in range(30):
        assert set(cut[[item]].indices) == set(np.argsort(-np.abs(whole[item]))[:4])
        assert (np.diff(cut[[item]].data) <= 0).all()
    with pytest.raises(ValueError, match="ridge"):
        regression_neighbours(chosen, ridge=0, keep=4)


def test_the_regression_is_left_out_where_memory_is_short() -> None:
    assert most_dense(4096) ** 2 * 4 < 4096e6 / 2
    assert most_dense(0) > 1e6


def test_company_is_shared_by_powers_and_cut_as_alone() -> None:
    chosen = table(60, 40, 0.2, 3)
    rows = np.array([3, 7, 20], np.int32)
    for target, cut in zip((0.0, 0.5), company(chosen, 0.8, (0.0, 0.5), keep=20, rows=rows), strict=True):
        alone = item_neighbours(chosen, keep=6, person_power=0.8, source_power=0.4, target_power=target)
        here = first_of_each(by_source(cut, item_degrees(chosen), 0.4), 6)
        for row in rows:  # of equal neighbours at the cut either may stay
            assert here[[row]].data == pytest.approx(alone[[row]].data)
        assert here.nnz == here[rows].nnz


def test_the_last_fifth_of_a_few_people_is_kept_out() -> None:
    values = table(80, 40, 0.4, 5)
    order = np.random.default_rng(1).permutation(values.nnz)
    data = keep_out(values, order, most=10, seed=2)
    assert data.people == 10
    assert data.touched.nnz + data.wanted.nnz == values.nnz
    assert (data.histories.multiply(data.wanted)).nnz == 0
    when = csr_matrix((order + 1, values.indices, values.indptr), shape=values.shape)
    judged = np.flatnonzero(np.diff(data.touched.indptr) < np.diff(values.indptr))
    for row, person in enumerate(judged):
        mine = when[[person]].toarray()[0]
        assert mine[data.histories[[row]].indices].max() < mine[data.wanted[[row]].indices].min()


def test_a_choice_pays_more_than_noise_or_is_not_made() -> None:
    base = np.random.default_rng(0).random(400)
    noise = np.random.default_rng(1).normal(0, 0.3, 400)
    noise -= noise.mean()
    assert better({"ships": base, "new": base + noise + 0.001}, "ships") == "ships"
    assert better({"ships": base, "new": base + noise + 0.1}, "ships") == "new"
    assert better({"ships": base, "new": base * 1.02}, "ships", margin=0.03) == "ships"
    assert better({"ships": base, "new": base * 1.04}, "ships", margin=0.03) == "new"


def test_planted_kinds_are_found_and_the_choice_is_told() -> None:
    values = kinds(300, 120, 4, 12, seed=1)
    said: list[str] = []
    choice = choose(
        values, None, start=Choice(keep=40), dimensions=8, dense_below=1000, most=200, seed=1, said=said.append
    )
    assert choice.people == 200
    assert choice.figures["both"] > 0.5
    assert len(said) >= 3
    neighbours = choice.neighbours(values)
    lists_of_all = best_columns(by_neighbours(values, neighbours)(0, 300), 5)
    assert (lists_of_all // 30 == (np.arange(300) % 4)[:, None]).all()
    assert choice == choose(
        values, None, start=Choice(keep=40), dimensions=8, dense_below=1000, most=200, seed=1
    )  # the same data gives the same choice


def test_too_few_people_keep_what_ships() -> None:
    start = Choice(filter=Filter(), keep=7, taste=Taste(0.1, 0.2))
    values = kinds(40, 120, 4, 12, seed=1)
    assert choose(values, None, start=start, dimensions=8, dense_below=0, most=200, seed=1) == start
    many = kinds(300, 120, 4, 12, seed=1)
    assert choose(many, None, start=start, dimensions=8, dense_below=0, most=0, seed=1) == start
