"""When a rule holds: from, until, on which days, at which hours of the shop's own clock, whatever daylight saving does.

A local time that a change of clocks skips is the moment of the change's other side; one that comes twice is its first.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from app.rules.model import Schedule

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
QUARTER = 900.0
"""Clocks change at quarters of an hour."""
FOREVER = math.inf


@dataclass(frozen=True)
class Times:
    """A schedule in epoch seconds, and what recurs in local time."""

    zone: ZoneInfo
    starts: float
    ends: float
    days: frozenset[int]
    hours: tuple[int, int] | None
    """Minutes of the day; the second is not above the first where it goes past midnight."""

    def holds(self, now: float) -> bool:
        """Whether it holds at an epoch second."""
        return self.starts <= now < self.ends and self._recurs(now)

    def next_change(self, now: float) -> float:
        """A moment after `now` before which nothing changes."""
        if now < self.starts:
            return self.starts
        if now >= self.ends:
            return FOREVER
        if not self.days and self.hours is None:
            return self.ends
        # Days and hours begin and end at local times: asked again each quarter of an hour around a change of clocks,
        # else at the next of them.
        return min(self.ends, self._next_boundary(now))

    def _recurs(self, now: float) -> bool:
        if not self.days and self.hours is None:
            return True
        local = dt.datetime.fromtimestamp(now, self.zone)
        minute, day = 60 * local.hour + local.minute, local.weekday()
        if self.hours is None:
            return day in self.days
        first, last = self.hours
        if first < last:
            return first <= minute < last and (not self.days or day in self.days)
        if minute >= first:
            return not self.days or day in self.days
        return minute < last and (not self.days or (day - 1) % 7 in self.days)

    def _next_boundary(self, now: float) -> float:
        local = dt.datetime.fromtimestamp(now, self.zone)
        quarter = (math.floor(now / QUARTER) + 1) * QUARTER
        tomorrow = dt.datetime.fromtimestamp(now + 90_000, self.zone)
        if local.utcoffset() != tomorrow.utcoffset():
            return quarter
        minutes = (*(self.hours or ()), 24 * 60)
        return min([at for minute in minutes if (at := self._at(local.date(), minute)) > now], default=quarter)

    def _at(self, day: dt.date, minute: int) -> float:
        day += dt.timedelta(days=minute // (24 * 60))
        return dt.datetime.combine(day, dt.time(minute // 60 % 24, minute % 60), self.zone).timestamp()


def times_of(schedule: Schedule, zone: ZoneInfo) -> Times | None:
    """The times of a schedule; None where it always holds. Raises ValueError for a date or hour that does not exist."""
    if schedule == Schedule():
        return None
    starts = moment(schedule.starts, zone, end_of_day=False) if schedule.starts else 0.0
    ends = moment(schedule.ends, zone, end_of_day=True) if schedule.ends else FOREVER
    return Times(zone, starts, ends, frozenset(DAYS.index(day) for day in schedule.days), _hours(schedule.hours))


def moment(text: str, zone: ZoneInfo, *, end_of_day: bool) -> float:
    """A local day or time as an epoch second."""
    told = dt.datetime.fromisoformat(text)
    if end_of_day and len(text) == len("2026-11-29"):
        told += dt.timedelta(days=1)
    return told.replace(tzinfo=zone).timestamp()


def _hours(text: str) -> tuple[int, int] | None:
    if not text:
        return None
    first, last = (_minute(part) for part in text.split("-"))
    if first == last:
        raise ValueError(f"{text}: begins when it ends")
    return first, last


def _minute(text: str) -> int:
    hour, minute = int(text[:2]), int(text[3:])
    if not (hour < 24 and minute < 60) and (hour, minute) != (24, 0):
        raise ValueError(f"{text}: there is no such time of day")
    return 60 * hour + minute
