"""What brings a simulated visitor to the shop today: habits, phases, things that go together, things that run out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from app.demo.choice import Need
from app.demo.climate import DAY, demand
from app.demo.lifestyles import Floats
from app.demo.shoppers import Shopper
from app.demo.taxonomy import BY_PATH, COMPLEMENTS, SUBCATEGORIES

PHASE_PULL: Final = 2.2
COMPLEMENT_PULL: Final = 9.0
COMPLEMENT_DAYS: Final = 25
SATED_DAYS: Final = 30
SATED: Final = 0.4
LOYAL_REFILLS: Final = 0.9
GIFTS: Final = 0.05
RENEW_DAYS: Final = np.array([sub.renew_days for sub in SUBCATEGORIES])
GOES_WITH: Final = {BY_PATH[one]: [BY_PATH[other] for other in others] for one, others in COMPLEMENTS.items()}


@dataclass
class Life:
    """What has happened to one visitor so far; changed by `bought`. Times in epoch seconds."""

    owned: dict[int, set[int]] = field(default_factory=dict)
    running_out: list[tuple[float, int, int]] = field(default_factory=list)
    hoped: list[tuple[float, int]] = field(default_factory=list)
    sated: dict[int, float] = field(default_factory=dict)
    returning: tuple[str, int] | None = None


def bought(life: Life, number: int, sub: int, now: float, rng: np.random.Generator) -> None:
    """Remember a purchase: what it will be needed with, when it is used up, or that no second one is wanted now."""
    life.owned.setdefault(sub, set()).add(number)
    if RENEW_DAYS[sub]:
        again = now + float(RENEW_DAYS[sub] * np.exp(rng.normal(0.0, 0.35))) * DAY
        life.running_out.append((again, sub, number if rng.random() < LOYAL_REFILLS else -1))
    else:
        life.sated[sub] = now + SATED_DAYS * DAY
    life.hoped += [(now + COMPLEMENT_DAYS * DAY, other) for other in GOES_WITH.get(sub, ())]


def draw_needs(shopper: Shopper, life: Life, now: float, count: int, rng: np.random.Generator) -> list[Need]:
    """Return up to `count` needs of this visit, refills first, then wishes of different kinds."""
    needs = _refills(life, now, count)
    pull = pull_of(shopper, life, now)
    for need in needs:
        pull[need.sub] = 0.0
    while len(needs) < count and pull.any():
        edges = np.cumsum(pull)
        sub = int(np.searchsorted(edges, rng.random() * edges[-1], side="right"))
        pull[sub] = 0.0
        gift = rng.random() < GIFTS
        needs.append(Need(sub, "gift" if gift else "wish", gift))
    return needs


def runs_short(life: Life, now: float) -> bool:
    """Whether something bought earlier is used up by `now`."""
    return any(at <= now for at, _, _ in life.running_out)


def _refills(life: Life, now: float, count: int) -> list[Need]:
    due = [entry for entry in life.running_out if entry[0] <= now][:count]
    life.running_out = [entry for entry in life.running_out if entry not in due]
    return [Need(sub, "refill", wanted=number) for _, sub, number in due]


def pull_of(shopper: Shopper, life: Life, now: float) -> Floats:
    """How strongly each subcategory calls this visitor now."""
    pull = shopper.pull * demand(shopper.region, int(now // DAY))
    for phase in shopper.phases:
        if phase.start <= now <= phase.end:
            pull += PHASE_PULL * phase.pull
    life.hoped = [entry for entry in life.hoped if entry[0] > now]
    for _, sub in life.hoped:
        pull[sub] += COMPLEMENT_PULL
    for sub, until in life.sated.items():
        if until > now:
            pull[sub] *= SATED
    return pull
