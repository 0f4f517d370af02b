"""Whether two rules can hold for one request, and whether one holds whenever the other does."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from app.rules.compiled import Ready
from app.rules.index import paths_above
from app.rules.schedule import FOREVER


def together(one: Ready, other: Ready) -> bool:
    """False only where no request could be under both; expressions about page and cart are taken to agree."""
    a, b = one.rule.when, other.rule.when
    return (
        all(not p or not q or not p.isdisjoint(q) for p, q in zip(one.accepts, other.accepts, strict=True))
        and _categories_meet(a.categories, b.categories)
        and all(b.arms.get(test, arm) == arm for test, arm in a.arms.items())
        and not (a.exact and b.exact and one.phrases and other.phrases and not {*one.phrases} & {*other.phrases})
        and _windows(one)[0] < _windows(other)[1]
        and _windows(other)[0] < _windows(one)[1]
    )


def covers(wide: Ready, narrow: Ready) -> bool:
    """True only where `wide` holds for every request for which `narrow` does."""
    for accepted, asked in zip(wide.accepts, narrow.accepts, strict=True):
        if accepted and not (asked and asked <= accepted):
            return False
    a, b = wide.rule.when, narrow.rule.when
    return (
        (not a.categories or (bool(b.categories) and all(_below(path, a.categories) for path in b.categories)))
        and all(b.arms.get(test) == arm for test, arm in a.arms.items())
        and a.page in ("", b.page)
        and (not (a.cart or a.cart_items) or (a.cart, a.cart_items) == (b.cart, b.cart_items))
        and (not wide.phrases or (a.exact == b.exact and bool(narrow.phrases) and {*narrow.phrases} <= {*wide.phrases}))
        and _always_while(wide, narrow)
    )


def _categories_meet(first: Collection[str], second: Collection[str]) -> bool:
    if not first or not second:
        return True
    return any(_below(path, second) for path in first) or any(_below(path, first) for path in second)


def _below(path: str, paths: Iterable[str]) -> bool:
    return bool({*paths_above(path.replace(" > ", "/"))} & {each.replace(" > ", "/") for each in paths})


def _windows(ready: Ready) -> tuple[float, float]:
    return (ready.times.starts, ready.times.ends) if ready.times is not None else (0.0, FOREVER)


def _always_while(wide: Ready, narrow: Ready) -> bool:
    a, b = wide.times, narrow.times
    if a is None:
        return True
    (starts, ends), recurs = _windows(narrow), bool(a.days) or a.hours is not None
    same = b is not None and (a.days, a.hours) == (b.days, b.hours)
    return a.starts <= starts and ends <= a.ends and (same or not recurs)
