"""Would the estimators have told what another policy earns? The Open Bandit log, where both policies really ran.

From the log of the random policy the clicks of Bernoulli Thompson sampling ("bts") are estimated, and set beside what
its own log earned. The policy is described by how often it showed each item at each position, which leaves visitors
out: it hardly knew them. The reward model of DM and DR is the mean of clicks per item with a prior, made on the other
half of the log (two folds, as zr-obp's cross-fitting). Estimators: app/learning/off_policy.py.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.learning.off_policy import Estimate, direct, doubly_robust, inverse_propensity, replay, self_normalized
from app.quality.measure import Measure
from store.records import Ints

PRIOR = 500.0
"""Slots of the average item that are added to each, for clicks are rare: 5 in 1,000."""


@dataclass(frozen=True)
class Log:
    item: Ints
    position: Ints
    click: NDArray[np.float64]
    propensity: NDArray[np.float64]


def read_log(file: Path) -> Log:
    with file.open(newline="", encoding="utf-8") as lines:
        rows = [(int(row["item_id"]), int(row["position"]), float(row["click"]), float(row["propensity_score"]))
                for row in csv.DictReader(lines)]  # fmt: skip
    item, position, click, propensity = zip(*rows, strict=True)
    return Log(np.array(item, np.int32), np.array(position, np.int32), np.array(click), np.array(propensity))


def shares(log: Log, items: int, positions: int) -> NDArray[np.float64]:
    """How often the policy showed each item at each position, [positions, items], rows sum to 1."""
    counts = np.zeros((positions, items))
    np.add.at(counts, (log.position - 1, log.item), 1)
    rows: NDArray[np.float64] = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return rows


def estimates(random: Log, policy: NDArray[np.float64], seed: int) -> dict[str, Estimate]:
    """What the log of the random policy says the other one earns per slot."""
    wanted = policy[random.position - 1, random.item]
    modelled, expected = _modelled(random, policy, seed)
    logged, clicks = random.propensity, random.click
    # The policy's own choice in every row, drawn once: rows where the random one showed the same can be replayed.
    drawn = np.random.default_rng(seed)
    places = drawn.random(len(clicks))[:, None] > policy.cumsum(axis=1)[random.position - 1]
    agreed = (np.minimum(places.sum(axis=1), policy.shape[1] - 1) == random.item).astype(np.float64)
    return {
        "replay": replay(clicks, agreed),
        "IPS": inverse_propensity(clicks, logged, wanted),
        "SNIPS": self_normalized(clicks, logged, wanted),
        "DM": direct(expected),
        "DR": doubly_robust(clicks, logged, wanted, modelled, expected),
    }


def measure(folder: Path, seed: int) -> list[Measure]:
    """Estimated clicks per slot beside the logged ones (`static`), and beside those of the random policy."""
    found = []
    for campaign in ("men", "women"):
        random, other = (read_log(folder / f"{policy}_{campaign}.csv") for policy in ("random", "bts"))
        items = int(max(random.item.max(), other.item.max())) + 1
        positions = int(max(random.position.max(), other.position.max()))
        truth = float(other.click.mean())
        name = f"exploration, {campaign}"
        found.append(Measure(name, "random policy", float(random.click.mean()), 0, static=truth))
        for method, estimate in estimates(random, shares(other, items, positions), seed).items():
            found.append(
                Measure(name, method, estimate.value, 0, static=truth, anchor=f"± {estimate.error:.4f}")
            )  # `static` is what the other policy really earned
    return found


def _modelled(log: Log, policy: NDArray[np.float64], seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Expected clicks of each row's own item, and of what the policy would have shown there."""
    fold = np.random.default_rng(seed).integers(0, 2, len(log.item))
    modelled, expected = np.zeros(len(log.item)), np.zeros(len(log.item))
    for part in (0, 1):
        known, asked = fold != part, fold == part
        count = np.bincount(log.item[known], minlength=policy.shape[1])
        clicks = np.bincount(log.item[known], log.click[known], policy.shape[1])
        rate = (clicks + PRIOR * log.click[known].mean()) / (count + PRIOR)
        modelled[asked] = rate[log.item[asked]]
        expected[asked] = (policy @ rate)[log.position[asked] - 1]
    return modelled, expected
