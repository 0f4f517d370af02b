"""The sections of personalize.toml that belong to the node itself; the other parts bring their own."""

from __future__ import annotations

import re
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import msgspec
from msgspec import Meta

from app.suggestion import suggest
from store.sensitive import SENSITIVE_WORDS, words_of

Positive = Annotated[int, Meta(ge=1)]
Days = Annotated[float, Meta(gt=0, le=36_500)]


class NodeOptions(msgspec.Struct, frozen=True):
    """[node]: where it keeps things and what time it is."""

    data: str = "data"
    """Folder of everything it writes, relative to the configuration file."""
    clock: Literal["wall", "events"] = "wall"
    """`events`: the time of the latest event, to serve a shop imported from its past."""
    tenant: str = "shop"
    """Part of every pseudonym; one shop per server."""
    max_database_mb: Annotated[int, Meta(ge=0)] = 0
    """Bound of each database file; 0: the disk."""
    cache_mb: Positive = 16
    """SQLite page cache of each database."""
    items_at_most: Positive = 1_000_000
    """Items of the catalogue, deleted ones included."""
    vault_entries: Positive = 1_000
    """Entries of a person's vault per category; the oldest go first."""
    group_max: Positive = 2_048
    """At most this many waiting events in one transaction."""
    queue: Positive = 20_000
    """Events waiting for the disk; more answers 503."""


_ADDRESS = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^:\[\]]*):(\d{1,5})")
_ORIGIN = re.compile(r"https?://[^/?#\s]+")


class ServerOptions(msgspec.Struct, frozen=True):
    """[server]: the HTTP side."""

    bind: str = "127.0.0.1:8787"
    backlog: Positive = 512
    keep_alive_seconds: Positive = 30
    keep_alive_requests: Positive = 1_000_000
    drain_seconds: Annotated[float, Meta(ge=0)] = 5.0
    """How long SIGTERM lets requests finish."""
    allowed_origins: list[str] = []
    """Storefronts that may send events from a browser; empty: any origin, without credentials."""
    requests_per_minute: Annotated[int, Meta(ge=0)] = 6_000
    """Per network prefix (IPv4 /24, IPv6 /48), for requests without a server key; 0: any number."""
    uvloop: bool = True
    fast_http: bool = True
    """HTTP/1.1 read by httptools; false: by Hypercorn's own h11, for a third of the requests a second."""
    demo: bool = False
    """Serve the generated shop's storefront at /demo/."""

    def problems(self) -> list[tuple[str, str]]:
        """What cannot be meant, as (setting, sentence)."""
        found = []
        address = _ADDRESS.fullmatch(self.bind)
        if address is None or int(address[2]) > 65_535:
            found.append(("bind", f"expected an address and a port such as '127.0.0.1:8787' (it is {self.bind!r})"))
        found += [
            ("allowed_origins", f"expected an origin such as 'https://shop.example', without a path (it is {origin!r})")
            for origin in self.allowed_origins
            if not _ORIGIN.fullmatch(origin)
        ]
        return found


class ShopOptions(msgspec.Struct, frozen=True):
    """[shop]: facts of the shop."""

    name: str = "My shop"
    currency: Annotated[str, Meta(pattern="^[A-Z]{3}$")] = "EUR"
    timezone: str = "UTC"
    """Of the shop's clock, by which rules begin and end: a name of the IANA database such as "Europe/Berlin"."""

    def problems(self) -> list[tuple[str, str]]:
        """What cannot be meant, as (setting, sentence)."""
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            zones = available_timezones()
            near = suggest(self.timezone, zones) if zones else "; this machine knows none: install tzdata"
            return [("timezone", f"there is no time zone {self.timezone!r}{near if len(near) < 100 else ''}")]
        return []


PARTS = ("people", "counts", "pairs", "vectors", "segments", "judge", "ranking")
"""What a training spends on: how many people there are, what they want, what goes together, tastes, how large segments
are, the judgement, and what clicks say about blend weights."""


class PrivacyOptions(msgspec.Struct, frozen=True):
    """[privacy]: one dial for everything learned across people."""

    learned: Literal["off", "dp", "threshold", "exact"] = "dp"
    """`dp`: under differential privacy, `epsilon` and `delta` per person and window. `threshold`: bounded
    contributions, nothing that fewer than `threshold_people` are behind; weaker. `exact`: as it is, for generated or
    public data only. `off`: only content vectors of the catalogue are trained."""
    epsilon: Annotated[float, Meta(gt=0, le=1_000)] = 8.0
    delta: Annotated[float, Meta(gt=0, le=1e-3)] = 1e-6
    window_days: Days = 30.0
    """A budget's time; what happened in one window is never used in another."""
    windows_per_person: Positive = 12
    """In so many windows a person is learned from, at most, for as long as anything is known of them."""
    daily_from_epsilon: Annotated[float, Meta(ge=0)] = 3.0
    """From here on a window's budget is spent in daily parts; below, one training a window takes all of it."""
    first_share: Annotated[float, Meta(gt=0, le=1)] = 0.5
    """Of its window's budget, what the very first training may spend at once."""
    shares: dict[str, Annotated[float, Meta(ge=0, le=1)]] = msgspec.field(
        default_factory=lambda: dict(zip(PARTS, (0.02, 0.34, 0.19, 0.32, 0.02, 0.08, 0.03), strict=True))
    )
    """Of a run's part of the budget (in μ²), what each kind of release may spend."""
    items_per_person: Annotated[int, Meta(ge=1, le=1_000)] = 16
    """Of one person, so many products count, and so many pairs; more of each person means more noise for everyone."""
    pairs_per_person: Annotated[int, Meta(ge=1, le=1_000)] = 24
    pair_items: Annotated[int, Meta(ge=0, le=20_000)] = 1_000
    """So many of the most wanted products are counted pair by pair; the others by their categories."""
    threshold_people: Annotated[int, Meta(ge=2)] = 20
    sensitive: list[str] = msgspec.field(default_factory=lambda: list(SENSITIVE_WORDS))
    """Categories nothing is learned from: words of a step, or paths from the top ("beauty/intimate care")."""

    def allowance(self, cost: float) -> dict[str, float]:
        """μ² that each part may spend of so much."""
        return {part: self.shares.get(part, 0.0) * cost for part in PARTS}

    def problems(self) -> list[tuple[str, str]]:
        """What cannot be meant, as (setting, sentence)."""
        found = [
            ("sensitive", f"expected a word or a path of categories such as 'beauty/intimate care' (it is {entry!r})")
            for entry in self.sensitive
            if not all(words_of(step) for step in entry.split("/"))
        ]
        found += [
            (f"shares.{part}", f"no such part{suggest(part, PARTS)}") for part in self.shares if part not in PARTS
        ]
        total = sum(self.shares.values())
        if total > 1 + 1e-9:
            found.append(("shares", f"expected parts of one budget, at most 1 in all (they are {total:g})"))
        return found


