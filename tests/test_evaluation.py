"""Metrics agree with values worked out by hand."""

from math import log2, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.learning.evaluation import hit_rate, mean, ndcg, recall, reciprocal_rank


def test_recall_is_the_share_of_everything_wanted_even_when_it_cannot_fit() -> None:
    assert recall([1, 2, 3, 4], {2, 9}, 3) == 0.5
    assert recall([1, 2, 3, 4], {4}, 3) == 0
    assert recall([1, 2], {1, 2, 3, 4}, 2) == 0.5


def test_ndcg_discounts_by_place_and_compares_with_a_perfect_list() -> None:
    assert ndcg([5, 1, 6, 2], {1, 2, 3}, 4) == pytest.approx((1 / log2(3) + 1 / log2(5)) / (1 + 1 / log2(3) + 1 / 2))
    assert ndcg([1, 2], {1, 2, 3}, 2) == 1
    assert ndcg([1], {1}, 20) == 1
    assert ndcg([], {1}, 20) == 0


def test_a_hit_is_any_of_the_truth_within_the_list() -> None:
    assert hit_rate([7, 8, 9], {9, 1}, 3) == 1
    assert hit_rate([7, 8, 9], {9, 1}, 2) == 0


def test_the_reciprocal_rank_is_that_of_the_first_hit() -> None:
    assert reciprocal_rank([7, 8, 9], {9, 8}, 3) == 0.5
    assert reciprocal_rank([7, 8, 9], {9}, 2) == 0


def test_a_mean_comes_with_its_standard_error() -> None:
    assert mean([0, 1, 1, 0]) == pytest.approx((0.5, sqrt(1 / 3) / 2))


@pytest.mark.parametrize("metric", [recall, ndcg, hit_rate, reciprocal_rank])
def test_nobody_and_no_place_are_refused(metric: object) -> None:
    assert callable(metric)
    with pytest.raises(ValueError, match="truth: empty"):
        metric([1], set(), 5)
    with pytest.raises(ValueError, match="k: 0"):
        metric([1], {1}, 0)
    with pytest.raises(ValueError, match="nobody"):
        mean([])


@given(st.permutations(range(12)), st.sets(st.integers(0, 15), min_size=1), st.integers(1, 14))
def test_every_metric_lies_between_none_and_all(ranked: list[int], truth: set[int], k: int) -> None:
    values = [metric(ranked, truth, k) for metric in (recall, ndcg, hit_rate, reciprocal_rank)]
    assert all(0 <= value <= 1 + 1e-12 for value in values)
    assert len({value > 0 for value in values}) == 1, "all see a hit or none does"
