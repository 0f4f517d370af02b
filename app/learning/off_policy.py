"""What another way of choosing would have earned, estimated from choices that were logged with their probabilities.

Pure functions over columns, one row per slot shown: `reward` what it earned (a click is 1), `logged` the probability
with which the serving policy chose what it showed, `wanted` the probability with which the other policy would have
chosen that same item. Definitions as in Open Bandit Pipeline (Saito et al., arXiv 2008.07146).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Column = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A value per slot shown, its standard error, and of how many rows it is really made."""

    value: float
    error: float
    rows: float
    """Effective number of rows, (Σw)² / Σw²: few rows that count a lot are few rows."""


def replay(reward: ArrayLike, wanted: ArrayLike) -> Estimate:
    """The mean of the rows on which both policies agree (Li et al., WSDM 2011); right where the log is uniform.

    Raises ValueError when they never agree.
    """
    rewards, agreed = _columns(reward, wanted)
    total = agreed.sum()
    if not total:
        raise ValueError("wanted: the policies never agree; nothing can be replayed")
    value = float(agreed @ rewards / total)
    error = float(np.sqrt(agreed**2 @ (rewards - value) ** 2) / total)
    return Estimate(value, error, _effective(agreed))


def inverse_propensity(reward: ArrayLike, logged: ArrayLike, wanted: ArrayLike, *, most: float = np.inf) -> Estimate:
    """IPS: every reward weighted by wanted / logged, at most `most`. Unbiased where every item could be shown."""
    rewards, weights = _weighted(reward, logged, wanted, most)
    return _mean(rewards * weights, weights)


def self_normalized(reward: ArrayLike, logged: ArrayLike, wanted: ArrayLike, *, most: float = np.inf) -> Estimate:
    """SNIPS: IPS divided by the mean weight; a little biased, far steadier (Swaminathan & Joachims, 2015)."""
    rewards, weights = _weighted(reward, logged, wanted, most)
    mean = weights.mean()
    if not mean:
        raise ValueError("wanted: the other policy would have shown nothing of what was logged")
    weights = weights / mean
    value = float((rewards * weights).mean())
    error = float(np.sqrt(((weights * (rewards - value)) ** 2).mean() / len(rewards)))
    return Estimate(value, error, _effective(weights))


def direct(expected: ArrayLike) -> Estimate:
    """DM: the mean of what a reward model expects of the other policy in every row; as good as that model."""
    (values,) = _columns(expected)
    return _mean(values, np.ones_like(values))


def doubly_robust(
    reward: ArrayLike, logged: ArrayLike, wanted: ArrayLike, modelled: ArrayLike, expected: ArrayLike,
    *, most: float = np.inf,
) -> Estimate:  # fmt: skip
    """DR (Dudík et al., 2011): the model's expectation, mended by IPS of what it got wrong.

    `modelled` is what the reward model expected of the row's own item, `expected` of what the other policy would have
    shown. Right if either the propensities or the model are.
    """
    rewards, weights = _weighted(reward, logged, wanted, most)
    guessed, hoped = _columns(modelled, expected)
    if len(guessed) != len(rewards):
        raise ValueError(f"modelled: {len(guessed)} rows for {len(rewards)} rewards")
    return _mean(hoped + weights * (rewards - guessed), weights)


def _weighted(reward: ArrayLike, logged: ArrayLike, wanted: ArrayLike, most: float) -> tuple[Column, Column]:
    rewards, shown, other = _columns(reward, logged, wanted)
    if (shown <= 0).any():
        raise ValueError("logged: a probability of 0 for what was shown; a log without propensities cannot be weighted")
    return rewards, np.minimum(other / shown, most)


def _columns(*columns: ArrayLike) -> tuple[Column, ...]:
    """As floats of one length. Raises ValueError for none, several lengths, or what is no number."""
    made = tuple(np.asarray(column, dtype=np.float64).ravel() for column in columns)
    if not len(made[0]):
        raise ValueError("reward: empty; nothing was logged")
    if len({len(column) for column in made}) > 1:
        raise ValueError(f"columns of different lengths: {', '.join(str(len(column)) for column in made)}")
    if not all(np.isfinite(column).all() for column in made):
        raise ValueError("columns: nan or infinity among them")
    return made


def _mean(values: Column, weights: Column) -> Estimate:
    error = float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")
    return Estimate(float(values.mean()), error, _effective(weights))


def _effective(weights: Column) -> float:
    squares = float(weights @ weights)
    return float(weights.sum()) ** 2 / squares if squares else 0.0