class RetentionOptions(msgspec.Struct, frozen=True):
    """[retention]: how long what is kept."""

    raw_events_days: Days = 30.0
    profile_days: Days = 180.0
    dedup_days: Days = 7.0
    vault_days: Days = 730.0
    consent_records_days: Days = 1_095.0
    """The ledger of consent decisions."""
    aggregates_months: Annotated[float, Meta(gt=0, le=1_200)] = 25.0
    """Counts over many people."""
    people_at_least: Annotated[int, Meta(ge=10)] = 10
    """A figure about fewer people is not published, and all are rounded down to a multiple of it."""
    searches_people_at_least: Annotated[int, Meta(ge=20)] = 20
    """The same, for what people searched."""
    cells_per_person: Positive = 50
    """In so many cells of one report and day a person is counted, at most."""
    sweep_minutes: Annotated[float, Meta(gt=0, le=1_440)] = 10.0


class TrainingOptions(msgspec.Struct, frozen=True):
    """[training]: `personalize train`, by hand or on schedule."""

    every_hours: Annotated[float, Meta(ge=0, le=8_760)] = 6.0
    """0: only by hand."""
    keep_generations: Positive = 3
    judged_share: Annotated[float, Meta(gt=0, le=0.5)] = 0.05
    """Of the people with a past: their last day is not learned from, new generations are judged by it."""
    judged_people: Annotated[int, Meta(ge=0)] = 500
    """Asked about in one judging, at most; 0: nothing is judged."""
    segments: Annotated[int, Meta(ge=0, le=64)] = 8
    """Taste segments to look for, at most; 0: none."""
    segment_share: Annotated[float, Meta(ge=0.05, le=1)] = 0.35
    """From this part of a visitor's taste on they belong to a segment."""
    runs_kept: Annotated[int, Meta(ge=1, le=10_000)] = 50
    """Trainings of which is remembered how they went."""
    memory_mb: Annotated[int, Meta(ge=0)] = 4_096
    """Private memory one training may have; 0: as much as it asks for."""
    threads: Annotated[int, Meta(ge=1, le=256)] = 1
    """Cores a scheduled training may use."""
    fresh_items: Positive = 10_000
    """Items added between two trainings that can be found by their content."""
    window_days: Days = 400.0
    """Events older than this are not learned from."""
    static_days: Days = 60.0
    """Window of the static order: distinct buyers in it."""
    selling_now_days: Days = 14.0
    """What sells now: distinct buyers in so many days, at most `static_days`."""
    half_life_days: Days = 90.0
    """After so long an interaction counts half where tastes are learned (docs/decisions/ranking-weights.md)."""
    dimensions: Annotated[int, Meta(ge=4, le=256)] = 64
    iterations: Annotated[int, Meta(ge=1, le=100)] = 8
    regularization: Annotated[float, Meta(ge=0.05, le=50)] = 1.0
    """Of item vectors, in variances of what chance would put into them in a shop this large and this dense."""
    unobserved_weight: Annotated[float, Meta(ge=0.2, le=1000)] = 15.0
    """What all that a person did not touch weighs beside what they did (docs/decisions/item-vector-scale.md)."""
    neighbours_per_item: Positive = 100
    choose_by: Annotated[int, Meta(ge=0)] = 2_000
    """With `learned = "exact"`, how neighbours and item vectors are learned is chosen by what the last interactions of
    so many people would have been foretold by (app/learning/choice.py); 0: as configured."""
    dense_below: Annotated[int, Meta(ge=0, le=40_000)] = 15_000
    """Catalogues smaller than this may get their neighbours from a regression over all items (EASE): 4 bytes times the
    square of the items of memory while training."""
    content_dimensions: Annotated[int, Meta(ge=8, le=256)] = 64
    sessions_per_item: Positive = 1500
    engine: str = "process_pool"
    """The plugin that computes sums over people."""
    shard_people: Positive = 65_536
    """So many people are one piece of its work."""
    statistics_mb: Positive = 256
    """Sums for more items than fit here are computed block by block."""
    seed: int = 20261122
    weights: dict[str, float] = msgspec.field(
        default_factory=lambda: {"view_item": 0.2, "select_item": 0.2, "add_to_cart": 0.6, "purchase": 1.0}
    )
    """What an event says about liking an item."""
    max_items_per_person: Positive = 500
    """Of one person, the newest; fewer of what only a browser says: visitors can be made up."""
    max_items_browser: Positive = 100
    max_items_signed_in: Positive = 250
