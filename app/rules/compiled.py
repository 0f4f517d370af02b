"""Rules made ready: expressions compiled, times in epoch seconds, consequences as what plugins are given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from zoneinfo import ZoneInfo

import msgspec

from app.filters.masks import Filter, FilterError, compile_filter, ids_filter
from app.rules.model import Rule, in_order, number_of
from app.rules.schedule import Times, times_of
from store.search_words import raw_words, singular


class NotARule(ValueError):
    """A rule that cannot be made ready: where in it (a JSON pointer), what is wrong, at which character."""

    def __init__(self, pointer: str, detail: str, at: int | None = None) -> None:
        super().__init__(f"{pointer}: {detail}")
        self.pointer = pointer
        self.detail = detail
        self.at = at


@dataclass(frozen=True, eq=False)
class Ready:
    """One rule, ready to be asked."""

    rule: Rule
    place: int
    """In its version, by priority and id: its bit."""
    times: Times | None
    page: Filter | None
    cart: Filter | None
    phrases: tuple[frozenset[str], ...]
    named: Filter | None
    """What it names; None for pins by id."""

    @cached_property
    def accepts(self) -> tuple[frozenset[str], ...]:
        """Placements, regions, devices, segments and brands; an empty set accepts any."""
        when = self.rule.when
        regions, devices = map(str.casefold, when.regions), map(str.casefold, when.devices)
        return tuple(map(frozenset, (when.placements, regions, devices, when.segments, when.brands)))

    @cached_property
    def number(self) -> int:
        """What it is counted by when it pins."""
        return number_of(self.rule)

    @property
    def to_verify(self) -> bool:
        """Whether the index cannot tell that it holds, even once the page's item was looked at."""
        when = self.rule.when
        return bool(when.cart_items or self.cart or self.phrases or len(when.arms) > 1)

    @property
    def broad(self) -> bool:
        """Whether it holds for whole placements, regions or devices: the same broad rules hold for many requests."""
        when = self.rule.when
        return not (self.to_verify or self.page or when.categories or when.brands or when.segments or when.arms)

    @property
    def strength(self) -> float:
        then = self.rule.then
        return then.strength if then.do == "boost" else -then.strength


def ready(rules: Sequence[Rule], zone: ZoneInfo) -> tuple[Ready, ...]:
    """Every enabled rule, in the order in which they have their way. Raises NotARule.

    Attributes that no item has (yet, or any more) are no mistake here: a shop that changes its catalogue does not
    lose its rules.
    """
    enabled = [rule for rule in in_order(list(rules)) if rule.enabled]
    return tuple(make_ready(rule, zone, place) for place, rule in enumerate(enabled))


def make_ready(rule: Rule, zone: ZoneInfo, place: int = 0, attributes: Sequence[str] | None = None) -> Ready:
    """One rule. With `attributes` a field that no item has is a mistake. Raises NotARule."""
    when, then = rule.when, rule.then
    try:
        times = times_of(when.schedule, zone)
    except (ValueError, OverflowError) as error:
        raise NotARule("/when/schedule", str(error)) from None
    return Ready(
        rule, place, times,
        _compiled(when.page, "/when/page", attributes), _compiled(when.cart, "/when/cart", attributes),
        tuple(words for phrase in when.queries if (words := words_of(phrase))),
        _named(rule, attributes) if then.do != "pin" or then.match else None,
    )  # fmt: skip


def words_of(text: str) -> frozenset[str]:
    """The words of a search or of a phrase, as they are compared."""
    return frozenset(singular(word) for word in raw_words(text))


def _compiled(text: str, pointer: str, attributes: Sequence[str] | None) -> Filter | None:
    if not text.strip():
        return None
    try:
        return compile_filter(text, attributes)
    except FilterError as error:
        raise NotARule(pointer, str(error), error.at) from None


def _named(rule: Rule, attributes: Sequence[str] | None) -> Filter:
    """What a rule names by an expression, or by a list of ids."""
    then = rule.then
    if then.match.strip():
        found = _compiled(then.match, "/then/match", attributes)
        assert found is not None
        return found
    if not then.items:
        raise NotARule("/then/match", "say which items: an expression in `match`, or ids in `items`")
    return of_ids(then.items)


def of_ids(ids: Sequence[str]) -> Filter:
    """The items with these ids, as an expression."""
    return ids_filter("ids " + msgspec.json.encode(sorted(ids)).decode(), ids)
