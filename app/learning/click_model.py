"""What a click says about blend weights, free of where things stood: sums over people, and the weights they lead to.

Of a list that was clicked, the chance that the click fell on place i is taken to be

    exp(u · f_i + e · p_i) / Σ_j exp(u · f_j + e · p_j)

f_i: what the scorers said of the item there; p_i: how far down it stood, as the logarithm of the place and as the place
itself, so that attention may fall like a power or like a chance of looking on. That is the position-based click model
(Craswell et al., WSDM 2008; as propensities: Joachims, Swaminathan & Schnabel, WSDM 2017) in a conditional logit
(McFadden 1974): who clicks much and which lists are good cancels out, and what is learned of u is free of what
attention explains. Only clicks that were made count, so nothing is concluded from what nobody looked at.

A person is one row: that they are there, and their clicks' mean gradient and curvature of the logarithm of that chance,
no longer than LONGEST. The sums of these rows are all that is needed; they add up over people, and with noise they stay
sums: linear regression by perturbed sums (Wang, "Revisiting differentially private linear regression", UAI 2018), its
shrinkage by empirical Bayes. u is τ times the configured weights and what the free ones differ from that; every
difference has to be earned against a prior of no difference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log

import numpy as np

from app.learning.triangles import Doubles, lengthening, matrices, nearest_psd
from app.serving.shown_lists import FULL, MOST_PLACES
from store.records import ShownList

LONGEST = 1.0
"""A person's row over all placements, at most."""
LIGHT = 0.4
"""Of that, what says that there is somebody, in all placements together: it is told less exactly than what they say."""
SAYING = (LONGEST**2 - LIGHT**2) ** 0.5
FALL = 2
"""Columns for how far down something stood."""
STEPS = 2.0**20
"""Rows lie on a grid, rounded towards zero: sums over people are exact in any order, and no row gets longer."""
SCALE, ATTENTION = 1.0, (1.4, 0.75)
"""Where learning starts: scores count as configured, and the tenth place is looked at a sixth as often as the first."""
SCALE_SPREAD, ATTENTION_SPREAD = 1.0, 1.0
LEAST_SCALE, SURE_SCALE = 0.1, 0.5
"""Where clicks follow the scores less than the former part of what is expected, a difference to them has no measure;
less than the latter, they may be the wrong scores: differences are expected as large as with that."""
_AT_ONCE = 5_000


@dataclass(frozen=True)
class Blend:
    """One placement's weights, to be learned: `base` as configured, of the `scorers`, `free` where they may change."""

    placement: str
    scorers: tuple[str, ...]
    base: Doubles
    free: np.ndarray[tuple[int], np.dtype[np.bool_]]

    @property
    def width(self) -> int:
        return len(self.scorers) + FALL

    @property
    def length(self) -> int:
        """Numbers in a row."""
        return 1 + self.width + self.width * (self.width + 1) // 2

    @property
    def start(self) -> Doubles:
        """The parameters nothing is known with: scale, differences of the free scorers, attention."""
        return np.concatenate([[SCALE], np.zeros(int(self.free.sum())), ATTENTION])

    @property
    def spreads(self) -> tuple[float, float]:
        return SCALE_SPREAD, ATTENTION_SPREAD

    def directions(self, free: bool = True) -> Doubles:
        """From parameters to coefficients [width, parameters]; not `free`: of scale and attention alone."""
        count = len(self.scorers)
        columns = [np.concatenate([self.base, np.zeros(FALL)])[:, None]]
        if free:
            columns.append(np.eye(self.width)[:, np.flatnonzero(self.free)])
        columns.append(np.eye(self.width)[:, count:])
        return np.concatenate(columns, axis=1)

    def point(self, parameters: Doubles) -> Doubles:
        """The coefficients [width] of parameters."""
        return self.directions() @ parameters


def rows_of(lists: Sequence[ShownList], blend: Blend, at: Doubles) -> Doubles:
    """A row [1, gradient, curvature] per clicked list, at the coefficients `at`, [lists, blend.length]."""
    return np.concatenate(
        [_rows(lists[start : start + _AT_ONCE], blend, at) for start in range(0, len(lists), _AT_ONCE)]
        or [np.zeros((0, blend.length))]
    )


def _rows(lists: Sequence[ShownList], blend: Blend, at: Doubles) -> Doubles:
    features, there, clicked = _laid_out(lists, blend.scorers)
    worth = np.where(there, features @ at, -np.inf)
    worth -= worth.max(axis=1, keepdims=True)
    chance = np.exp(worth)
    chance /= chance.sum(axis=1, keepdims=True)
    expected = np.einsum("np,npd->nd", chance, features)
    gradient = features[np.arange(len(lists)), clicked] - expected
    curvature = np.einsum("np,npd,npe->nde", chance, features, features, optimize=True)
    curvature -= expected[:, :, None] * expected[:, None, :]
    first, second = np.triu_indices(blend.width)
    triangle = curvature[:, first, second] * lengthening(blend.width)
    return np.column_stack([np.ones(len(lists)), gradient, triangle])


