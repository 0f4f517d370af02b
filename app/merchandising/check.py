"""Everything that is wrong with a rule before it is taken down, each with its place and what would be right."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from app.filters.masks import FilterError, compile_filter
from app.problem import FieldError
from app.rules.compiled import words_of
from app.rules.model import Rule
from app.rules.options import RulesOptions
from app.rules.schedule import FOREVER, times_of
from app.suggestion import suggest

SEARCH = "search"
LAST_SLOT = 200


@dataclass(frozen=True)
class Known:
    """What names in rules may mean here."""

    placements: Collection[str]
    attributes: Collection[str] | None
    """Of the catalogue; None while nothing is in it: then any may be meant."""
    zone: ZoneInfo
    options: RulesOptions


def problems_of(rule: Rule, known: Known, base: str = "") -> list[FieldError]:
    """What cannot be meant, all of it; `base` is where the rule stands in the request."""
    found = [*_names(rule, known), *_condition(rule, known), *_consequence(rule, known)]
    return [FieldError(base + each.pointer, each.detail, each.at) for each in found]


def problems_of_all(rules: Sequence[Rule], known: Known, base: str = "") -> list[FieldError]:
    """What is wrong with rules that come together; at most a hundred sentences."""
    if len(rules) > known.options.at_most:
        return [FieldError(base, f"{len(rules)} rules; at most {known.options.at_most} ([rules] at_most)")]
    found: list[FieldError] = []
    ids: set[str] = set()
    for place, rule in enumerate(rules):
        if rule.id in ids:
            found.append(FieldError(f"{base}/{place}/id", f"there are two rules '{rule.id}'"))
        ids.add(rule.id)
        found += problems_of(rule, known, f"{base}/{place}")
    return found[:100]


def _names(rule: Rule, known: Known) -> Iterator[FieldError]:
    if not rule.name.strip() or any(unicodedata.category(sign)[0] == "C" for sign in rule.name):
        yield FieldError("/name", "must not be empty or hold control characters")
    places = {*known.placements, SEARCH}
    for index, placement in enumerate(rule.when.placements):
        if placement not in places:
            detail = f"there is no placement '{placement}'{suggest(placement, places)}"
            yield FieldError(f"/when/placements/{index}", detail)


def _condition(rule: Rule, known: Known) -> Iterator[FieldError]:
    when = rule.when
    yield from _expression(when.page, "/when/page", known)
    yield from _expression(when.cart, "/when/cart", known)
    for index, phrase in enumerate(when.queries):
        if not words_of(phrase):
            yield FieldError(f"/when/queries/{index}", "has no word in it")
    if when.queries and when.placements and SEARCH not in when.placements:
        yield FieldError("/when/queries", "only searches have a query, and the placements leave 'search' out")
    try:
        times = times_of(when.schedule, known.zone)
    except (ValueError, OverflowError) as error:
        yield FieldError("/when/schedule", str(error))
        return
    if times is not None and times.ends <= times.starts and times.ends != FOREVER:
        yield FieldError("/when/schedule/ends", "it ends before it begins")


def _consequence(rule: Rule, known: Known) -> Iterator[FieldError]:
    then, most = rule.then, known.options.items_at_most
    yield from _expression(then.match, "/then/match", known)
    if bool(then.match.strip()) == bool(then.items):
        yield FieldError("/then/match", "say which items: either an expression in `match`, or ids in `items`")
    if len(then.items) > most:
        detail = f"names {len(then.items)} items; a rule may name {most}: write an expression in `match` instead"
        yield FieldError("/then/items", detail)
    elif then.do == "pin":
        last = then.position + max(len(then.items), then.count if then.match else 1) - 1
        if last > LAST_SLOT:
            yield FieldError("/then/position", f"pins up to position {last}; a list has at most {LAST_SLOT}")
        twice = next((item for place, item in enumerate(then.items) if item in then.items[:place]), None)
        if twice is not None:
            yield FieldError("/then/items", f"'{twice}' is pinned twice")


def _expression(text: str, pointer: str, known: Known) -> Iterator[FieldError]:
    if not text.strip():
        return
    try:
        compile_filter(text, known.attributes)
    except FilterError as error:
        yield FieldError(pointer, str(error), error.at)
