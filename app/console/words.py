"""Numbers, times and names as people read them: what the templates call filters."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from markupsafe import Markup, escape

from app.serving.money import money

NOTHING: Final = "–"


def number(value: float | None, places: int = 0) -> str:
    """12,345 or 3.14; a dash for nothing."""
    return NOTHING if value is None else f"{value:,.{places}f}".replace("-", "−")


def short(value: float | None) -> str:
    """12.3k, 4.5M: where the eye compares and does not add up."""
    if value is None:
        return NOTHING
    for least, sign in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= least:
            return f"{value / (1e3 if sign == 'k' else least):,.1f}".rstrip("0").rstrip(".") + sign
    return number(value)


def percent(share: float | None, places: int = 1) -> str:
    return NOTHING if share is None else f"{share * 100:,.{places}f} %".replace("-", "−")


def signed(share: float | None, places: int = 1) -> str:
    """+2.1 % or −0.3 %."""
    return NOTHING if share is None else ("+" if share >= 0 else "") + percent(share, places)


def when(at: float | None, *, empty: str = "never") -> Markup:
    """A moment: UTC in the page, the reader's own zone and language once the page's script has seen it."""
    if not at:
        return Markup("<span class='soft'>{}</span>").format(empty)
    moment = datetime.fromtimestamp(at, UTC)
    stamp, told = moment.strftime("%Y-%m-%dT%H:%M:%SZ"), f"{moment.day} {moment:%b %Y, %H:%M} UTC"
    return Markup('<time datetime="{}" data-when>{}</time>').format(stamp, told)


def day(at: float | None, *, empty: str = NOTHING) -> Markup:
    if not at:
        return escape(empty)
    moment = datetime.fromtimestamp(at, UTC)
    told = f"{moment.day} {moment:%b %Y}"
    return Markup('<time datetime="{}" data-day>{}</time>').format(moment.strftime("%Y-%m-%dT%H:%M:%SZ"), told)


def ago(at: float | None, now: float, *, empty: str = "never") -> Markup:
    """3 hours ago, in 5 days; the moment itself when pointed at."""
    if not at:
        return Markup("<span class='soft'>{}</span>").format(empty)
    moment = datetime.fromtimestamp(at, UTC)
    told = span(abs(now - at))
    told = "just now" if abs(now - at) < 60 else f"{told} ago" if at <= now else f"in {told}"
    return Markup('<time datetime="{}" data-ago title="{}">{}</time>').format(
        moment.strftime("%Y-%m-%dT%H:%M:%SZ"), f"{moment.day} {moment:%b %Y, %H:%M} UTC", told
    )


def span(seconds: float) -> str:
    """40 seconds, 3 hours, 5 days: the largest unit that fits."""
    for size, name in ((86_400 * 365, "year"), (86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")):
        count = int(seconds // size)
        if count:
            return f"{count} {name}{'' if count == 1 else 's'}"
    return "less than a second"


def days(value: float | None) -> str:
    """A length in days: 30 min, 90 days, 2 years."""
    return NOTHING if value is None else span(value * 86_400)


def period(told: str) -> str:
    """`P180D`, `PT30M` (ISO 8601, as receipts say them): 180 days, 30 minutes."""
    found = re.fullmatch(r"P(T?)([\d.]+)([YMWDHS])", told)
    if found is None:
        return told
    time, count, unit = found.groups()
    name = {"Y": "year", "M": "minute" if time else "month", "W": "week", "D": "day", "H": "hour", "S": "second"}[unit]
    return f"{count} {name}{'' if count == '1' else 's'}"


def duration(seconds: float | None) -> str:
    """210 µs, 3.4 ms, 12 s."""
    if seconds is None:
        return NOTHING
    if seconds < 1e-3:
        return f"{seconds * 1e6:.0f} µs"
    return f"{seconds * 1e3:.1f} ms" if seconds < 1 else f"{seconds:,.1f} s" if seconds < 120 else span(seconds)


def plural(count: float, one: str, many: str = "") -> str:
    """1 rule, 12 rules."""
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


def label(name: str) -> str:
    """`item_neighbours` as a reader sees it."""
    told = name.replace("_", " ").replace("-", " ").strip()
    return told[:1].upper() + told[1:]


FILTERS: Final[dict[str, Callable[..., Any]]] = {
    "number": number, "short": short, "percent": percent, "signed": signed, "when": when, "day": day, "ago": ago,
    "span": span, "period": period, "days": days, "duration": duration, "plural": plural, "label": label,
    "money": money,
}  # fmt: skip
