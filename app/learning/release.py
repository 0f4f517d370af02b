"""The one door through which anything learned across people leaves a training.

A trainer computes a statistic over people and asks the door to release it:

    with open_door(folder, config, now) as door:
        noisy = door.release(
            counts,                           # any shape; computed from people's contributions
            name="counts.bought",             # PART.STATISTIC; the part's allowance is what it may spend
            sensitivity=math.sqrt(k),         # L2: how far one person's coming or going moves the whole statistic
            noise_multiplier=m,               # the noise's σ in units of the sensitivity; costs μ² = 1 / m²
            step=0,                           # one of several releases of the same name (a step of ALS): each costs
            block=0,                          # a piece of one release: all blocks of (name, step) cost once
            subjects=people,                  # how many people are behind each entry; `threshold` hides few
        )

What happens, by `[privacy] learned`:

* `dp`: the debit {run, name, step, sensitivity, multiplier, μ²} is on disk first, then Gaussian noise of
  σ = noise_multiplier · sensitivity is drawn, then the sum is rounded to a grid. `sensitivity` bounds the whole release
  (name, step), all its blocks together. Past the window's budget, or past the part's allowance
  (`door.allowance[part]`, in μ²), BudgetSpent is raised with the arithmetic, and nothing was drawn. A block that is
  asked for again gets the very noise it had; asked for again with other numbers it is refused, as the difference
  would be free of noise.
  A crash after the debit leaves it spent without a release, never a release without a debit.
* `threshold`: no noise. Entries fewer than `[privacy] threshold_people` people are behind are 0; `subjects` is needed
  and is broadcast over the statistic's last axes ([items] for [items, d, d]). Weaker: it hides the rare, not the
  difference one person makes to what many share.
* `exact`: as it is. For generated and public data.

Every release is in the ledger, in every mode. Noise can only be drawn while the door is open: its key dies with it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from app.config import Config
from app.learning.accounting import cost_of, multiplier_for
from app.learning.noise import Doubles, NoiseSource, to_grid
from app.learning.schedule import Spending, spending
from store.budget import BudgetLedger, Overspent, RunRow, Window, open_budget

Mode: TypeAlias = Literal["dp", "threshold", "exact"]


class BudgetSpent(Exception):
    """A release that the budget does not allow; the message is the arithmetic. The old generation keeps serving."""


class ReleaseRefused(Exception):
    """A release that is asked for in a way that would void its promise: a mistake in the caller."""


@dataclass
class Door:
    """What `open_door` gives: see the module's text. `allowance`: μ² each part may spend in this run."""

    mode: Mode
    ledger: BudgetLedger
    run: RunRow
    now: float
    limit: float = math.inf
    """μ² of the window's whole budget."""
    people_at_least: int = 1
    spending: Spending | None = None
    """Why this run may spend what `allowance` says, in "dp"."""
    allowance: Mapping[str, float] = field(default_factory=dict)
    generation: str | None = None
    """What was published from this run; set by whoever publishes it."""
    noise: NoiseSource = field(default_factory=NoiseSource)
    _declared: dict[tuple[str, int], tuple[float, float]] = field(default_factory=dict)
    _marks: dict[tuple[str, int, int], bytes] = field(default_factory=dict)
    _spent: dict[str, float] = field(default_factory=dict)

    def release(
        self,
        statistic: NDArray[np.floating],
        *,
        name: str,
        sensitivity: float,
        noise_multiplier: float,
        step: int = 0,
        block: int = 0,
        subjects: NDArray[np.integer] | None = None,
    ) -> Doubles:
        """The statistic as it may be known, a new array of its shape. Raises BudgetSpent, ReleaseRefused, a StoreFault.

        The module's text says what each argument means and what the door promises.
        """
        values = np.array(statistic, dtype=np.float64, order="C")
        if not (sensitivity > 0 and math.isfinite(sensitivity)):
            raise ReleaseRefused(f"{name}: a sensitivity is a positive number (it is {sensitivity})")
        if not np.isfinite(values).all():
            raise ReleaseRefused(f"{name}: the statistic holds nan or infinity")
        if self.mode == "dp":
            return self._noisy(values, name, sensitivity, noise_multiplier, step, block)
        self._once(name, step, sensitivity, 0.0, None)
        if self.mode == "threshold":
            if subjects is None:
                raise ReleaseRefused(f"{name}: in 'threshold' a release says how many people are behind each entry")
            few = np.asarray(subjects) < self.people_at_least
            values[few] = 0
        return values

    @property
    def window(self) -> Window:
        """The window this run belongs to, in "dp"."""
        found = self.ledger.last_window()
        if found is None or found.number != self.run.window:
            raise ReleaseRefused(f"run {self.run.id} belongs to no window")
        return found

    @property
    def open(self) -> bool:
        """Whether anything may be released in this run; in "dp" only when its day has come."""
        return self.spending is None or self.spending.cost > 0

    def note(self, *names: str) -> None:
        """Write down what is published as it is; in "exact" only."""
        if self.mode != "exact":
            raise ReleaseRefused(f"{', '.join(names)}: in '{self.mode}' everything passes `release`")
        for name in names:
            self._once(name, 0, 1.0, 0.0, None)

    def multiplier(self, part: str, share: float = 1.0) -> float:
        """The noise multiplier that spends this share of a part's allowance at once; 0 where there is no noise."""
        if self.mode != "dp":
            return 0.0
        if not self.allowance.get(part, 0.0) * share > 0:
            raise BudgetSpent(f"in this run '{part}' may spend nothing")
        return multiplier_for(self.allowance[part] * share)

    def _noisy(
        self, values: Doubles, name: str, sensitivity: float, multiplier: float, step: int, block: int
    ) -> Doubles:
        if not (multiplier > 0 and math.isfinite(multiplier)):
            raise ReleaseRefused(f"{name}: in 'dp' noise has a positive multiplier (it is {multiplier})")
        mark = self.noise.mark(name, step, block, repr(values.shape).encode() + values.tobytes())
        if self._marks.get((name, step, block), mark) != mark:
            raise ReleaseRefused(
                f"{name}, step {step}, block {block}: was released already, with other numbers; the same noise twice"
                " would give the difference away. A further release is a step of its own, with its own debit"
            )
        self._once(name, step, sensitivity, multiplier, cost_of(multiplier))
        self._marks[name, step, block] = mark
        sigma = multiplier * sensitivity
        noise = self.noise.normal(name, step, block, values.size).reshape(values.shape)
        np.multiply(noise, sigma, out=noise)
        values += noise
        return to_grid(values, sigma)

    def _once(self, name: str, step: int, sensitivity: float, multiplier: float, cost: float | None) -> None:
        """Debit (name, step) at its first block; the others have to be of the same release."""
        declared = self._declared.get((name, step))
        if declared is not None:
            if declared != (sensitivity, multiplier):
                raise ReleaseRefused(
                    f"{name}, step {step}: its blocks are one release, of one sensitivity and noise multiplier"
                    f" (they were {declared}, now {(sensitivity, multiplier)})"
                )
            return
        part = name.partition(".")[0]
        if cost is not None:
            self._within_allowance(part, name, cost)
        try:
            self.ledger.debit(
                self.run, name, step, sensitivity=sensitivity, multiplier=multiplier, cost=cost, limit=self.limit,
                at=self.now,
            )  # fmt: skip
        except Overspent as refused:
            raise BudgetSpent(self._arithmetic(name, refused)) from None
        self._declared[name, step] = (sensitivity, multiplier)
        self._spent[part] = self._spent.get(part, 0.0) + (cost or 0.0)

    def _within_allowance(self, part: str, name: str, cost: float) -> None:
        allowed, spent = self.allowance.get(part, 0.0), self._spent.get(part, 0.0)
        if not spent + cost <= allowed * (1 + 1e-9):
            raise BudgetSpent(
                f"{name} costs μ² = {cost:.4g}, but in this run '{part}' may spend {allowed:.4g}, of which {spent:.4g}"
                " are spent"
            )

    def _arithmetic(self, name: str, refused: Overspent) -> str:
        left = max(refused.limit - refused.spent, 0.0)
        return (
            f"{name} costs μ² = {refused.cost:.4g}; the window's budget is {refused.limit:.4g}"
            f" (ε = {self.run.epsilon:g}, δ = {self.run.delta:g}), spent are {refused.spent:.4g}, left {left:.4g}."
            " Nothing was released"
        )


@contextmanager
def open_door(folder: Path, config: Config, now: float) -> Iterator[Door]:
    """A run's door. Raises a StoreFault where the ledger cannot be written: then nothing may be learned."""
    options = config.privacy
    if options.learned == "off":
        raise ReleaseRefused("nothing is learned across people with [privacy] learned = 'off'")
    with open_budget(folder) as ledger:
        if options.learned != "dp":
            run = ledger.begin_run(now, options.learned, data_until=now)
            door = Door(options.learned, ledger, run, now, people_at_least=options.threshold_people)
        else:
            may = spending(ledger, options, now)
            run = ledger.begin_run(
                now, "dp", data_until=now, days=options.window_days, epsilon=options.epsilon, delta=options.delta
            )
            allowance = options.allowance(may.cost)
            door = Door("dp", ledger, run, now, limit=may.limit, allowance=allowance, spending=may)
        try:
            yield door
        finally:
            door.noise.destroy()
        ledger.end_run(door.run, now, door.generation)
