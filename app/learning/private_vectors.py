"""Item vectors under `dp` and `threshold`: what everyone put in is released in sums, vectors are solved from the sums.

The first training takes the whole number of steps, from directions drawn at random; every later one goes on from what
is remembered with a single step, and its sums are added to those released before (dp_als.Gathered).
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from app.learning.audit import audit
from app.learning.bounding import wants
from app.learning.contributions import contributions
from app.learning.counted import people_in
from app.learning.dp_als import Behind, Gathered, Recipe, starting_vectors, steps, trusted
from app.learning.engine import sums_over
from app.learning.indexed import index
from app.learning.memory import Memory
from app.learning.person_statistics import Statistics
from app.learning.release import Door
from store.records import Floats

if TYPE_CHECKING:
    from app.learning.train import Draft

DAY = 86_400.0
VECTORS = "vectors.item"
RELEASES = ("vectors.people", "vectors.left", "vectors.right")
RECIPE = Recipe()
FEW_PEOPLE, DIMENSIONS_OF_FEW = 10_000, 8
"""So few people, by what was released, fill fewer dimensions with more than noise."""


def release_vectors(draft: Draft, door: Door, memory: Memory) -> None:
    """Release what this run may of the sums, and remember the vectors that all sums so far give."""
    options = draft.config.training
    table = _wanted(draft)
    popular = draft.arrays.get("popularity", np.zeros(table.shape[1], np.float32))
    people = contributions(table, popular, exponent=RECIPE.exponent, per_person=RECIPE.per_person)
    before = remembered(memory, table.shape[1])
    if before is not None:
        before = grown(*before, recipe_for(people_in(memory)[0]).dimensions, _seeded())
    recipe = (
        recipe_for(people_in(memory)[0]) if before is None else replace(RECIPE, steps=1, dimensions=before[0].shape[1])
    )
    start = before[0] if before else _random(table.shape[1], recipe.dimensions)
    kept = 0.5 ** ((draft.now - float(memory.arrays["vectors.at"])) / (options.half_life_days * DAY)) if before else 1.0
    sums = sums_over(
        people, recipe, draft.engine, shard_people=options.shard_people, statistics_bytes=options.statistics_mb << 20
    )
    behind = Behind(np.bincount(table.indices, minlength=table.shape[1]), int((np.diff(table.indptr) > 0).sum()))
    gathered, vectors = before[1] if before else None, start
    for step in steps(sums, recipe, door, start, behind, before=gathered, kept=kept, exposure=_days(draft)):
        gathered, vectors = step.gathered, step.vectors
    assert gathered is not None
    remember(memory, vectors, gathered, draft.now)
    for name in RELEASES:
        memory.note_run(name, door.run.id)
    if door.mode == "dp":
        draft.card["audit"] = msgspec.to_builtins(audit(draft.config.privacy, within=draft.folder))


def recipe_for(people: float) -> Recipe:
    """What the first training of a shop with about so many people takes; later ones keep its dimensions or get more."""
    return replace(RECIPE, dimensions=DIMENSIONS_OF_FEW) if people < FEW_PEOPLE else RECIPE


def grown(vectors: Floats, gathered: Gathered, dimensions: int, random: np.random.Generator) -> tuple[Floats, Gathered]:
    """With as many dimensions as so many people can fill, once there are more of them; never fewer.

    What was released stays, and says nothing of the new dimensions yet. They begin as every dimension did, with
    directions drawn at random, as long as the others are: from nothing nothing would ever grow. A release costs what it
    did, for the bounds on a person's part are on the length of vectors, whatever their dimensions.
    """
    more = dimensions - vectors.shape[1]
    if more <= 0:
        return vectors, gathered
    usual = float(np.sqrt((vectors[np.any(vectors != 0, axis=1)] ** 2).mean())) if vectors.any() else 0.0
    drawn = random.normal(0, usual, (len(vectors), more)).astype(np.float32)
    return np.concatenate([vectors, drawn], axis=1), gathered.with_dimensions(dimensions)


def vectors_of(draft: Draft, memory: Memory) -> None:
    """The artefacts made of the vectors that are remembered."""
    before = remembered(memory, draft.catalogue.size)
    if before is None:
        return
    vectors, gathered = before
    vectors, told = trusted(vectors, gathered, RECIPE)
    popular = draft.arrays.get("popularity")
    if popular is not None:  # what hardly anybody wanted has a direction of noise: it is found by its content instead
        vectors = np.where(popular[:, None] > 0, vectors, np.float32(0))
    draft.arrays["item_vectors"] = vectors
    draft.card["als"] = {
        "objective": "private",
        "dimensions": vectors.shape[1],
        "regularization": RECIPE.regularization,
        "unobserved_weight": RECIPE.unobserved,
        "catalogue": len(vectors),
        "noise_multiplier": round(gathered.multiplier, 4),
        "trust": round(float(np.average(told, weights=popular)) if popular is not None and popular.any() else 1.0, 4),
    }
    index(draft, "taste", vectors, np.flatnonzero(np.any(vectors != 0, axis=1)))


def remembered(memory: Memory, items: int) -> tuple[Floats, Gathered] | None:
    """The vectors made so far and the sums behind them, with room for `items`; None before the first."""
    vectors = memory.arrays.get(VECTORS)
    if vectors is None:
        return None
    sums = Statistics(*(memory.arrays[name].astype(np.float64) for name in RELEASES))
    weight, variance = memory.arrays["vectors.weight"].tolist()
    gathered = Gathered(sums, weight, variance).with_items(items)
    return np.pad(vectors, ((0, items - len(vectors)), (0, 0))), gathered


def remember(memory: Memory, vectors: Floats, gathered: Gathered, now: float) -> None:
    """Keep the vectors and the sums behind them for the next training."""
    sums: tuple[NDArray[np.float64], ...] = (gathered.sums.gram, gathered.sums.left, gathered.sums.right)
    memory.arrays |= {name: table.astype(np.float32) for name, table in zip(RELEASES, sums, strict=True)}
    memory.arrays |= {
        VECTORS: vectors,
        "vectors.weight": np.array([gathered.weight, gathered.variance]),
        "vectors.at": np.array(now),
    }


def _wanted(draft: Draft) -> csr_matrix:
    """How much each person wanted each item, 0..1, [people, items]."""
    found = wants(draft.dataset, draft.config.training.max_items_per_person)
    shape = (draft.dataset.people, draft.catalogue.size)
    return csr_matrix((found.value, (found.person, found.item)), shape=shape)


def _days(draft: Draft) -> float:
    """Days of behaviour behind the sums, a window's at most."""
    window = draft.config.privacy.window_days
    return min(max((draft.now - draft.since) / DAY, 1.0), window) if draft.since else window


def _random(items: int, dimensions: int) -> Floats:
    return starting_vectors(items, dimensions, _seeded())


def _seeded() -> np.random.Generator:
    return np.random.default_rng(secrets.randbits(64))
