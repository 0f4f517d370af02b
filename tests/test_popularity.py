"""Popularity counts people, not purchases; a trend is an item above its own habit and above the shop's."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from app.learning.popularity import distinct_people, share_of_best, trending

DAY = 86_400.0
NOW = 1_000 * DAY


def test_a_person_counts_once_however_often_they_buy() -> None:
    person, item = np.array([1, 1, 1, 2, 3], np.int32), np.array([0, 0, 1, 0, 1], np.int32)
    assert distinct_people(person, item, 3).tolist() == [2, 2, 0]


@given(st.lists(st.tuples(st.integers(0, 2**31 - 1), st.integers(0, 3)), max_size=40))
def test_every_item_counts_the_people_who_wanted_it(events: list[tuple[int, int]]) -> None:
    person, item = (np.array([event[part] for event in events], dtype=np.int32) for part in range(2))
    counted = distinct_people(person, item, 4).tolist()
    assert counted == [len({who for who, what in events if what == wanted}) for wanted in range(4)]


def sales(per_day: dict[int, tuple[int, int]]) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Item: (sales a day over the last 100 days, sales a day over the last 3)."""
    rows = [
        (item, NOW - DAY * (day + 0.5))
        for item, (usual, lately) in per_day.items()
        for day in range(100)
        for _ in range(lately if day < 3 else usual)
    ]
    return np.array([item for item, _ in rows], np.int32), np.array([at for _, at in rows])


def test_an_item_far_above_its_habit_trends_and_a_steady_best_seller_does_not() -> None:
    rising = trending(*sales({0: (20, 20), 1: (2, 12), 2: (4, 4)}), NOW, 4)
    assert rising.argmax() == 1
    assert rising[1] > 0.5
    assert rising[[0, 2, 3]].max() < 0.05


def test_a_busy_week_for_the_whole_shop_is_no_trend() -> None:
    assert trending(*sales({0: (20, 60), 1: (10, 30)}), NOW, 2).max() < 0.05


def test_two_sales_of_a_quiet_item_trend_less_than_the_rise_of_a_steady_one() -> None:
    item, at = sales({0: (20, 20), 1: (10, 40)})
    item, at = np.append(item, [2, 2]).astype(np.int32), np.append(at, [NOW - DAY, NOW - DAY])
    rising = trending(item, at, NOW, 3)
    assert 0 < rising[2] < rising[1]


def test_events_after_now_and_an_empty_shop_are_no_trend() -> None:
    item, at = np.zeros(5, np.int32), np.full(5, NOW + DAY)
    assert trending(item, at, NOW, 3).tolist() == [0, 0, 0]
    assert trending(item[:0], at[:0], NOW, 3).tolist() == [0, 0, 0]


def test_the_best_seller_has_the_share_one_and_what_nobody_bought_none() -> None:
    shares = share_of_best(np.array([0, 1, 9, 99], np.float32))
    assert shares[[0, 3]].tolist() == [0, 1]
    assert np.allclose(shares[2], 0.5)
    assert share_of_best(np.zeros(3, np.float32)).tolist() == [0, 0, 0]
    assert len(share_of_best(np.zeros(0, np.float32))) == 0
