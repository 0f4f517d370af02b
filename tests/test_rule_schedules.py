"""When rules hold: the shop's own clock, whatever becomes of it."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.config import ConfigError, parse_config
from app.rules.index import Facts
from app.rules.model import Schedule
from app.rules.schedule import FOREVER, Times, times_of
from store.catalogue import Catalogue
from tests.ruled_shop import rule, rules_of

BERLIN = ZoneInfo("Europe/Berlin")
JANUARY = dt.datetime.fromisoformat("2026-01-01")
ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"]


def at(text: str, zone: ZoneInfo = BERLIN) -> float:
    return dt.datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


def holds(moment: str, **told: object) -> bool:
    times = times_of(Schedule(**told), BERLIN)  # type: ignore[arg-type]  # msgspec checks
    return times is None or times.holds(at(moment))


@pytest.mark.parametrize(
    ("moment", "told", "expected"),
    [
        ("2026-11-28T12:00", {}, True),
        ("2026-11-29T23:59:59", {"ends": "2026-11-29"}, True),
        ("2026-11-30T00:00", {"ends": "2026-11-29"}, False),
        ("2026-11-29T17:59:59", {"ends": "2026-11-29T18:00"}, True),
        ("2026-11-29T18:00", {"ends": "2026-11-29T18:00"}, False),
        ("2026-11-28T23:59:59", {"starts": "2026-11-29"}, False),
        ("2026-11-29T00:00", {"starts": "2026-11-29"}, True),
        ("2026-11-28T12:00", {"days": ["sat"]}, True),
        ("2026-11-28T12:00", {"days": ["sun", "mon"]}, False),
        ("2026-11-28T08:59", {"hours": "09:00-17:00"}, False),
        ("2026-11-28T09:00", {"hours": "09:00-17:00"}, True),
        ("2026-11-28T17:00", {"hours": "09:00-17:00"}, False),
        ("2026-11-28T23:00", {"hours": "22:00-02:00", "days": ["sat"]}, True),
        ("2026-11-29T01:59", {"hours": "22:00-02:00", "days": ["sat"]}, True),
        ("2026-11-28T01:59", {"hours": "22:00-02:00", "days": ["sat"]}, False),
        ("2026-11-29T02:00", {"hours": "22:00-02:00", "days": ["sat"]}, False),
        ("2026-11-28T23:59", {"hours": "18:00-24:00"}, True),
    ],
)
def test_a_schedule_is_of_the_shops_own_clock(moment: str, told: dict[str, object], expected: bool) -> None:
    assert holds(moment, **told) is expected


def test_the_night_clocks_are_put_forward_an_hour_is_missing_and_nothing_else() -> None:
    # 2026-03-29 in Berlin: 02:00 is 03:00.
    times = times_of(Schedule(hours="01:30-03:30", days=["sun"]), BERLIN)
    assert times is not None
    midnight = at("2026-03-29T00:00")
    held = [times.holds(midnight + 60 * minute) for minute in range(300)]
    assert held.index(True) == 90
    assert sum(held) == 60  # 01:30 to 02:00 and 03:00 to 03:30


def test_the_night_clocks_are_set_back_the_hour_that_comes_twice_counts_twice() -> None:
    # 2026-10-25 in Berlin: 03:00 is 02:00 again.
    times = times_of(Schedule(hours="02:00-03:00"), BERLIN)
    assert times is not None
    midnight = at("2026-10-25T00:00")
    assert sum(times.holds(midnight + 60 * minute) for minute in range(1440)) == 120


@settings(max_examples=150)
@given(
    st.sampled_from(ZONES),
    st.integers(0, 2 * 365 * 96).map(lambda quarter: JANUARY + dt.timedelta(minutes=15 * quarter)),
    st.lists(st.sampled_from(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]), max_size=3, unique=True),
    st.tuples(st.integers(0, 23), st.integers(0, 23)).filter(lambda hours: hours[0] != hours[1]),
    st.integers(0, 72),
)
def test_between_two_changes_nothing_changes(
    zone: str, moment: dt.datetime, days: list[str], hours: tuple[int, int], ends_in: int
) -> None:
    ends = (moment + dt.timedelta(hours=ends_in)).strftime("%Y-%m-%dT%H:%M") if ends_in else ""
    told = Schedule(ends=ends, days=days, hours=f"{hours[0]:02}:30-{hours[1]:02}:30")  # type: ignore[arg-type]
    times = times_of(told, ZoneInfo(zone))
    assert times is not None
    now = moment.replace(tzinfo=ZoneInfo(zone)).timestamp()
    until = times.next_change(now)
    assert until > now
    for step in range(1, 200):
        later = now + 15 * 60 * step
        if later >= min(until, now + 3 * 86_400):
            break
        assert times.holds(later) == times.holds(now)


def test_a_rule_begins_and_ends_for_the_very_next_request_and_a_clock_set_back_brings_it_back() -> None:
    when = {"schedule": {"starts": "2026-11-28T10:00", "ends": "2026-11-28T12:00"}}
    always = rule("always", "filter", "price > 0")
    rules = rules_of(Catalogue(), always, rule("two-hours", "filter", "price > 0", when), zone=BERLIN)

    def held(moment: str) -> int:
        return rules.ruling(Facts(at(moment), "home")).selected.bit_count()

    moments = ["09:59:59", "10:00", "11:59:59", "12:00", "13:00", "11:00", "09:00", "11:30"]
    assert [held(f"2026-11-28T{moment}") for moment in moments] == [1, 2, 2, 1, 1, 2, 1, 2]


def test_many_schedules_are_not_asked_until_one_of_them_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    whens = [{"schedule": {"starts": f"2026-11-28T10:{minute:02}"}} for minute in range(60)]
    written = [rule(f"r{n}", "filter", "price > 0", when) for n, when in enumerate(whens)]
    rules = rules_of(Catalogue(), *written, zone=BERLIN)
    assert rules.ruling(Facts(at("2026-11-28T10:30"), "home")).selected.bit_count() == 31
    asked: list[float] = []
    real = Times.holds

    def noted(self: Times, now: float) -> bool:
        asked.append(now)
        return real(self, now)

    monkeypatch.setattr(Times, "holds", noted)
    for second in range(60):
        rules.ruling(Facts(at("2026-11-28T10:30") + second, "home"))
    assert asked == []
    assert rules.ruling(Facts(at("2026-11-28T10:31"), "home")).selected.bit_count() == 32
    assert len(asked) == 1


def test_what_has_no_end_has_none() -> None:
    times = times_of(Schedule(starts="2026-11-28"), BERLIN)
    assert times is not None
    assert times.next_change(at("2026-12-01T00:00")) == FOREVER


def test_a_time_zone_that_does_not_exist_is_told() -> None:
    assert parse_config({"shop": {"timezone": "America/New_York"}}).shop.timezone == "America/New_York"
    with pytest.raises(ConfigError, match="there is no time zone 'Europe/Berlim'; did you mean 'Europe/Berlin'"):
        parse_config({"shop": {"timezone": "Europe/Berlim"}})
    with pytest.raises(ConfigError, match=r"shop\.timezone"):
        parse_config({"shop": {"timezone": "../etc/passwd"}})
