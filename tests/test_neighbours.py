"""Products that the same people chose stand next to each other, and a history scores as the sum of its neighbours."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix, random_array

from app.learning import neighbours as subject
from app.learning.histories import score_history
from app.learning.neighbours import item_neighbours


def table(people: int, items: int, density: float, seed: int) -> csr_matrix:
    made = csr_matrix(random_array((people, items), density=density, rng=np.random.default_rng(seed), dtype=np.float32))
    made.data[:] = 1
    return made


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 9999), powers=st.tuples(*[st.sampled_from([0.0, 0.3, 0.5, 1.0])] * 3), keep=st.integers(1, 20)
)
def test_every_row_holds_the_best_pairs_of_the_whole_product(
    seed: int, powers: tuple[float, float, float], keep: int
) -> None:
    chosen = table(15, 12, 0.3, seed)
    dense = chosen.toarray()
    person, source, target = powers
    n_item, n_person = np.maximum(dense.sum(axis=0), 1), np.maximum(dense.sum(axis=1), 1)
    whole = (dense * n_item**-source).T @ (dense * n_person[:, None] ** -person * n_item**-target)
    np.fill_diagonal(whole, 0)
    kept = item_neighbours(chosen, keep=keep, person_power=person, source_power=source, target_power=target)
    for item in range(12):
        row = kept[[item]]
        assert row.data == pytest.approx(-np.sort(-whole[item][whole[item] > 0])[:keep], rel=1e-4)
        assert row.data == pytest.approx(whole[item][row.indices], rel=1e-4)


def test_a_product_is_never_its_own_neighbour() -> None:
    assert item_neighbours(table(30, 20, 0.3, 1), keep=50).diagonal().sum() == 0


def test_baskets_tell_what_is_bought_together() -> None:
    # Tea goes with cups in every basket that has it; the bag is in all baskets and says little.
    tea, cups, bag, soap = range(4)
    baskets = [[tea, cups, bag], [tea, cups, bag], [tea, cups, bag], [soap, bag], [soap, bag], [soap, bag], [bag]]
    rows = np.repeat(np.arange(len(baskets)), [len(basket) for basket in baskets])
    items = np.concatenate(baskets)
    together = item_neighbours(csr_matrix((np.ones(len(items), np.float32), (rows, items)), shape=(7, 4)))
    assert together[[tea]].indices.tolist() == [cups, bag]
    assert together[[soap]].indices.tolist() == [bag]


def test_small_blocks_give_what_one_block_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = table(60, 40, 0.2, 3)
    whole = item_neighbours(chosen, keep=7)
    monkeypatch.setattr(subject, "_BLOCK_PAIRS", 5)
    cut = item_neighbours(chosen, keep=7)
    assert cut.indices.tolist() == whole.indices.tolist()
    assert cut.data == pytest.approx(whole.data)


def test_a_history_scores_as_the_weighted_sum_of_its_rows() -> None:
    near = item_neighbours(table(40, 25, 0.2, 2), keep=6)
    history, weights = np.array([3, 11, 4], dtype=np.int32), np.array([1, 0.5, 2], dtype=np.float32)
    items, scores = score_history(near, history, weights)
    dense = weights @ near[history].toarray()
    assert items.tolist() == np.flatnonzero(dense).tolist()
    assert scores == pytest.approx(dense[items], rel=1e-5)


def test_no_history_and_no_behaviour_score_nothing() -> None:
    near = item_neighbours(csr_matrix(np.zeros((3, 5), dtype=np.float32)))
    assert near.shape == (5, 5)
    items, scores = score_history(near, np.array([1, 2], dtype=np.int32), np.ones(2, dtype=np.float32))
    assert (len(items), len(scores)) == (0, 0)
    items, scores = score_history(item_neighbours(table(9, 9, 0.4, 1)), np.zeros(0, np.int32), np.zeros(0, np.float32))
    assert (len(items), len(scores)) == (0, 0)
