"""Private item vectors: one person moves each sum by no more than is claimed, and without noise it is weighted ALS."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from math import sqrt
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix, random_array

from app.config import parse_config
from app.learning import contributions as bounds
from app.learning.contributions import Contributions, contributions
from app.learning.dp_als import (
    PART,
    Behind,
    Gathered,
    Recipe,
    item_vectors,
    release_step,
    starting_vectors,
    steps,
    trusted,
)
from app.learning.engine import sums_over
from app.learning.person_statistics import Ridge, Statistics, clipped, on_grid, solved, statistics
from app.learning.release import BudgetSpent, Door, open_door
from app.learning.triangles import Doubles, lengthening, matrices, nearest_psd, outer_triangles
from plugins.engine import InProcess
from store.budget import read_budget

NOW = 1_700_000_000.0
RIDGE = Ridge(unobserved=0.1, regularization=0.05, longest=0.4)


@contextmanager
def door_of(folder: Path, learned: str = "dp", **privacy: object) -> Iterator[Door]:
    config = parse_config({"privacy": {"learned": learned, "shares": {PART: 1.0}, **privacy}})
    with open_door(folder, config, NOW) as door:
        yield door


def shop(people: int, items: int, density: float, seed: int) -> csr_matrix:
    random = np.random.default_rng(seed)
    table = csr_matrix(random_array((people, items), density=density, rng=random))
    table.data = random.uniform(-1, 3, table.nnz)
    return table


def bounded(table: csr_matrix, seed: int = 0, per_person: float = 4.0, exponent: float = 0.3) -> Contributions:
    counts = np.random.default_rng(seed).normal(5, 10, table.shape[1])
    return contributions(table, counts, per_person=per_person, exponent=exponent)


def vectors_of(items: int, dimensions: int, seed: int) -> np.ndarray:
    return starting_vectors(items, dimensions, np.random.default_rng(seed))


def everything(people: Contributions, vectors: np.ndarray, ridge: Ridge = RIDGE) -> Statistics:
    return statistics(people, vectors, ridge, slice(0, people.items))


def behind(items: int, people: int) -> Behind:
    return Behind(np.full(items, people, np.int32), people)


def length(numbers: Doubles) -> float:
    return float(np.linalg.norm(numbers))


@settings(max_examples=40)
@given(
    seed=st.integers(0, 10_000), density=st.sampled_from([0.02, 0.3, 1.0]), d=st.integers(1, 6),
    k=st.sampled_from([0.5, 1.0, 7.3]), who=st.integers(0, 19), longest=st.sampled_from([0.01, 0.4, 5.0]),
)  # fmt: skip
def test_one_person_moves_no_statistic_by_more_than_its_sensitivity(
    seed: int, density: float, d: int, k: float, who: int, longest: float
) -> None:
    people = bounded(shop(20, 15, density, seed), seed, per_person=k)
    vectors, ridge = vectors_of(15, d, seed), replace(RIDGE, longest=longest)
    others = np.delete(np.arange(20), who)
    without = Contributions(people.weights[others], people.values[others])
    all_of_them, fewer = everything(people, vectors, ridge), everything(without, vectors, ridge)
    long = lengthening(d)
    assert length((all_of_them.gram - fewer.gram) * long) <= 1.0
    assert length((all_of_them.left - fewer.left) * long) <= sqrt(k)
    assert length(all_of_them.right - fewer.right) <= sqrt(k)


def test_the_bounds_are_reached_so_the_noise_is_not_for_nothing() -> None:
    people = bounded(csr_matrix(np.ones((1, 12))), per_person=9.0, exponent=0.0)
    one = everything(people, vectors_of(12, 4, 1), replace(RIDGE, longest=1e-3))
    assert length(one.gram * lengthening(4)) == pytest.approx(1, rel=5e-3)
    assert length(one.left * lengthening(4)) == pytest.approx(3, rel=5e-3)
    assert length(one.right) == pytest.approx(3, rel=5e-3)


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000), k=st.floats(0.1, 50), exponent=st.floats(0, 1))
def test_weights_are_bounded_per_person_and_values_lie_between_0_and_1(seed: int, k: float, exponent: float) -> None:
    people = bounded(shop(30, 20, 0.3, seed), seed, per_person=k, exponent=exponent)
    squares = people.weights.multiply(people.weights).sum(axis=1).A1
    assert (squares <= k).all()
    assert people.values.data.min(initial=0) >= 0
    assert people.values.data.max(initial=0) <= 1


def test_rare_items_weigh_more_and_everybody_as_much() -> None:
    table = csr_matrix(np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0]]))
    people = contributions(table, np.array([1000.0, 10.0, -3.0]), per_person=4.0, exponent=0.5)
    common, rare, unknown = people.weights[[1]].toarray()[0]
    assert common < rare < unknown
    assert rare / common == pytest.approx(10, rel=0.05)
    squares = people.weights.multiply(people.weights).sum(axis=1).A1
    assert squares == pytest.approx([4, 4], rel=0.02)


def test_contributions_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        contributions(csr_matrix(np.array([[np.nan, 1.0]])), np.ones(2), per_person=1.0, exponent=0.5)


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000), cut=st.integers(1, 39), block=st.integers(4, 15), shard=st.integers(9, 41))
def test_any_cut_into_shards_and_blocks_gives_the_same_bits(seed: int, cut: int, block: int, shard: int) -> None:
    people, vectors = bounded(shop(40, 15, 0.3, seed), seed), vectors_of(15, 5, seed)
    recipe = Recipe(dimensions=5, longest=0.4, unobserved=0.1, regularization=0.05)
    whole = everything(people, vectors, recipe.ridge)
    sums = sums_over(people, recipe, InProcess(), shard_people=shard, statistics_bytes=block * 20 * 8)
    found = list(sums(vectors))
    assert len(found) == -(-15 // block)
    for place, part in found:
        assert part.gram.tobytes() == whole.gram.tobytes()
        assert part.left.tobytes() == whole.left[place].tobytes()
        assert part.right.tobytes() == whole.right[place].tobytes()
    first, second = everything(people.rows(0, cut), vectors), everything(people.rows(cut, 40), vectors)
    assert (second.left + first.left).tobytes() == everything(people, vectors).left.tobytes()


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000), d=st.integers(1, 8))
def test_a_persons_vector_is_the_exact_solution_over_their_own_items(seed: int, d: int) -> None:
    people, vectors = bounded(shop(12, 25, 0.3, seed), seed), vectors_of(25, d, seed)
    found = solved(people.values, vectors, RIDGE)
    wide = vectors.astype(np.float64)
    for person in range(12):
        row = people.values[[person]]
        own = wide[row.indices]
        system = own.T @ own + RIDGE.unobserved * wide.T @ wide + RIDGE.regularization * np.eye(d)
        assert found[person] == pytest.approx(np.linalg.solve(system, own.T @ row.data), abs=2e-3)


@settings(max_examples=50)
@given(
    seed=st.integers(0, 1000), size=st.sampled_from([1e-30, 0.01, 1.0, 1e3, 1e30]), longest=st.sampled_from([0.1, 1, 7])
)
def test_no_vector_is_longer_than_its_bound_whatever_it_was(seed: int, size: float, longest: float) -> None:
    wild = (np.random.default_rng(seed).normal(size=(50, 7)) * size).astype(np.float32)
    wild[0, 0], wild[1, 1], wild[2, 2] = np.nan, np.inf, -np.inf
    cut = on_grid(clipped(wild, longest))
    assert (np.linalg.norm(cut, axis=1) <= 1).all()
    assert (cut * 1024 == np.rint(cut * 1024)).all()


def weighted_als(
    table: np.ndarray, weights: np.ndarray, vectors: np.ndarray, recipe: Recipe, rounds: int
) -> np.ndarray:
    """The same alternation written out in loops, nobody clipped, nothing rounded."""
    wide, touched, eye = vectors.astype(np.float64), table > 0, np.eye(recipe.dimensions)
    for _ in range(rounds):
        shared = recipe.unobserved * wide.T @ wide + recipe.regularization * eye
        people = np.array([
            np.linalg.solve(wide[row].T @ wide[row] + shared, wide[row].T @ table[person, row])
            for person, row in enumerate(touched)
        ])  # fmt: skip
        shared = recipe.unobserved * people.T @ people + recipe.regularization * eye
        wide = np.array([
            np.linalg.solve((people.T * weights[:, item]) @ people + shared, people.T @ (weights * table)[:, item])
            for item in range(table.shape[1])
        ])  # fmt: skip
    return wide


def test_without_noise_it_is_weighted_als_step_by_step(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    table = (random.random((80, 20)) < 0.3).astype(np.float64)
    recipe = Recipe(dimensions=4, steps=5, per_person=4.0, longest=4.0, unobserved=0.1, regularization=0.2)
    people = contributions(csr_matrix(table), table.sum(axis=0), per_person=4.0, exponent=0.25)
    start = vectors_of(20, 4, 1)
    sums = sums_over(people, recipe, InProcess(), shard_people=30, statistics_bytes=1 << 20)
    with door_of(tmp_path, "exact") as door:
        *_, last = steps(sums, recipe, door, start, behind(20, 80))
    expected = weighted_als(table, people.weights.toarray().astype(np.float64), start, recipe, 5)
    assert np.abs(last.vectors - expected).max() < 0.02 * np.abs(expected).max()


def test_with_noise_people_are_still_shown_what_others_with_their_taste_touch(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    tastes = random.integers(0, 2, 6000)
    table = (random.random((6000, 16)) < np.where(np.arange(16)[None, :] // 8 == tastes[:, None], 0.4, 0.02)).astype(
        float
    )
    recipe = Recipe(dimensions=4, steps=3)
    people = contributions(csr_matrix(table), table.sum(axis=0), per_person=recipe.per_person, exponent=recipe.exponent)
    sums = sums_over(people, recipe, InProcess(), shard_people=2000, statistics_bytes=1 << 20)
    with door_of(tmp_path, epsilon=3.0) as door:
        *_, last = steps(sums, recipe, door, vectors_of(16, 4, 2), behind(16, 1000))
    scores = solved(people.values, last.vectors, recipe.ridge) @ last.vectors.T
    own = np.arange(16)[None, :] // 8 == tastes[:, None]
    some = table.sum(axis=1) > 1
    right = scores[some][own[some]].mean() - scores[some][~own[some]].mean()
    assert right > 5 * abs(scores[some][~own[some]].mean())


def test_a_training_spends_what_it_was_given_for_vectors_and_no_more(tmp_path: Path) -> None:
    people = bounded(shop(50, 12, 0.4, 1))
    recipe = Recipe(dimensions=3, steps=2)
    sums = sums_over(people, recipe, InProcess(), shard_people=10, statistics_bytes=1)
    with door_of(tmp_path) as door:
        given_away = door.allowance[PART]
        list(steps(sums, recipe, door, vectors_of(12, 3, 1), behind(12, 50)))
        with pytest.raises(BudgetSpent):
            door.release(np.zeros(3), name=f"{PART}.more", sensitivity=1.0, noise_multiplier=100.0)
        run = door.run.id
    with read_budget(tmp_path) as ledger:
        assert ledger is not None
        debits = ledger.debits(run)
    assert [(debit.name, debit.step) for debit in debits] == [
        (f"vectors.{name}", step) for step in range(2) for name in ("people", "left", "right")
    ]
    assert sum(debit.cost or 0 for debit in debits) == pytest.approx(given_away)
    root = sqrt(recipe.per_person)
    assert [debit.sensitivity for debit in debits] == [1.0, root, root] * 2


def test_the_same_data_trained_twice_gives_other_vectors(tmp_path: Path) -> None:
    people = bounded(shop(50, 12, 0.4, 1))
    recipe = Recipe(dimensions=3, steps=1)
    sums = sums_over(people, recipe, InProcess(), shard_people=50, statistics_bytes=1 << 20)
    found = []
    for run in ("first", "second"):
        (tmp_path / run).mkdir()
        with door_of(tmp_path / run) as door:
            found += list(steps(sums, recipe, door, vectors_of(12, 3, 1), behind(12, 50)))
    assert not np.allclose(found[0].vectors, found[1].vectors, rtol=0.01)


def test_by_threshold_items_with_few_people_behind_them_have_no_vector(tmp_path: Path) -> None:
    table = np.zeros((60, 3))
    table[:, 0], table[:30, 1], table[:19, 2] = 1, 1, 1
    people = contributions(csr_matrix(table), table.sum(axis=0), per_person=4.0, exponent=0.0)
    recipe = Recipe(dimensions=2, steps=2)
    sums = sums_over(people, recipe, InProcess(), shard_people=50, statistics_bytes=1 << 20)
    with door_of(tmp_path, "threshold") as door:
        *_, last = steps(sums, recipe, door, vectors_of(3, 2, 1), Behind(table.sum(axis=0).astype(np.int32), 60))
    assert last.vectors[0].any()
    assert last.vectors[1].any()
    assert not last.vectors[2].any()


def gathered_from(rights: Doubles, multiplier: float) -> Gathered:
    """What was released: everybody alike in the first direction, and right sides of items."""
    d = rights.shape[1]
    gram = np.diag([9.0, *np.ones(d - 1)])[np.triu_indices(d)]
    return Gathered(Statistics(gram, np.zeros((len(rights), d * (d + 1) // 2)), rights), 1.0, multiplier**2)


def test_without_noise_every_vector_is_as_it_was_learned() -> None:
    vectors, rights = vectors_of(30, 5, 1), np.random.default_rng(2).normal(size=(30, 5))
    kept, told = trusted(vectors, gathered_from(rights, 0.0), Recipe(dimensions=5))
    assert told.tolist() == [1.0] * 30
    np.testing.assert_allclose(kept, vectors, rtol=1e-6)


def test_what_cannot_be_told_from_noise_keeps_only_how_much_anybody_likes_it() -> None:
    random, recipe, multiplier = np.random.default_rng(2), Recipe(dimensions=5), 3.0
    sigma = multiplier * np.sqrt(recipe.per_person * recipe.shares.left / recipe.shares.right)
    rights = random.normal(0, sigma, (400, 5))
    rights[:200, 1:] += 40 * sigma  # half of the items are liked by some and not by others, far beyond the noise
    rights[:, 0] += 100 * sigma
    vectors = vectors_of(400, 5, 1)
    kept, told = trusted(vectors, gathered_from(rights, multiplier), recipe)
    assert told[:200].min() > 0.99
    assert told[200:].mean() < 0.25
    np.testing.assert_allclose(kept[:, 0], vectors[:, 0], atol=1e-5)
    np.testing.assert_allclose(kept[:, 1:], told[:, None] * vectors[:, 1:], atol=1e-5)


def test_noise_never_makes_a_system_that_cannot_be_solved() -> None:
    random, recipe = np.random.default_rng(1), Recipe(dimensions=6)
    noise = Statistics(*(random.normal(0, 1e4, shape) for shape in (21, (9, 21), (9, 6))))
    assert np.isfinite(item_vectors(noise, recipe, 5.0)).all()


def test_no_items_is_told(tmp_path: Path) -> None:
    with door_of(tmp_path) as door, pytest.raises(ValueError, match="no items"):
        release_step(iter([]), Recipe(), door, 0, behind(0, 0))


@settings(max_examples=25)
@given(seed=st.integers(0, 1000), d=st.integers(1, 7))
def test_triangles_are_as_long_as_their_matrices_and_projections_have_no_negative_side(seed: int, d: int) -> None:
    vectors = np.random.default_rng(seed).normal(size=(4, d))
    triangles = outer_triangles(vectors)
    full = matrices(triangles)
    assert full == pytest.approx(vectors[:, :, None] * vectors[:, None, :])
    for triangle, matrix in zip(triangles, full, strict=True):
        assert length(triangle * lengthening(d)) == pytest.approx(length(matrix))
    noisy = full + matrices(np.random.default_rng(seed + 1).normal(size=triangles.shape))
    assert np.linalg.eigvalsh(nearest_psd(noisy)).min() > -1e-9
    assert nearest_psd(full) == pytest.approx(full, abs=1e-9)


def test_the_grids_of_weights_and_values_keep_sums_exact() -> None:
    assert bounds.WEIGHT_STEPS == 2**9
    people = bounded(shop(30, 20, 0.3, 1))
    assert (people.weights.data * 512 == np.rint(people.weights.data * 512)).all()
    assert (people.values.data * 256 == np.rint(people.values.data * 256)).all()
