from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from app.privacy.request_clock import business_days_after, deadlines, extended, months_after

DAY = 86_400
TIMES = st.integers(1_600_000_000, 2_500_000_000)


def at(year: int, month: int, day: int) -> datetime:
    return datetime(year, month, day, 12, tzinfo=UTC)


def test_a_month_ends_on_the_same_day_or_on_the_last_one_there_is() -> None:
    assert months_after(at(2026, 11, 22), 1) == at(2026, 12, 22)
    assert months_after(at(2027, 1, 31), 1) == at(2027, 2, 28)
    assert months_after(at(2028, 1, 31), 1) == at(2028, 2, 29)
    assert months_after(at(2026, 12, 31), 3) == at(2027, 3, 31)


def test_ten_business_days_leave_weekends_out() -> None:
    friday = at(2026, 11, 20)
    assert business_days_after(friday, 1) == at(2026, 11, 23)
    assert business_days_after(friday, 10) == at(2026, 12, 4)


@given(TIMES)
def test_every_jurisdiction_has_its_dates_in_order(opened: int) -> None:
    california, europe = deadlines("us-ca", opened), deadlines("eu", opened)
    assert opened + 12 * DAY <= california.acknowledge_by < california.due == opened + 45 * DAY
    assert opened + 28 * DAY <= europe.due <= opened + 31 * DAY
    assert deadlines("of the shop's own", opened) == europe
    assert extended("us-ca", opened) == opened + 90 * DAY
    assert opened + 89 * DAY <= extended("eu", opened) <= opened + 92 * DAY
