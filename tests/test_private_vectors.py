"""Item vectors of a private training: what they are made of, what a day adds, and how a shopper meets them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from app.learning import engine, private_vectors
from app.learning.accounting import mu_of
from app.learning.dp_als import Gathered, gather, trusted
from app.learning.memory import Memory, recall
from app.learning.person_statistics import Ridge, Statistics, shared_part, solved, solved_alone
from app.learning.private_vectors import DIMENSIONS_OF_FEW, FEW_PEOPLE, RECIPE, grown, recipe_for, remember, remembered
from app.learning.triangles import matrices, outer_triangles
from app.node import Node
from plugins.engine import EngineFailed
from store.budget import read_budget
from store.generation import StoredGeneration, current, load_generation
from tests.shard_functions import killed_always
from tests.trained_shop import BEGAN, DAY, SMALL, clicks, shop, trained

LOUD: dict[str, Any] = {"learned": "dp", "epsilon": 300.0, "first_share": 0.5}
QUIET = {**SMALL, "judged_people": 0}


async def two_tastes(node: Node, people: int = 240, *, day: int = 0) -> None:
    """Half look at S0, S1, S2, the other half at S6, S7, S8; each leaves one out."""
    node.clock.observe((BEGAN + day * DAY) * 1000)
    for number in range(people):
        first = 6 * (number % 2)
        seen = [f"S{first + place}" for place in range(3) if place != number // 2 % 3]
        await clicks(node, f"shopper {number} {day}", *seen, buys=seen[0])


def stored(node: Node) -> StoredGeneration:
    home = node.folder / "generations"
    published = current(home)
    assert published is not None
    return load_generation(home, published)


@pytest.mark.anyio
async def test_a_shopper_is_near_what_others_with_their_taste_wanted(tmp_path: Path) -> None:
    async with shop(tmp_path, privacy=LOUD, training=QUIET) as node:
        await two_tastes(node)
        card = await trained(node)
        assert node.generations.take_over()
        vector = node.model.user_vector(np.array([0, 1], np.int32), np.ones(2, np.float32))
        assert vector is not None
        assert vector.shape == (DIMENSIONS_OF_FEW,)
        near = node.model.nearest_by_vector(vector, 3)[0]
        assert set(near.tolist()) == {0, 1, 2}
        assert card["als"]["objective"] == "private"
        assert 0 < card["audit"]["at_least"] <= card["audit"]["claimed"] == 300.0


@pytest.mark.anyio
async def test_the_first_training_takes_all_its_steps_and_a_day_s_share_pays_one_more(tmp_path: Path) -> None:
    async with shop(tmp_path, privacy=LOUD, training=QUIET) as node:
        await two_tastes(node)
        first = await trained(node)
        again = await trained(node)
        await two_tastes(node, 60, day=1)
        second = await trained(node)
        with read_budget(node.folder) as ledger:
            assert ledger is not None
            steps = {run.id: [debit.step for debit in ledger.debits_of(run.id) if debit.name == "vectors.left"]
                     for run in ledger.runs(1)}  # fmt: skip
        assert list(steps.values()) == [list(range(RECIPE.steps)), [], [0]]
        assert again["als"] == first["als"], "a training that may not spend makes the same of what is remembered"
        assert second["als"]["noise_multiplier"] < first["als"]["noise_multiplier"], "and one that may, adds to it"
        wanted = stored(node).arrays["popularity"] > 0
        vectors = stored(node).arrays["item_vectors"]
        kept = remembered(recall(node.folder), len(vectors))
        assert kept is not None
        assert vectors[wanted].tobytes() == trusted(*kept, RECIPE)[0][wanted].tobytes()
        assert min(first["als"]["trust"], second["als"]["trust"]) > 0.9, "at ε = 300"
        node.generations.take_over()
        assert node.model.taste_trust == second["als"]["trust"]
        assert not vectors[~wanted].any(), "a direction of noise is none"


@pytest.mark.anyio
async def test_a_training_whose_workers_are_killed_ends_with_a_reason_and_what_serves_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = {"process_pool": {"workers": 2, "attempts": 2}}
    async with shop(tmp_path, privacy={**LOUD, "window_days": 1.0}, training=QUIET, plugins=two) as node:
        await two_tastes(node)
        before = (await trained(node))["id"]
        node.clock.observe((BEGAN + 3 * DAY) * 1000)
        await two_tastes(node, day=3)
        with monkeypatch.context() as patch:
            patch.setattr(engine, "shard_statistics", killed_always)
            with pytest.raises(EngineFailed, match="ended with -9"):
                await trained(node)
        assert current(node.folder / "generations") == before
        with read_budget(node.folder) as ledger:
            assert ledger is not None
            last = ledger.runs(2)[-1]
            assert not [debit for debit in ledger.debits_of(last.id) if debit.name.startswith("vectors")]
            assert last.generation is None


@pytest.mark.anyio
async def test_by_threshold_items_few_wanted_have_no_vector(tmp_path: Path) -> None:
    privacy = {"learned": "threshold", "threshold_people": 20}
    async with shop(tmp_path, privacy=privacy, training=QUIET) as node:
        await two_tastes(node)
        for number in range(19):
            await clicks(node, f"odd one {number}", "S0", "S10")
        card = await trained(node)
        vectors = stored(node).arrays["item_vectors"]
        assert vectors[0].any()
        assert not vectors[10].any()
        assert "audit" not in card


@settings(max_examples=25)
@given(seed=st.integers(0, 1000), length=st.integers(1, 40))
def test_a_shopper_s_vector_is_the_one_the_training_would_have_solved(seed: int, length: int) -> None:
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(60, 6)).astype(np.float32)
    items, weights = random.choice(60, length, replace=False), random.uniform(0.01, 4, length).astype(np.float32)
    ridge = Ridge(0.1, 0.4, 0.2)
    row = csr_matrix((np.rint(np.clip(weights, 0, 1) * 256) / 256, (np.zeros(length, int), items)), shape=(1, 60))
    alone = solved_alone(vectors, items.astype(np.int32), weights, shared_part(vectors, ridge))
    assert alone is not None
    assert alone == pytest.approx(solved(row, vectors, ridge)[0], abs=1e-4)


def released(value: float) -> Statistics:
    return Statistics(np.full(3, value), np.full((2, 3), value), np.full((2, 2), value))


@settings(max_examples=50)
@given(st.lists(st.tuples(st.floats(-10, 10), st.floats(0.5, 30), st.floats(0.1, 50)), min_size=1, max_size=6))
def test_what_says_more_counts_more_and_the_noise_that_is_left_is_known(
    found: list[tuple[float, float, float]],
) -> None:
    gathered: Gathered | None = None
    for value, exposure, multiplier in found:
        gathered = gather(gathered, 1.0, released(value), exposure, multiplier)
    assert gathered is not None
    says = np.array([exposure / multiplier**2 for _, exposure, multiplier in found])
    values = np.array([value for value, _, _ in found])
    assert gathered.mean.left == pytest.approx(np.full((2, 3), (says @ values) / says.sum()), abs=1e-9)
    noise = np.array([multiplier for _, _, multiplier in found])
    assert gathered.multiplier == pytest.approx(np.sqrt(((says * noise) ** 2).sum()) / says.sum())


def test_without_noise_only_the_newest_counts() -> None:
    before = gather(None, 1.0, released(1.0), 1.0, 0.0)
    after = gather(before, 1.0, released(5.0), 1.0, 0.0)
    assert after.mean.right == pytest.approx(np.full((2, 2), 5.0))
    assert after.multiplier == 0


def test_what_is_remembered_has_room_for_new_items() -> None:
    memory, d = Memory(), RECIPE.dimensions
    entries = d * (d + 1) // 2
    sums = Statistics(np.ones(entries), np.ones((4, entries)), np.ones((4, d)))
    vectors = np.ones((4, d), np.float32)
    assert remembered(memory, 4) is None
    remember(memory, vectors, Gathered(sums, 2.0, 3.0), 0.0)
    found = remembered(memory, 6)
    assert found is not None
    assert found[0].tolist() == np.pad(vectors, ((0, 2), (0, 0))).tolist()
    assert (found[1].weight, found[1].variance) == (2.0, 3.0)
    assert not found[1].sums.left[4:].any()


def test_few_people_fill_fewer_dimensions() -> None:
    assert recipe_for(FEW_PEOPLE - 1).dimensions == DIMENSIONS_OF_FEW < recipe_for(FEW_PEOPLE).dimensions


@given(seed=st.integers(0, 99), had=st.integers(1, 6), more=st.integers(1, 5))
def test_what_was_released_says_the_same_in_more_dimensions(seed: int, had: int, more: int) -> None:
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(7, had)).astype(np.float32)
    people = random.normal(size=(20, had))
    left, right = random.normal(size=(7, had * (had + 1) // 2)), random.normal(size=(7, had))
    before = Gathered(Statistics(outer_triangles(people).sum(axis=0), left, right), 2.0, 3.0)
    wider, after = grown(vectors, before, had + more, random)
    assert wider[:, :had].tobytes() == vectors.tobytes()
    assert wider[:, had:].all()
    padded = outer_triangles(np.pad(people, ((0, 0), (0, more)))).sum(axis=0)
    np.testing.assert_allclose(after.sums.gram, padded)
    for before_full, after_full in zip(matrices(left), matrices(after.sums.left), strict=True):
        np.testing.assert_array_equal(after_full, np.pad(before_full, ((0, more), (0, more))))
    np.testing.assert_array_equal(after.sums.right, np.pad(right, ((0, 0), (0, more))))
    assert (after.weight, after.variance, after.multiplier) == (2.0, 3.0, before.multiplier)
    assert grown(wider, after, had, random) == (wider, after), "a shop that shrinks keeps what it has"


@pytest.mark.anyio
async def test_a_shop_that_grows_gets_more_dimensions_and_pays_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with shop(tmp_path, privacy=LOUD, training=QUIET) as node:
        await two_tastes(node, 160)
        assert (await trained(node))["als"]["dimensions"] == DIMENSIONS_OF_FEW
        await two_tastes(node, 240, day=1)
        monkeypatch.setattr(private_vectors, "FEW_PEOPLE", 100)
        card = await trained(node)
        assert card["als"]["dimensions"] == RECIPE.dimensions
        assert "overspent" not in card
        assert card["privacy"]["spent"] <= mu_of(300.0, 1e-6) ** 2
        with read_budget(node.folder) as ledger:
            assert ledger is not None
            runs = {run.id: [debit for debit in ledger.debits_of(run.id) if debit.name.startswith("vectors.")]
                    for run in ledger.runs(1)}  # fmt: skip
        first, second = runs.values()
        assert [debit.sensitivity for debit in second] == [debit.sensitivity for debit in first[:3]]
        assert len(second) == 3
        node.generations.take_over()
        vector = node.model.user_vector(np.array([0, 1], np.int32), np.ones(2, np.float32))
        assert vector is not None
        assert len(vector) == RECIPE.dimensions
