"""What may be concluded from sums over two arms, however often one looks. Pure; the numbers are those of the papers.

* Intervals: asymptotic confidence sequences, Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central
  limit theory and asymptotic confidence sequences" (Annals of Statistics 52(6), 2024, arXiv 2103.06476), Theorem 2.2:
  with estimator variance σ²/t the margin σ·sqrt(2(tρ²+1)/(t²ρ²) · ln(sqrt(tρ²+1)/α)) holds at all t together; ρ² is
  tuned to a planned t as their appendix B.2 says. Applied to the logarithm of a ratio of means, an asymptotically
  linear estimator, by the delta method.
* Shares of the arms: the sequential multinomial test of Lindon and Malek, "Anytime-valid inference for multinomial
  count data" (NeurIPS 2022), a Dirichlet mixture around the planned shares, whose p-value holds at all times together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

CONCENTRATION = 100.0
"""Of the Dirichlet mixture: how near the planned shares a mismatch is looked for first."""
FEWEST = 20
"""Clicks, carts or orders in each arm before a ratio is read: with fewer the normal law is far."""
LONGEST_DAYS = 365


class Measured(NamedTuple):
    """A mean per person, or a ratio of two sums, of one arm."""

    people: int
    value: float
    relative_variance: float
    """Of the estimate, over its square: (standard error / value)²."""
    happened: int
    """How often what is measured happened at all."""


class Uplift(NamedTuple):
    """Relative difference to the control: 0.02 is 2 % more."""

    estimate: float
    low: float
    high: float


def measure_mean(people: int, total: float, squares: float) -> Measured:
    """A mean per person, from the sum and the sum of squares."""
    if people < 2 or total <= 0:
        return Measured(people, 0.0, math.inf, int(total))
    mean = total / people
    variance = max(squares - total * mean, 0.0) / (people - 1)
    return Measured(people, mean, variance / people / mean**2, int(total))


def measure_ratio(
    people: int, over: float, under: float, over_squares: float, under_squares: float, products: float
) -> Measured:
    """A ratio of two sums over people, `over` / `under`; people are independent, what one of them does is not."""
    if people < 2 or over <= 0 or under <= 0:
        return Measured(people, 0.0, math.inf, int(over))
    ratio = over / under
    spread = over_squares - 2 * ratio * products + ratio**2 * under_squares
    return Measured(people, ratio, max(spread, 0.0) * people / (people - 1) / over**2, int(over))


def mixture(alpha: float, planned: float) -> float:
    """ρ² for which the interval is narrowest around `planned` people."""
    return (-2 * math.log(alpha) + math.log(-2 * math.log(alpha) + 1)) / planned


def margin(people: float, alpha: float, rho_squared: float) -> float:
    """Half an interval's width in standard errors of the estimate, where 1.96 would hold at one look."""
    scaled = people * rho_squared
    return math.sqrt(2 * (scaled + 1) / scaled * math.log(math.sqrt(scaled + 1) / alpha))


def uplift(treated: Measured, control: Measured, alpha: float, planned: float) -> Uplift | None:
    """The relative difference of an arm to the control; None where there is too little to compare.

    It holds at every look together with probability 1 − alpha, for large numbers.
    """
    if min(treated.happened, control.happened) < FEWEST:
        return None
    log_ratio, error = _log_ratio(treated, control)
    half = error * margin(treated.people + control.people, alpha, mixture(alpha, planned))
    return Uplift(math.expm1(log_ratio), math.expm1(log_ratio - half), math.expm1(log_ratio + half))


def chance_of_better(treated: Measured, control: Measured) -> float:
    """How sure one look alone would be that the arm is better; for words, never for a decision."""
    log_ratio, error = _log_ratio(treated, control)
    return 0.5 * math.erfc(-log_ratio / error / math.sqrt(2)) if error > 0 else 0.5


def people_to_decide(treated: Measured, control: Measured, alpha: float, planned: float) -> float:
    """With how many people in both arms zero would leave the interval, should the difference stay what it looks like
    now; infinity where it never would."""
    from scipy.optimize import brentq  # half a second of every start, for who looks at an experiment

    log_ratio, error = _log_ratio(treated, control)
    people = treated.people + control.people
    rho_squared = mixture(alpha, planned)

    def beyond(count: float) -> float:
        return abs(log_ratio) - error * math.sqrt(people / count) * margin(count, alpha, rho_squared)

    most = people * 1e6
    if beyond(people) >= 0:
        return people
    return float(brentq(beyond, people, most)) if beyond(most) > 0 else math.inf


def _log_ratio(treated: Measured, control: Measured) -> tuple[float, float]:
    """ln(treated / control) and its standard error."""
    return (
        math.log(treated.value) - math.log(control.value),
        math.sqrt(treated.relative_variance + control.relative_variance),
    )


def mismatch(counts: Sequence[int], shares: Sequence[float]) -> float:
    """The p-value that people were given to the arms as planned; valid at all looks together.

    1 / Bayes factor of a Dirichlet mixture around the shares against the shares themselves.
    """
    from scipy.special import gammaln

    planned = np.asarray(shares, np.float64) / sum(shares)
    seen = np.asarray(counts, np.float64)
    prior = CONCENTRATION * planned
    evidence = (
        gammaln(prior.sum()) - gammaln(prior.sum() + seen.sum())
        + float(np.sum(gammaln(prior + seen) - gammaln(prior) - seen * np.log(planned)))
    )  # fmt: skip
    return float(np.exp(min(0.0, -evidence)))


def mismatch_once(counts: Sequence[int], shares: Sequence[float]) -> float:
    """The chi-squared test's p-value, as it would be for a single look; told beside the other."""
    from scipy.stats import chisquare

    if sum(counts) == 0:
        return 1.0
    expected = np.asarray(shares, np.float64) / sum(shares) * sum(counts)
    return float(chisquare(list(counts), expected).pvalue)
