"""When a request under data protection law is due: the law's own way of counting, by jurisdiction.

GDPR 12(3): one month from receipt, two more where it is complex. CCPA (11 CCR 7021): confirmed within 10 business days,
answered within 45 days, 45 more where needed. Any other jurisdiction is counted as the stricter, GDPR.
"""

from __future__ import annotations

import calendar
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

_SATURDAY = 5


class Deadlines(NamedTuple):
    """Epoch seconds; `acknowledge_by` 0 = the answer itself is enough."""

    acknowledge_by: int
    due: int


def deadlines(jurisdiction: str, opened: int) -> Deadlines:
    """By when a request of that time has to be acknowledged and answered."""
    at = datetime.fromtimestamp(opened, UTC)
    if jurisdiction == "us-ca":
        return Deadlines(_stamp(business_days_after(at, 10)), _stamp(at + timedelta(days=45)))
    return Deadlines(0, _stamp(months_after(at, 1)))


def extended(jurisdiction: str, opened: int) -> int:
    """The later date where the person is told why; once only."""
    at = datetime.fromtimestamp(opened, UTC)
    return _stamp(at + timedelta(days=90) if jurisdiction == "us-ca" else months_after(at, 3))


def months_after(at: datetime, months: int) -> datetime:
    """The same day of a later month, or its last day where it has none (Regulation 1182/71, Art. 3)."""
    year, month = divmod(at.year * 12 + at.month - 1 + months, 12)
    return at.replace(year=year, month=month + 1, day=min(at.day, calendar.monthrange(year, month + 1)[1]))


def business_days_after(at: datetime, days: int) -> datetime:
    """So many weekdays later. Public holidays are counted as days: the date is never too late."""
    while days:
        at += timedelta(days=1)
        days -= at.weekday() < _SATURDAY
    return at


def _stamp(at: datetime) -> int:
    return int(at.timestamp())
