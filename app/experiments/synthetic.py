"""Made-up experiments of which the truth is known, to see that the statistics say it: people who come and come back for
weeks, some clicking much and most little, looked at every day."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from app.experiments.options import ExperimentOptions
from app.experiments.results import ResultsAnswer, measured, results_of
from app.experiments.statistics import chance_of_better
from store.experiment_sums import ArmSums, Report
from store.experiments import Arm, Design

FIRST_DAY = 20_000
AB = Design(
    key="a-b", name="A and B", arms=[Arm(key="a", weight=50), Arm(key="b", weight=50)], metric="clicks",
    guardrails=["click_rate", "orders"],
)  # fmt: skip


class Alarms(NamedTuple):
    """Of so many runs, in how many something was claimed that is not so, at any of the daily looks."""

    runs: int
    uplift: int
    """Zero (or the known uplift) was outside of the interval on some day."""
    shares: int
    once: int
    """The same claimed by a test for one look only, at the last one: its nominal rate is 5 %."""


def made_up(rng: np.random.Generator, *, people: int = 2_000, days: int = 21, uplift: float = 0.0) -> list[Report]:
    """Reports of an experiment in which arm `b` clicks by `uplift` more than arm `a`; about `people` in both arms."""
    first = rng.integers(0, days, people)
    arm = rng.integers(0, 2, people)
    comes = rng.random((people, days)) < rng.beta(1.2, 4.0, people)[:, None]
    comes[np.arange(people), first] = True
    comes &= np.arange(days) >= first[:, None]
    likes = np.minimum(rng.gamma(0.6, 0.25, people), 0.8) * np.where(arm == 1, 1 + uplift, 1.0)
    clicks = comes & (rng.random((people, days)) < likes[:, None])
    orders = clicks & (rng.random((people, days)) < 0.2)
    seen = [np.cumsum(each, axis=1) for each in (comes, clicks, orders)]
    return [Report(FIRST_DAY + day, [_sums(arm == which, seen, day) for which in (0, 1)]) for day in range(days)]


def _sums(who: np.ndarray, seen: Sequence[np.ndarray], day: int) -> ArmSums:
    lists, clicks, orders = (each[who, day].astype(np.int64) for each in seen)
    squares = (int((each * each).sum()) for each in (lists, clicks, orders))
    lists_squared, clicks_squared, orders_squared = squares
    return ArmSums(
        int((lists > 0).sum()), int(lists.sum()), int(clicks.sum()), 0, int(orders.sum()),
        lists_squared, clicks_squared, 0, orders_squared, int((lists * clicks).sum()),
    )  # fmt: skip


def read(reports: Sequence[Report], options: ExperimentOptions) -> ResultsAnswer:
    """What the product says of them."""
    return results_of(AB, "running", reports, options, started=FIRST_DAY * 86_400, threshold=10)


def false_alarms(runs: int, seed: int, options: ExperimentOptions, *, uplift: float = 0.0) -> Alarms:
    """Make up `runs` experiments and count the wrong claims of the product's own statistics."""
    rng = np.random.default_rng(seed)
    wrong = shares = once = 0
    for _ in range(runs):
        reports = made_up(rng, uplift=uplift)
        answer = read(reports, options)
        control, treated = (measured(arm, AB.metric) for arm in reports[-1].arms)
        once += not 0.025 <= chance_of_better(treated, control) <= 0.975
        wrong += any(not day.low <= uplift <= day.high for day in answer.over_time)
        shares += answer.shares is not None and answer.shares.suspect
    return Alarms(runs, wrong, shares, once)
