from hypothesis import given
from hypothesis import strategies as st

from app.privacy.pace import SLICE_SECONDS, Pace


def test_slices_that_take_too_long_become_shorter_at_once_and_short_ones_grow_slowly() -> None:
    pace = Pace(400)
    pace.took(2 * SLICE_SECONDS)
    assert pace.rows == 200
    pace.took(0.9 * SLICE_SECONDS)
    assert pace.rows == 180
    pace.took(0.4 * SLICE_SECONDS)
    assert pace.rows == 180
    pace.took(0.1 * SLICE_SECONDS)
    assert 180 < pace.rows <= 226


def test_a_slice_with_little_to_do_says_nothing_about_larger_ones() -> None:
    pace = Pace(400)
    pace.took(0.0, rows=3)
    assert pace.rows == 400


@given(st.floats(1e-6, 1e-3), st.integers(64, 2000))
def test_whatever_a_row_costs_slices_come_to_be_as_long_as_they_should(per_row: float, start: int) -> None:
    pace = Pace(start, least=1)
    for _ in range(60):
        pace.took(pace.rows * per_row)
    seconds = pace.rows * per_row
    assert seconds <= SLICE_SECONDS or pace.rows == 1
    assert seconds >= SLICE_SECONDS / 5 or pace.rows == 2_000 or per_row > SLICE_SECONDS / 10


@given(st.lists(st.floats(0, 1), max_size=50))
def test_the_bounds_hold(times: list[float]) -> None:
    pace = Pace(100, least=64, most=512)
    for seconds in times:
        pace.took(seconds)
        assert 64 <= pace.rows <= 512
