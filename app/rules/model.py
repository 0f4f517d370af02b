"""What a rule says: a name, when it holds, and what it does; the shape of /v1/rules, of the store and of the TOML."""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Word = Annotated[str, Meta(min_length=1, max_length=128)]
Words = Annotated[list[Word], Meta(max_length=200)]
RuleId = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,63}\Z")]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Kind = Literal["filter", "boost", "bury", "pin"]
LocalTime = Annotated[str, Meta(pattern=r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2})?)?\Z|^\Z")]
Hours = Annotated[str, Meta(pattern=r"^\d{2}:\d{2}-\d{2}:\d{2}\Z|^\Z")]
Expression = Annotated[str, Meta(max_length=1_048_576)]
"""Its real bound is the language's own, which says where it was passed."""


class Schedule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """When, in the shop's time zone ([shop] timezone). Everything left out does not matter."""

    starts: LocalTime = ""
    """A day (from its beginning) or a time, "2026-11-29" or "2026-11-29T18:00"."""
    ends: LocalTime = ""
    """A day (to its end) or a time (up to it)."""
    days: Annotated[list[Day], Meta(max_length=7)] = []
    hours: Hours = ""
    """"09:00-17:00"; "22:00-02:00" goes past midnight, and belongs to the day it begins on."""


class Condition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """When a rule holds: all that is said must be so; of a list one is enough; what is not said does not matter."""

    placements: Words = []
    """Names of placements; a search is the placement "search"."""
    regions: Words = []
    segments: Words = []
    devices: Words = []
    """"phone", "tablet", "desktop"."""
    categories: Words = []
    """The page is about one of these categories ("shoes" or "shoes/running") or below, or about an item of them."""
    brands: Words = []
    page: Expression = ""
    """The item the page is about passes this expression."""
    queries: Words = []
    """The search holds all words of one of these phrases, in any order ("rain jacket" holds for "red rain jackets")."""
    exact: bool = False
    """The search is nothing but the words of the phrase."""
    cart: Expression = ""
    """Items of the cart pass this expression; at least `cart_items` of them."""
    cart_items: Annotated[int, Meta(ge=0, le=1000)] = 0
    arms: Annotated[dict[Word, Word], Meta(max_length=20)] = {}
    """Experiment -> arm, all of them."""
    schedule: Schedule = Schedule()


class Consequence(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What a rule does to the items it names, by an expression or by their ids."""

    do: Kind
    """`filter`: nothing else is shown. `boost`, `bury`: moved up, down. `pin`: put into a slot."""
    match: Expression = ""
    """A filter expression, such as `category == "rain" and price < 50`."""
    items: Annotated[list[Word], Meta(max_length=1_000_000)] = []
    """Ids; pinned in this order from `position` on."""
    strength: Annotated[float, Meta(gt=0, le=1)] = 0.5
    """Of a boost or bury: 1 counts as much as all other scores together."""
    position: Annotated[int, Meta(ge=1, le=200)] = 1
    """Of a pin, counted from 1."""
    count: Annotated[int, Meta(ge=1, le=50)] = 1
    """Of a pin by expression: so many of the best-ranked, in slots one after the other."""
    hard: bool = True
    """Of a pin: it is brought in and keeps its slot; a soft one only moves what is there for this visitor anyway."""


class Rule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One rule. Of two that want the same, the one of the higher priority comes first, then the lower id."""

    id: RuleId
    name: Annotated[str, Meta(min_length=1, max_length=200)]
    enabled: bool = True
    priority: Annotated[int, Meta(ge=-1000, le=1000)] = 0
    note: Annotated[str, Meta(max_length=1000)] = ""
    when: Condition = Condition()
    then: Consequence

    @property
    def etag(self) -> str:
        """Changes with anything the rule says."""
        return f'"{hashlib.sha256(encode_rule(self)).hexdigest()[:16]}"'


encode_rule = msgspec.json.Encoder().encode
_decode_rules = msgspec.json.Decoder(list[Rule]).decode


def rules_json(rules: list[Rule]) -> bytes:
    """A version as it is kept."""
    return msgspec.json.encode(rules)


def read_rules(body: bytes) -> list[Rule]:
    """A version as it was kept. Raises msgspec.DecodeError (ValidationError for another shape)."""
    return _decode_rules(body)


def number_of(rule: Rule) -> int:
    """What a pin rule is counted by, 40 bits: another one as soon as it pins something else or elsewhere, the same when
    only its schedule, its name or its priority changed."""
    when = msgspec.structs.replace(rule.when, schedule=Schedule())
    return int.from_bytes(hashlib.sha256(msgspec.json.encode((rule.id, when, rule.then))).digest()[:5], "big")


def in_order(rules: list[Rule]) -> list[Rule]:
    """By priority, then by id: the order in which rules have their way."""
    return sorted(rules, key=lambda rule: (-rule.priority, rule.id))
