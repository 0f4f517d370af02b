"""What was released again and again, as one estimate per day: newer releases count more, precise ones more than noisy.

Post-processing of what left through the door (release.py): it costs nothing, however often it is done.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, sqrt

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
DAY = 86_400.0


@dataclass
class Rate:
    """A regression through the origin: released sums y over `exposure` days of events say r = Σ f·x·y / Σ f·x².

    `f` is the release's precision, halved with every half-life that has passed since.
    """

    total: Doubles
    weight: float = 0.0
    at: float = 0.0
    exact: bool = False

    def add(self, released: Doubles, *, exposure: float, sigma: float, at: float, half_life_days: float) -> None:
        """Take a release in: a sum over `exposure` days, with noise of `sigma` (0: without, then it alone counts)."""
        fade = 0.0 if sigma == 0 else 2.0 ** -(max(at - self.at, 0.0) / (half_life_days * DAY))
        precision = 1.0 if sigma == 0 else 1 / sigma**2
        self.total = self.total * fade + released * (exposure * precision)
        self.weight = self.weight * fade + exposure * exposure * precision
        self.at = at
        self.exact = sigma == 0

    @property
    def per_day(self) -> Doubles:
        """The estimate; zeros before the first release."""
        mean: Doubles = self.total / self.weight if self.weight else np.zeros_like(self.total)
        return mean

    @property
    def error(self) -> float:
        """Its standard error from the noise, per day."""
        return 0.0 if self.exact else 1 / sqrt(self.weight) if self.weight else inf

    def grown(self, *shape: int) -> Rate:
        """The same with room for what has come since: zeros at the end of every axis."""
        room = [(0, max(wanted - had, 0)) for wanted, had in zip(shape, self.total.shape, strict=True)]
        return Rate(np.pad(self.total, room), self.weight, self.at, self.exact)


def shrunk(values: Doubles, error: float, groups: NDArray[np.int32]) -> Doubles:
    """Noisy `values` [n] drawn towards the mean of their group (-1: none, a group of its own), never below 0.

    Empirical Bayes, normal around normal: as far as a group's values do not differ by more than their `error`, they are
    taken to be alike. What a group has in all is what it was.
    """
    group = groups + 1
    size = np.bincount(group, minlength=1)
    mean = np.bincount(group, weights=values, minlength=len(size)) / np.maximum(size, 1)
    apart = np.bincount(group, weights=(values - mean[group]) ** 2, minlength=len(size)) / np.maximum(size - 1, 1)
    real = np.maximum(apart - error**2, 0)
    trust = np.divide(real, real + error**2, out=np.ones_like(real), where=real + error**2 > 0)
    drawn: Doubles = np.maximum(mean[group] + trust[group] * (values - mean[group]), 0)
    return drawn
