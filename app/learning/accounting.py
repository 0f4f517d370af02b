"""What noise costs: Gaussian differential privacy, exactly, between μ, ε and δ.

A release whose noise is `multiplier` times its L2 sensitivity is μ-GDP with μ = 1 / multiplier, and any number of them,
each allowed to depend on the ones before, is μ-GDP with μ² = Σ 1 / multiplier² (Dong, Roth & Su, "Gaussian Differential
Privacy", JRSS B 2022, corollaries 1 and 3.3). No bound is involved: only Gaussians are ever used.
"""

from __future__ import annotations

from math import exp, inf, isfinite, log, sqrt

_LEAST_MU, _MOST_MU = 1e-9, 1e3


def delta_of(epsilon: float, mu: float) -> float:
    """The least δ with which μ-GDP is (ε, δ)-DP: Φ(−ε/μ + μ/2) − e^ε Φ(−ε/μ − μ/2)."""
    if mu <= 0:
        return 0.0
    # In logarithms, as e^ε alone would not fit a float where the second Φ is next to nothing.
    from scipy.special import log_ndtr, ndtr  # here, as it would be a tenth of every start

    tail = float(log_ndtr(-epsilon / mu - mu / 2)) + epsilon
    return max(float(ndtr(-epsilon / mu + mu / 2)) - exp(min(tail, 0.0)), 0.0)


def epsilon_of(mu: float, delta: float) -> float:
    """The least ε ≥ 0 with which μ-GDP is (ε, δ)-DP."""
    _check_delta(delta)
    if mu <= 0 or delta_of(0.0, mu) <= delta:
        return 0.0
    high = mu * mu / 2 + mu * sqrt(2 * log(1 / delta)) + 1
    from scipy.optimize import brentq

    return float(brentq(lambda epsilon: delta_of(epsilon, mu) - delta, 0.0, high, xtol=1e-12, rtol=1e-12))


def mu_of(epsilon: float, delta: float) -> float:
    """The largest μ that is still (ε, δ)-DP: what a budget allows to be released."""
    _check_delta(delta)
    if not (epsilon > 0 and isfinite(epsilon)):
        raise ValueError(f"epsilon is a positive number (it is {epsilon})")
    # δ(ε) grows with μ.
    from scipy.optimize import brentq

    return float(brentq(lambda mu: delta_of(epsilon, mu) - delta, _LEAST_MU, _MOST_MU, xtol=1e-14, rtol=1e-13))


def cost_of(noise_multiplier: float) -> float:
    """μ² of one release; infinite without noise."""
    if noise_multiplier < 0:
        raise ValueError(f"a noise multiplier is not negative (it is {noise_multiplier})")
    return 1 / noise_multiplier**2 if noise_multiplier else inf


def multiplier_for(cost: float) -> float:
    """The noise multiplier of one release that costs this much μ²."""
    if not cost > 0:
        raise ValueError(f"a release costs something (it is {cost})")
    return 1 / sqrt(cost)


def _check_delta(delta: float) -> None:
    if not 0 < delta < 1:
        raise ValueError(f"delta lies between 0 and 1 (it is {delta})")