def _laid_out(
    lists: Sequence[ShownList], scorers: Sequence[str]
) -> tuple[Doubles, np.ndarray[tuple[int, ...], np.dtype[np.bool_]], np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """Features [lists, places, width], which places there are, and the one clicked."""
    features = np.zeros((len(lists), MOST_PLACES, len(scorers) + FALL))
    there = np.zeros((len(lists), MOST_PLACES), np.bool_)
    place = np.arange(MOST_PLACES)
    features[:, :, len(scorers)] = -np.log1p(place) / log(16)
    features[:, :, len(scorers) + 1] = -place / 15
    column = {scorer: number for number, scorer in enumerate(scorers)}
    for number, shown in enumerate(lists):
        for scorer, said in shown.scores.items():
            there[number, : len(said)] = True
            if scorer in column:
                features[number, : len(said), column[scorer]] = np.frombuffer(said, np.int8)[:MOST_PLACES] / FULL
    return features, there, np.array([shown.clicked for shown in lists], np.int64)


def of_person(rows: Mapping[str, Doubles], blends: Sequence[Blend]) -> Doubles:
    """One person's row over all placements, from the rows of their clicks, placement -> [clicks, length]."""
    share = SAYING / np.sqrt(max(len(rows), 1))
    one = LIGHT / np.sqrt(max(len(blends), 1))
    parts = []
    for blend in blends:
        mine = rows.get(blend.placement)
        if mine is None or not len(mine):
            parts.append(np.zeros(blend.length))
            continue
        mean = mine.mean(axis=0)
        said = mean[1:] * share * min(1.0, 1 / max(float(np.linalg.norm(mean[1:])), 1e-12))
        parts.append(np.concatenate([[one], said]))
    row: Doubles = np.trunc(np.concatenate(parts) * STEPS) / STEPS
    return row


@dataclass(frozen=True)
class Sums:
    """Rows of many people in one placement, added up at the coefficients `at`, each number with noise of `error`."""

    people: float
    people_error: float
    gradient: Doubles
    curvature: Doubles
    at: Doubles
    error: float = 0.0

    @classmethod
    def read(cls, summed: Doubles, blend: Blend, placements: int, at: Doubles, error: float = 0.0) -> Sums:
        """Out of the sums over all `placements`, those of one."""
        width, one = blend.width, float(LIGHT / np.sqrt(placements))
        triangle = summed[1 + width :] / lengthening(width)
        return cls(float(summed[0]) / one, error / one, summed[1 : 1 + width], matrices(triangle), at, error)

    def gain(self, one: Doubles, other: Doubles) -> tuple[float, float]:
        """By how much the clicks were likelier, in all, with the coefficients `one` than with `other`, and the
        standard error of that."""
        near, far = one - self.at, other - self.at
        gained = float(self.gradient @ (near - far) - (near @ self.curvature @ near - far @ self.curvature @ far) / 2)
        squares = float((((np.outer(near, near) - np.outer(far, far)) / 2) ** 2).sum())
        noise = self.error**2 * (float((near - far) @ (near - far)) + squares)
        chance = float((near - far) @ nearest_psd(self.curvature) @ (near - far))
        return gained, float(np.sqrt(noise + chance))


def fitted(sums: Sums, blend: Blend, before: Doubles, spread: float, *, free: bool = True) -> Doubles:
    """The parameters after these sums, which were taken at the parameters `before`. Not `free`: with the configured
    weights' own scale and attention, and no difference."""
    width = len(blend.start)
    kept = np.ones(width, np.bool_) if free else np.isin(np.arange(width), [0, width - 2, width - 1])
    directions = blend.directions()[:, kept]
    variance = np.full(width, (spread * _scale(sums, blend, before, spread)) ** 2 if free else spread**2)
    variance[0], variance[-FALL:] = blend.spreads[0] ** 2, blend.spreads[1] ** 2
    prior = np.diag(1 / variance[kept])
    gradient = directions.T @ sums.gradient
    curvature = directions.T @ nearest_psd(sums.curvature) @ directions
    if sums.error:
        # The gradient varies by what people do and by the noise; what it says counts as far as it is the former.
        doubt = curvature + sums.error**2 * directions.T @ directions
        told = np.linalg.solve(doubt + 1e-12 * np.eye(len(doubt)), np.column_stack([gradient, curvature]))
        gradient, curvature = curvature @ told[:, 0], curvature @ told[:, 1:]
    moved = np.linalg.solve(curvature + prior, gradient + prior @ (blend.start - before)[kept])
    parameters = np.where(kept, before, 0.0)
    parameters[kept] += moved
    return parameters


def _scale(sums: Sums, blend: Blend, before: Doubles, spread: float) -> float:
    """How strongly clicks follow the scores, as far as is known: a difference of weights shows in them that much."""
    known = before if not np.array_equal(before, blend.start) else fitted(sums, blend, before, spread, free=False)
    return max(float(known[0]), SURE_SCALE)


def weights_of(parameters: Doubles, blend: Blend, within: float) -> Doubles | None:
    """The weights [scorers] that parameters mean, each within its range; None where they have no measure."""
    if parameters[0] < LEAST_SCALE:
        return None
    weights = blend.base.copy()
    weights[blend.free] += parameters[1:-FALL] / parameters[0]
    low, high = blend.base / within, blend.base * within
    return np.clip(weights, np.minimum(low, high), np.maximum(low, high))


def with_weights(parameters: Doubles, weights: Doubles, blend: Blend) -> Doubles:
    """The same scale and attention with these weights."""
    made = parameters.copy()
    made[1:-FALL] = (weights - blend.base)[blend.free] * parameters[0]
    return made
