"""Ninety days of visits to the demo shop, as event batches in the order in which they happened.

Shape: the real wholesale shop of LEARNING.md seen through a window of 90 days (online_retail, mean of its last three
such windows) is the target; baskets are a fifth of a wholesaler's. `tests/test_demo_shop.py` states target and reached.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from app.demo.catalogue import HISTORY_DAYS
from app.demo.climate import DAY, LOCALES, REGIONS
from app.demo.item import Item
from app.demo.lifestyles import Floats
from app.demo.needs import Life
from app.demo.shelf import Ints
from app.demo.shoppers import SHOPPERS, Shopper, generate_shoppers
from app.demo.trail import Batch, Trail
from app.demo.visits import open_world, play

COMES_BACK: Final = 0.13
BACK_DAYS: Final = 3.0
LAST_MINUTES: Final = 3 * 3600  # no visit starts later than this before `now`, so that all end in the past
HOURS: Final = np.array(
    [2, 1, 1, 1, 1, 2, 4, 7, 8, 8, 9, 10, 12, 11, 9, 9, 10, 12, 14, 17, 20, 19, 12, 6], dtype=np.float64
)


def generate_history(catalogue: Sequence[Item], seed: int, now: int, shoppers: int = SHOPPERS) -> Iterator[Batch]:
    """Yield one batch per visit of the last 90 days before `now` (epoch seconds), by start time; same seed, same bytes.

    Streams: nothing but the visitors' state is kept. Visitors who denied consent or stay anonymous carry no ids.
    """
    world = open_world(catalogue, seed, now)
    people = generate_shoppers(seed, now, shoppers)
    rng = np.random.default_rng([seed, 4])
    lives = [Life() for _ in people]
    who, starts = _schedule(people, now, rng)
    for number, start in zip(who.tolist(), starts.tolist(), strict=True):
        trail = Trail(rng.bytes(16).hex(), start)
        play(people[number], lives[number], world, trail, rng)
        yield _batch(people[number], trail)


def _schedule(people: list[Shopper], now: int, rng: np.random.Generator) -> tuple[Ints, Floats]:
    """When each visitor comes: by their own rate, in the evening, and often again within days."""
    counts = rng.poisson([person.visits * HISTORY_DAYS for person in people])
    who = np.repeat(np.arange(len(people)), counts)
    days = rng.uniform(0, HISTORY_DAYS, len(who))
    again, moments = who, days
    while len(again):
        back = rng.random(len(again)) < COMES_BACK
        again, moments = again[back], moments[back] + rng.exponential(BACK_DAYS, int(back.sum()))
        who, days = np.concatenate([who, again]), np.concatenate([days, moments])
    hours = np.searchsorted(np.cumsum(HOURS), rng.random(len(who)) * HOURS.sum(), side="right")
    midnight = (now - HISTORY_DAYS * DAY + days * DAY) // DAY * DAY
    starts = midnight + hours * 3600 + rng.uniform(0, 3600, len(who))
    inside = (starts >= now - HISTORY_DAYS * DAY) & (starts < now - LAST_MINUTES)
    who, starts = who[inside], starts[inside]
    order = np.argsort(starts, kind="stable")
    return who[order], starts[order]


def _batch(shopper: Shopper, trail: Trail) -> Batch:
    """Dress the visit for the wire, with no more about the visitor than they allowed."""
    batch = Batch(
        v=1,
        sent=int(trail.now * 1000),
        consent=shopper.consent,
        purposes=list(shopper.purposes),
        region=REGIONS[shopper.region],
        locale=LOCALES[shopper.region],
        events=trail.events,
    )
    if shopper.consent == "granted":
        batch["anon"] = shopper.anon
    if shopper.consent in ("granted", "session"):
        batch["session"] = trail.session
    return batch
