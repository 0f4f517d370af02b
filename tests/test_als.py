"""Item vectors minimise what they promise, and a shopper's vector read from their history is the same optimum."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, random_array

from app.learning.als import Half, Objective, nearer, say_nothing, solve_rows, train_item_vectors, unobserved_gram
from store import loops


def shop(people: int, items: int, density: float, seed: int) -> csr_matrix:
    table = random_array((people, items), density=density, rng=np.random.default_rng(seed), dtype=np.float32)
    table.data += 0.5
    return csr_matrix(table)


def half(columns: NDArray[np.float32], ridge: float = 0.05, everywhere: float = 0.1) -> Half:
    return Half(everywhere, ridge, everywhere * len(columns))


def of(table: csr_matrix, regularization: float = 1.0, unobserved_weight: float = 15.0) -> Objective:
    return Objective.of(table, regularization, unobserved_weight)


def optimum(row: NDArray[np.float32], columns: NDArray[np.float32], regularization: float, unobserved: float) -> object:
    """The normal equations of one row, written out."""
    touched = int((row > 0).sum())
    wide = columns.astype(np.float64)
    system = (wide * row[:, None]).T @ wide + unobserved * wide.T @ wide
    system += regularization * (touched + unobserved * len(columns)) * np.eye(columns.shape[1])
    return pytest.approx(np.linalg.solve(system, wide.T @ row), abs=2e-3)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), density=st.sampled_from([0.02, 0.2, 0.7]), d=st.integers(1, 9))
def test_every_row_gets_its_exact_optimum_whether_its_history_is_short_or_long(
    seed: int, density: float, d: int
) -> None:
    table = shop(12, 30, density, seed)
    columns = np.random.default_rng(seed).normal(size=(30, d)).astype(np.float32)
    solved = solve_rows(table, columns, half(columns))
    for row in range(12):
        assert solved[row] == optimum(table[[row]].toarray()[0], columns, 0.05, 0.1)


@pytest.mark.parametrize("length", [1, 5, 40])
def test_folding_a_history_in_gives_what_training_gives(length: int) -> None:
    table = csr_matrix(np.concatenate([np.arange(1, length + 1), np.zeros(60 - length)])[None, :].astype(np.float32))
    columns = np.random.default_rng(0).normal(size=(60, 8)).astype(np.float32)
    trained = solve_rows(table, columns, half(columns))[0]
    gram = unobserved_gram(columns, 0.1)
    history = np.arange(length, dtype=np.int32)
    folded = loops.folded(columns, history, table.data, gram, 0.05, 0.1 * 60)
    assert folded == pytest.approx(trained, abs=1e-4)
    assert gram == pytest.approx(unobserved_gram(columns, 0.1)), "the shared part stays as it was"


def test_people_are_shown_what_others_with_their_taste_touch() -> None:
    # Two tastes that share nothing; everybody misses one item of their own.
    table = np.kron(np.eye(2), np.ones((8, 8))).astype(np.float32)
    for person in range(16):
        table[person, person] = 0
    objective = of(csr_matrix(table), 0.3)
    items = train_item_vectors(csr_matrix(table), objective, dimensions=4, seed=1)
    people = solve_rows(csr_matrix(table), items, objective.people)
    scores = people @ items.T
    for person in range(16):
        mine, other = (slice(0, 8), slice(8, 16)) if person < 8 else (slice(8, 16), slice(0, 8))
        assert scores[person, mine].min() > scores[person, other].max()


def test_the_objective_falls_with_every_iteration() -> None:
    table, r, a = shop(40, 30, 0.1, 5), 0.02, 0.05
    dense = table.toarray()
    losses = []
    for iterations in (1, 2, 3, 6):
        objective = Objective(Half(a, r, a * 30), Half(a, r, a * 40))
        y = train_item_vectors(table, objective, dimensions=6, iterations=iterations, seed=3)
        x = solve_rows(table, y, objective.people)
        fit = (dense * (1 - x @ y.T) ** 2).sum() + a * ((x @ y.T) ** 2).sum()
        ridge_people = ((table > 0).sum(axis=1).A1 + a * 30) @ (x**2).sum(axis=1)
        ridge_items = ((table > 0).sum(axis=0).A1 + a * 40) @ (y**2).sum(axis=1)
        losses.append(fit + r * (ridge_people + ridge_items))
    assert losses == sorted(losses, reverse=True)


@pytest.mark.skipif(not loops.COMPILED, reason="the compiled loops were not built: run make setup")
def test_gradients_reach_the_optimum_of_every_row_and_threads_change_nothing() -> None:
    table = shop(40, 30, 0.2, 5)
    columns = np.random.default_rng(2).normal(size=(30, 6)).astype(np.float32)
    exact = solve_rows(table, columns, half(columns))
    found = np.zeros((40, 6), np.float32)
    for _ in range(6):
        before = np.abs(found - exact).max()
        one, three = (nearer(table, columns, found, half(columns), threads) for threads in (1, 3))
        assert one.tobytes() == three.tobytes()
        found = one
        assert np.abs(found - exact).max() <= max(before, 1e-3)
    assert found == pytest.approx(exact, abs=1e-3)


def test_without_compiled_loops_the_vectors_are_about_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    table = shop(60, 20, 0.3, 5)
    scores = []
    for compiled in (loops.COMPILED, False):
        monkeypatch.setattr(loops, "COMPILED", compiled)
        items = train_item_vectors(table, of(table, 0.3), dimensions=4, iterations=10, seed=1)
        scores.append(solve_rows(table, items, of(table, 0.3).people) @ items.T)
    assert np.corrcoef(scores[0].ravel(), scores[1].ravel())[0, 1] > 0.98


def test_the_same_seed_gives_the_same_vectors_and_progress_is_told() -> None:
    heard: list[int] = []
    table = shop(20, 15, 0.2, 1)
    first = train_item_vectors(table, of(table), dimensions=5, iterations=3, seed=4, progress=heard.append)
    assert first.tobytes() == train_item_vectors(table, of(table), dimensions=5, iterations=3, seed=4).tobytes()
    assert heard == [1, 2, 3]


def test_an_item_nobody_touched_has_no_direction() -> None:
    table = csr_matrix(np.array([[1, 0, 1], [1, 0, 0]], dtype=np.float32))
    vectors = train_item_vectors(table, of(table, 0.3), dimensions=3, seed=1)
    assert not vectors[1].any()
    assert vectors[0].any()


@pytest.mark.parametrize(("value", "message"), [(0.0, "empty"), (-1.0, "above 0"), (np.nan, "above 0")])
def test_training_on_nothing_or_on_nonsense_says_so(value: float, message: str) -> None:
    table = csr_matrix(np.array([[value, 0]], dtype=np.float32))
    with pytest.raises(ValueError, match=message):
        train_item_vectors(table, of(table), dimensions=2, seed=1)


def tastes(people: int, items: int, each: int, seed: int) -> tuple[csr_matrix, NDArray[np.int64]]:
    """People who take 7 in 10 of their `each` items from one kind of them, which are 50 each; and the kinds."""
    random = np.random.default_rng(seed)
    kind = np.arange(items) // 50
    own = random.integers(0, items // 50, people)
    person = np.repeat(np.arange(people), each)
    drawn = np.where(
        random.random(len(person)) < 0.7,
        own[person] * 50 + random.integers(0, 50, len(person)),
        random.integers(0, items, len(person)),
    )
    table = csr_matrix((np.ones(len(person), np.float32), (person, drawn)), shape=(people, items))
    table.data[:] = 1
    return table, kind


@pytest.mark.parametrize(
    ("people", "items", "least"), [(300, 500, 0.9), (3_000, 500, 0.9), (6_000, 20_000, 0.8), (15_000, 100_000, 0.4)]
)
def test_what_ships_learns_tastes_in_a_small_shop_and_in_a_large_one(people: int, items: int, least: float) -> None:
    table, kind = tastes(people, items, 25, seed=3)
    objective = of(table)
    vectors = train_item_vectors(table, objective, dimensions=32, iterations=6, seed=1)
    assert not say_nothing(table, vectors, objective)
    asked = solve_rows(table[:200], vectors, objective.people) @ vectors.T
    own = np.array([np.bincount(kind[table[[person]].indices]).argmax() for person in range(200)])
    asked[table[:200].nonzero()] = -np.inf
    best = np.argsort(-asked, axis=1)[:, :10]
    # There are fewer dimensions than kinds in the large ones, so not every kind can be told from every other.
    assert float((kind[best] == own[:, None]).mean()) > least


def test_more_products_that_nobody_met_and_other_units_change_nothing() -> None:
    table, _ = tastes(300, 500, 12, seed=3)
    plain = train_item_vectors(table, of(table), dimensions=8, iterations=4, seed=1)
    more = csr_matrix((table.data, table.indices, table.indptr), shape=(300, 9_000))
    assert of(more) == of(table)
    halved = table * np.float32(0.5)
    again = train_item_vectors(halved, of(halved), dimensions=8, iterations=4, seed=1)
    assert again == pytest.approx(plain, abs=1e-3)


def test_vectors_that_were_shrunk_to_nothing_are_noticed() -> None:
    table, _ = tastes(300, 500, 12, seed=3)
    strong = of(table, 50.0)
    assert say_nothing(table, train_item_vectors(table, strong, dimensions=8, seed=1), strong)
    assert say_nothing(table, np.zeros((500, 8), np.float32), of(table))
    assert not say_nothing(table, train_item_vectors(table, of(table), dimensions=8, seed=1), of(table))
