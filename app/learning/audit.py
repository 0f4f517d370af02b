"""Does the release door keep what it promises? Measured by people made up to be seen, who are looked for afterwards.

A white-box audit of the production code: every canary has items of its own and a vector cut to the bound, so that it
contributes as much as one person may; a coin decides who takes part. Whoever knows everything but the coins (all item
vectors on the way, all that was released, each canary's data) scores how likely each took part, by the logarithm of the
likelihood ratio over all numbers the canary can have moved. Under Gaussian noise both groups' scores are Gaussian, and
how far they lie apart bounds μ from below, and with it ε (Nasr et al., USENIX Security 2023, "Tight Auditing of
Differentially Private Machine Learning", section 4). A bound above what the ledger claims proves a leak; one far below
says that the audit saw too little to prove anything. It spends the budget of a folder of its own that is thrown away.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from math import sqrt
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import msgspec
import numpy as np
from scipy.sparse import csr_matrix
from scipy.stats import norm

from app.config import Config
from app.config.sections import PrivacyOptions
from app.learning.accounting import epsilon_of, mu_of
from app.learning.contributions import Contributions, contributions
from app.learning.dp_als import PART, Behind, Recipe, Shares, Sums, starting_vectors, steps
from app.learning.engine import sums_over
from app.learning.person_statistics import Statistics
from app.learning.release import Door, open_door
from app.learning.triangles import Doubles, lengthening
from plugins.engine import InProcess
from store.records import Mask

CANARIES = 2_000
ITEMS_OF_A_CANARY = 2
CONFIDENCE = 0.95
TELLING = 3.0
"""From this ε on an audit has to see at least half of what is claimed; below, noise hides too much from 2,000."""

RECIPE = replace(
    Recipe(), dimensions=8, unobserved=1e-6, regularization=1e-4, noise_regularization=10.0, carried=0.0,
    shares=Shares(people=0.2, left=0.4, right=0.4),
)  # fmt: skip
"""The production algorithm told to make vectors so long that every canary's is cut to the bound."""


class AuditResult(msgspec.Struct, frozen=True):
    """What an audit found, as model cards carry it."""

    release: str
    claimed: float
    """ε, at `delta`."""
    delta: float
    at_least: float
    """The ε that was proved to be spent, with `confidence`."""
    canaries: int
    confidence: float = CONFIDENCE
    bounding: bool = False
    """Asked of people who did more than counts: it shows that no more of them does, not how much is spent."""

    @property
    def leaks(self) -> bool:
        return self.at_least > self.claimed

    @property
    def blind(self) -> bool:
        return not self.bounding and self.claimed >= TELLING and self.at_least < self.claimed / 2

    @property
    def verdict(self) -> str:
        """A sentence for people; empty when all is well."""
        if self.leaks:
            return f"{self.release}: at least ε = {self.at_least:.2f} is spent where {self.claimed:g} is claimed"
        if self.blind:
            return f"{self.release}: the audit sees ε = {self.at_least:.2f} of {self.claimed:g} only; it proves nothing"
        return ""


def audit(privacy: PrivacyOptions, canaries: int = CANARIES, within: Path | None = None) -> AuditResult:
    """What the release of item vectors spends at least, under these options. A bound that chance lifted above the claim
    (once in a hundred audits) is not there when four times as many are asked again; a leak is.

    `within`: the folder for the ledger that is thrown away, the system's own where None.
    """
    found = audit_vectors(privacy, canaries, within)
    return audit_vectors(privacy, 4 * canaries, within) if found.verdict else found


def audit_vectors(privacy: PrivacyOptions, canaries: int, within: Path | None = None) -> AuditResult:
    """Audit private item vectors: the clipping, the weights, the noise and the debits of a whole training."""
    with scratch_door(privacy, PART, within) as door:
        joined = coins(canaries)
        everybody = canaries_of(canaries)
        present = Contributions(*(_rows_where(table, joined) for table in (everybody.weights, everybody.values)))
        sums = _sums(present)
        would_be = _sums(everybody)
        scores = np.zeros(canaries)
        squares = np.zeros(canaries)
        behind = Behind(np.full(everybody.items, canaries, np.int32), canaries)
        start = starting_vectors(everybody.items, RECIPE.dimensions, np.random.default_rng(secrets.randbits(64)))
        for step in steps(sums, RECIPE, door, start, behind):
            ((_, expected),) = would_be(step.started_from)
            for seen, signal, share in _views(step.released, expected):
                variance = (RECIPE.multiplier(share, door) ** 2) * RECIPE.per_person
                scores += _per_canary(seen * signal, canaries) / variance
                squares += _per_canary(signal * signal, canaries) / variance
    return result_of("item vectors", privacy, scores, squares, joined)


