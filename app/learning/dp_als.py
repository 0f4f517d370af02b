"""Learn a vector per product so that no shopper's presence shows: alternating least squares on noisy sums.

DP-ALS (Chien et al., "Private Alternating Least Squares", ICML 2021, arXiv 2107.09802) with weights that favour rare
items (Krichene et al., ICML 2023, arXiv 2302.07975). A step solves every person given the item vectors, adds the
people up (person_statistics.py), lets the sums out through the release door only, and solves every item from what came
out. The item vectors are all that leaves; a person's own vector is solved when it is needed, from their own data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from app.learning.person_statistics import Ridge, Statistics
from app.learning.release import Door
from app.learning.triangles import Doubles, lengthening, matrices, nearest_psd
from store.records import Floats

PART = "vectors"
ITEMS_AT_ONCE = 4096

Sums = Callable[[Floats], Iterator[tuple[slice, Statistics]]]
"""From item vectors [items, d] the sums over all people, block of items by block of items. `gram` is everybody's, so
it is the same in every block."""


@dataclass(frozen=True)
class Shares:
    """How what a training may spend on vectors (μ²) is split; the parts sum to 1."""

    people: float = 0.04
    left: float = 0.16
    right: float = 0.8


@dataclass(frozen=True)
class Recipe:
    """What the algorithm is told; chosen on generated data (docs/decisions/private-item-vectors.md)."""

    dimensions: int = 16
    steps: int = 5
    per_person: float = 1.0
    """The bound k on the sum of a person's squared weights."""
    exponent: float = 0.2
    """How much more rare items weigh: as their count to the minus this."""
    unobserved: float = 0.15
    """The weight a0 of all that was not touched."""
    regularization: float = 0.4
    noise_regularization: float = 9.0
    """What is added to an item's, in standard deviations of the noise in its left side."""
    longest: float = 0.2
    """The bound B on the length of a person's vector."""
    carried: float = 0.2
    """How much of what the steps before released counts in a step."""
    shares: Shares = field(default_factory=Shares)

    @property
    def ridge(self) -> Ridge:
        return Ridge(self.unobserved, self.regularization, self.longest)

    def multiplier(self, share: float, door: Door) -> float:
        """The noise multiplier of one step's release with such a share; 0 where the door adds no noise."""
        return door.multiplier(PART, share / self.steps)


@dataclass(frozen=True)
class Gathered:
    """All that was released so far, added up: a release counts by how much it says, its exposure over its noise.

    Item vectors change little from one step to the next once they are good, so sums around one are evidence about the
    next as well; each day's small share of the budget makes the whole better, instead of a worse one from scratch.
    """

    sums: Statistics
    weight: float
    variance: float
    """Of the noise in `sums`, in squared sensitivities of the left sides."""

    @property
    def mean(self) -> Statistics:
        sums = self.sums
        return Statistics(sums.gram / self.weight, sums.left / self.weight, sums.right / self.weight)

    @property
    def multiplier(self) -> float:
        """The noise multiplier of the left sides of `mean`."""
        return sqrt(self.variance) / self.weight

    def with_dimensions(self, dimensions: int) -> Gathered:
        """With room for more dimensions, of which nothing was released yet: nobody's vector had anything in them."""
        had = self.sums.right.shape[1]
        more = dimensions - had

        def wider(triangles: Doubles) -> Doubles:
            full = matrices(triangles)
            room = [(0, 0)] * (full.ndim - 2) + [(0, more), (0, more)]
            first, second = np.triu_indices(dimensions)
            return np.pad(full, room)[..., first, second]

        right = np.pad(self.sums.right, ((0, 0), (0, more)))
        return replace(self, sums=Statistics(wider(self.sums.gram), wider(self.sums.left), right))

    def with_items(self, items: int) -> Gathered:
        """With room for items that came since."""
        more = items - len(self.sums.right)
        left, right = (np.pad(table, ((0, more), (0, 0))) for table in (self.sums.left, self.sums.right))
        return replace(self, sums=replace(self.sums, left=left, right=right))


def gather(before: Gathered | None, kept: float, released: Statistics, exposure: float, multiplier: float) -> Gathered:
    """`before`, counting `kept` of what it did, and what was released now. Without noise the newest alone says all."""
    if before is None or multiplier == 0:
        before, kept = Gathered(Statistics(*(np.zeros(1),) * 3), 0.0, 0.0), 0.0
    says = exposure / multiplier**2 if multiplier else 1.0
    old = before.sums
    return Gathered(
        Statistics(*(kept * past + says * new for past, new in (
            (old.gram, released.gram), (old.left, released.left), (old.right, released.right),
        ))),
        kept * before.weight + says,
        kept**2 * before.variance + (says * multiplier) ** 2,
    )  # fmt: skip


@dataclass(frozen=True)
class Step:
    """One step: what it started from, what came out of the door, and what was made of all that came out so far."""

    started_from: Floats
    released: Statistics
    gathered: Gathered
    vectors: Floats


