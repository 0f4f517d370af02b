"""A rule in words, as a marketer would say it."""

from __future__ import annotations

from collections.abc import Iterator

from app.merchandising.diff import Change
from app.rules.model import Condition, Consequence, Schedule

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DO = {
    "filter": ("Filter", "Show nothing but what matches"),
    "boost": ("Boost", "Move what matches up"),
    "bury": ("Bury", "Move what matches down"),
    "pin": ("Pin", "Put what matches into a slot"),
}
_SHOWN = 3


def consequence_words(then: Consequence) -> str:
    """`Boost a lot: category == "rain"`."""
    named = _few(then.items) if then.items else then.match.strip()
    if then.do == "pin":
        slots = len(then.items) if then.items else then.count
        last = then.position + slots - 1
        where = f"to position {then.position}" if slots == 1 else f"to positions {then.position}–{last}"
        return f"Pin {where}{'' if then.hard else ', softly'}: {named}"
    if then.do == "filter":
        return f"Show nothing but {named}"
    strength = "fully" if then.strength == 1 else f"by {then.strength:g}"
    return f"{DO[then.do][0]} {strength}: {named}"


def condition_words(when: Condition) -> str:
    """`on home, in UK, until 30 Nov`; `always and everywhere` where nothing is said."""
    return ", ".join(_conditions(when)) or "always and everywhere"


def _conditions(when: Condition) -> Iterator[str]:
    lists = (
        ("on ", when.placements), ("in ", when.regions), ("for ", when.segments), ("on a ", when.devices),
        ("on pages about ", when.categories), ("on pages of ", when.brands),
    )  # fmt: skip
    for word, values in lists:
        if values:
            yield word + _few(values, "or")
    if when.page:
        yield f"on pages where {when.page}"
    if when.queries:
        quoted = _few([f"“{phrase}”" for phrase in when.queries], "or")
        yield f"searching {'exactly ' if when.exact else ''}{quoted}"
    if when.cart:
        yield f"with {when.cart_items or 1} in the cart where {when.cart}"
    elif when.cart_items:
        yield f"with at least {when.cart_items} in the cart"
    yield from (f"in arm {arm} of {experiment}" for experiment, arm in when.arms.items())
    yield from _times(when.schedule)


def _times(schedule: Schedule) -> Iterator[str]:
    if schedule.starts:
        yield f"from {schedule.starts.replace('T', ' ')}"
    if schedule.ends:
        yield f"until {schedule.ends.replace('T', ' ')}"
    if schedule.days:
        yield "on " + _few([day.capitalize() for day in schedule.days], "and", 7)
    if schedule.hours:
        yield f"at {schedule.hours}"


def change_words(change: Change) -> tuple[str, str, str]:
    """Where, what it was, what it is."""
    where = change.pointer.removeprefix("/").replace("/", " › ").replace("_", " ")
    return where, value_words(change.before), value_words(change.after)


def value_words(value: object) -> str:
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(str(each) for each in value)
    return str(value)


def _few(values: list[str], joined: str = "and", most: int = _SHOWN) -> str:
    shown = values[:most]
    more = len(values) - len(shown)
    if more:
        return f"{', '.join(shown)} {joined} {more} more"
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} {joined} {shown[-1]}"