class Membership(NamedTuple):
    """How often somebody who took part is found by the published vectors alone, where `false` of the others are too."""

    found: float
    false: float
    at_most: float
    """What no attack can pass, by the promise: the trade-off curve of its μ (Dong, Roth & Su, 2022)."""


def membership(privacy: PrivacyOptions, canaries: int = 20_000, false: float = 1e-3) -> Membership:
    """Attack the final item vectors as an outsider can: a canary's items were moved alike if it took part. Those who
    did not are the shadows on which the threshold is set."""
    with scratch_door(privacy, PART) as door:
        joined = coins(canaries)
        everybody = canaries_of(canaries)
        present = Contributions(*(_rows_where(table, joined) for table in (everybody.weights, everybody.values)))
        behind = Behind(np.full(everybody.items, canaries, np.int32), canaries)
        start = starting_vectors(everybody.items, RECIPE.dimensions, np.random.default_rng(secrets.randbits(64)))
        *_, last = steps(_sums(present), RECIPE, door, start, behind)
    own = last.vectors.reshape(canaries, ITEMS_OF_A_CANARY, -1)
    scores = np.einsum("nd,nd->n", own[:, 0], own[:, 1])
    threshold = np.quantile(scores[~joined], 1 - false)
    promised = float(norm.cdf(norm.ppf(false) + mu_of(privacy.epsilon, privacy.delta)))
    return Membership(float((scores[joined] > threshold).mean()), false, promised)


def result_of(release: str, privacy: PrivacyOptions, scores: Doubles, squares: Doubles, joined: Mask) -> AuditResult:
    """The bound that scores prove. `squares` are the squared lengths of what each canary moves, in units of the noise:
    divided by their roots all scores have a deviation of 1 if the noise is what it is said to be."""
    scores = scores / np.sqrt(np.maximum(squares, 1e-12))
    apart = lower_bound_of_mu(scores[joined], scores[~joined])
    return AuditResult(release, privacy.epsilon, privacy.delta, epsilon_of(apart, privacy.delta), len(scores))


def lower_bound_of_mu(inside: Doubles, outside: Doubles) -> float:
    """What Gaussians fitted to both groups' scores lie apart in units of their deviation, less what chance may add."""
    count = len(inside) + len(outside)
    deviation = sqrt((inside.var(ddof=1) * len(inside) + outside.var(ddof=1) * len(outside)) / count)
    apart = float(inside.mean() - outside.mean()) / deviation
    error = sqrt(1 / len(inside) + 1 / len(outside) + apart**2 / (2 * count))
    return max(apart - float(norm.ppf(CONFIDENCE)) * error, 0.0)


def coins(count: int) -> Mask:
    """Who takes part; nothing an audit's reader could redraw."""
    return np.frombuffer(secrets.token_bytes(count), np.uint8) < 128


def canaries_of(count: int) -> Contributions:
    """Each with its own items, bounded as everybody is."""
    items = np.arange(count * ITEMS_OF_A_CANARY)
    table = csr_matrix((np.ones(len(items)), (items // ITEMS_OF_A_CANARY, items)), shape=(count, len(items)))
    return contributions(table, np.ones(len(items)), exponent=RECIPE.exponent, per_person=RECIPE.per_person)


@contextmanager
def scratch_door(privacy: PrivacyOptions, part: str, within: Path | None = None) -> Iterator[Door]:
    """A door whose whole budget is one part's, with a ledger of its own that is thrown away."""
    whole = msgspec.structs.replace(privacy, learned="dp", shares={part: 1.0}, first_share=1.0)
    config = msgspec.structs.replace(Config(), privacy=whole)
    with (
        TemporaryDirectory(prefix="personalize-audit-", dir=within) as folder,
        open_door(Path(folder), config, 0.0) as door,
    ):
        yield door


def _sums(people: Contributions) -> Sums:
    return sums_over(people, RECIPE, InProcess(), shard_people=1 << 20, statistics_bytes=1 << 40)


def _views(released: Statistics, expected: Statistics) -> Iterator[tuple[Doubles, Doubles, float]]:
    """What was released, what the canaries move in it if all are there, and its share of the budget."""
    long = lengthening(RECIPE.dimensions)
    yield released.left * long, expected.left * long, RECIPE.shares.left
    yield released.right, expected.right, RECIPE.shares.right


def _per_canary(numbers: Doubles, canaries: int) -> Doubles:
    summed: Doubles = numbers.reshape(canaries, -1).sum(axis=1)
    return summed


def _rows_where(table: csr_matrix, kept: Mask) -> csr_matrix:
    return table[np.flatnonzero(kept)]