@dataclass(frozen=True)
class Behind:
    """How many people are behind the sums: for a door that hides what few are behind."""

    items: NDArray[np.integer]
    """People per item."""
    people: int


def steps(
    sums: Sums, recipe: Recipe, door: Door, start: Floats, behind: Behind, *,
    before: Gathered | None = None, kept: float = 1.0, exposure: float = 1.0,
) -> Iterator[Step]:  # fmt: skip
    """The steps of a training from the item vectors `start` [items, d]; the vectors of the last are the result.

    Spends the door's allowance for vectors, all of it. `before`: what earlier trainings released around `start`, of
    which `kept` still counts; `exposure`: how much behaviour is behind the sums now, in any unit that is always the
    same.
    """
    vectors, gathered = start, before
    for number in range(recipe.steps):
        released = release_step(sums(vectors), recipe, door, number, behind)
        multiplier = recipe.multiplier(recipe.shares.left, door)
        gathered = gather(gathered, kept if number == 0 else recipe.carried, released, exposure, multiplier)
        solved = item_vectors(gathered.mean, recipe, gathered.multiplier)
        yield Step(vectors, released, gathered, solved)
        vectors = solved


def trusted(vectors: Floats, gathered: Gathered, recipe: Recipe) -> tuple[Floats, Floats]:
    """Item vectors [items, d] as far as they can be told from noise, and how far that is for each, 0..1, [items].

    What all people have in common, the first direction of their sums, is how much an item is liked by anybody: that
    stays. What an item has beside it says who likes it; James and Stein leave 1 - d σ² / |R|² of a right side R with
    noise of σ, and as much of the vector is left. It is made of what was released, so it costs nothing.
    """
    common = np.linalg.eigh(matrices(gathered.mean.gram))[1][:, -1]

    def beside(table: Doubles) -> Doubles:
        return table - np.outer(table @ common, common)

    rights = beside(gathered.mean.right)
    sigma = gathered.multiplier * sqrt(recipe.per_person * recipe.shares.left / recipe.shares.right)
    noise = (rights.shape[1] - 1) * sigma**2
    told: Floats = np.clip(1 - noise / np.maximum((rights**2).sum(axis=1), 1e-12), 0, 1).astype(np.float32)
    kept: Floats = (vectors - (1 - told[:, None]) * beside(vectors.astype(np.float64))).astype(np.float32)
    return kept, told


def starting_vectors(items: int, dimensions: int, random: np.random.Generator) -> Floats:
    """Item vectors [items, d] to start from when nothing is known."""
    return random.normal(0, 1 / sqrt(dimensions), (items, dimensions)).astype(np.float32)


def release_step(
    blocks: Iterator[tuple[slice, Statistics]], recipe: Recipe, door: Door, step: int, behind: Behind
) -> Statistics:
    """The sums as they may be known: three releases, each bounded for one person over all its blocks."""
    shares, lengthen, root = recipe.shares, lengthening(recipe.dimensions), sqrt(recipe.per_person)
    gram = None
    left = np.empty((len(behind.items), len(lengthen)))
    right = np.empty((len(behind.items), recipe.dimensions))
    for number, (block, exact) in enumerate(blocks):
        if gram is None:
            gram = door.release(
                exact.gram * lengthen, name=f"{PART}.people", sensitivity=1.0, step=step,
                subjects=np.array(behind.people),
                noise_multiplier=recipe.multiplier(shares.people, door),
            )  # fmt: skip
        left[block] = door.release(
            exact.left * lengthen, name=f"{PART}.left", sensitivity=root, step=step, block=number,
            subjects=behind.items[block], noise_multiplier=recipe.multiplier(shares.left, door),
        )  # fmt: skip
        right[block] = door.release(
            exact.right, name=f"{PART}.right", sensitivity=root, step=step, block=number,
            subjects=behind.items[block], noise_multiplier=recipe.multiplier(shares.right, door),
        )  # fmt: skip
    if gram is None:
        raise ValueError("item vectors: there are no items to learn from")
    return Statistics(gram / lengthen, left / lengthen, right)


def item_vectors(released: Statistics, recipe: Recipe, multiplier: float) -> Floats:
    """v_i = (L_i + a0 G + r I)^-1 R_i, with G and L_i cut to what sums of squares can be, and r growing with the noise.

    `multiplier` is that of the left sides' noise.
    """
    square = recipe.longest**2
    noise = multiplier * sqrt(recipe.per_person) * square
    shared = nearest_psd(matrices(released.gram)) * (recipe.unobserved * square)
    shared += (recipe.regularization + recipe.noise_regularization * noise) * np.eye(recipe.dimensions)
    vectors = np.empty(released.right.shape, np.float32)
    for first in range(0, len(vectors), ITEMS_AT_ONCE):
        block = slice(first, first + ITEMS_AT_ONCE)
        systems = nearest_psd(matrices(released.left[block])) * square + shared
        right = released.right[block] * recipe.longest
        vectors[block] = np.linalg.solve(systems, right[:, :, None])[:, :, 0]
    return vectors
