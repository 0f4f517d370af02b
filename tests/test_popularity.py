"""Popularity counts people, not purchases; a trend is an item above its own habit and above the shop's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.learning.popularity import distinct_buyers, distinct_buyers_by_region, log_share, trending

DAY = 86_400.0
NOW = 1_000 * DAY


def column(*values: float) -> np.ndarray:
    return np.array(values)


def test_a_person_counts_once_however_often_they_buy() -> None:
    person, item = np.array([1, 1, 1, 2, 3], np.int32), np.array([0, 0, 1, 0, 1], np.int32)
    time = NOW - DAY * column(1, 2, 3, 4, 5)
    assert distinct_buyers(person, item, time, now=NOW, days=60, items=3).tolist() == [2, 2, 0]


def test_what_is_older_than_the_window_or_not_yet_there_does_not_count() -> None:
    person, item = np.arange(4, dtype=np.int32), np.zeros(4, np.int32)
    time = NOW + DAY * column(-60, -59.9, 0, 1)
    assert distinct_buyers(person, item, time, now=NOW, days=60, items=1).tolist() == [2]


def test_regions_have_their_own_order_and_the_unknown_region_none() -> None:
    person, item = np.array([1, 2, 2, 3, 1], np.int32), np.array([0, 0, 1, 1, 0], np.int32)
    region = np.array([0, 1, 1, -1, 1], np.int32)
    counts = distinct_buyers_by_region(person, item, np.full(5, NOW), region, now=NOW, days=60, items=2, regions=2)
    assert counts.tolist() == [[1, 0], [2, 1]]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), st.integers(0, 2)), max_size=40))
def test_regions_together_hold_at_least_everybody(events: list[tuple[int, int, int]]) -> None:
    person, item, region = (np.array([event[part] for event in events], dtype=np.int32) for part in range(3))
    time = np.full(len(events), NOW)
    everywhere = distinct_buyers(person, item, time, now=NOW, days=1, items=4)
    by_region = distinct_buyers_by_region(person, item, time, region, now=NOW, days=1, items=4, regions=3)
    assert (by_region.sum(axis=0) >= everywhere).all()
    assert (by_region.max(axis=0) <= everywhere).all()
    assert everywhere.tolist() == [len({p for p, i, _ in events if i == wanted}) for wanted in range(4)]


def test_shares_run_from_none_to_the_best_seller() -> None:
    assert log_share(np.array([0, 3, 15], np.float32)) == pytest.approx([0, 0.5, 1])
    assert log_share(np.zeros(3, np.float32)).tolist() == [0, 0, 0]


def sales(per_day: dict[int, tuple[int, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Item: (sales a day over the last 100 days, sales a day over the last 3)."""
    rows = [
        (item, NOW - DAY * (day + 0.5))
        for item, (usual, now) in per_day.items()
        for day in range(100)
        for _ in range(now if day < 3 else usual)
    ]
    return (
        np.array([row[0] for row in rows], np.int32),
        np.array([row[1] for row in rows]),
        np.ones(len(rows), np.float32),
    )


def test_an_item_far_above_its_habit_trends_and_a_steady_best_seller_does_not() -> None:
    item, time, weight = sales({0: (20, 20), 1: (2, 12), 2: (4, 4)})
    rising = trending(item, time, weight, now=NOW, items=4)
    assert rising.argmax() == 1
    assert rising[1] > 0.5
    assert rising[[0, 2, 3]].max() < 0.05


def test_a_busy_week_for_the_whole_shop_is_no_trend() -> None:
    item, time, weight = sales({0: (20, 60), 1: (10, 30)})
    assert trending(item, time, weight, now=NOW, items=2).max() < 0.05


def test_two_sales_of_a_quiet_item_trend_less_than_a_rise_of_a_steady_one() -> None:
    item, time, _ = sales({0: (20, 20), 1: (10, 40)})
    item, time = np.append(item, [2, 2]).astype(np.int32), np.append(time, [NOW - DAY, NOW - DAY])
    rising = trending(item, time, np.ones(len(item), np.float32), now=NOW, items=3)
    assert 0 < rising[2] < rising[1]


def test_a_shop_without_events_has_no_trend() -> None:
    nothing = np.zeros(0)
    assert trending(nothing.astype(np.int32), nothing, nothing.astype(np.float32), now=NOW, items=3).tolist() == [0] * 3
