"""The one door: debits before noise, the noise, what it refuses."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import kstest

from app.config import parse_config
from app.learning.accounting import epsilon_of, mu_of
from app.learning.noise import NoiseSource, to_grid
from app.learning.release import BudgetSpent, Door, ReleaseRefused, open_door
from store.budget import open_budget, read_budget
from store.faults import DatabaseReadOnly, DatabaseUnreadable, StoreFault

Array = NDArray[np.floating]
NOW = 1_700_000_000.0
DAY = 86_400.0
ALL = {"people": 0.0, "counts": 1.0}
COUNTS = np.arange(20.0)


@contextmanager
def door_of(folder: Path, *, now: float = NOW, **privacy: object) -> Iterator[Door]:
    config = parse_config({"privacy": {"learned": "dp", "shares": ALL, "first_share": 1.0, **privacy}})
    with open_door(folder, config, now) as door:
        yield door


def counts(
    door: Door,
    statistic: Array = COUNTS,
    name: str = "counts.bought",
    multiplier: float = 5.0,
    **more: Any,  # noqa: ANN401
) -> Array:
    return door.release(statistic, name=name, sensitivity=2.0, noise_multiplier=multiplier, **more)


def test_a_release_is_in_the_ledger_with_its_price(tmp_path: Path) -> None:
    with door_of(tmp_path) as door:
        counts(door)
        counts(door, step=1, multiplier=4.0)
    with read_budget(tmp_path) as ledger:
        assert ledger is not None
        first, second = ledger.debits(1)
        assert (first.name, first.step, first.sensitivity, first.multiplier) == ("counts.bought", 0, 2.0, 5.0)
        assert [first.cost, second.cost] == pytest.approx([1 / 25, 1 / 16])
        assert ledger.spent(1) == pytest.approx(1 / 25 + 1 / 16)


def test_noise_is_gaussian_of_the_size_that_was_paid_for(tmp_path: Path) -> None:
    with door_of(tmp_path) as door:
        noisy = counts(door, np.zeros(200_001), multiplier=3.0)
    assert kstest(noisy / 6.0, "norm").pvalue > 1e-6
    assert abs(noisy.std() / 6.0 - 1) < 0.02


def test_released_numbers_lie_on_a_grid_that_hides_their_last_bits(tmp_path: Path) -> None:
    with door_of(tmp_path) as door:
        noisy = counts(door, np.full(1000, 1 / 3))
    assert np.array_equal(noisy * 128, np.rint(noisy * 128))
    assert np.array_equal(to_grid(np.array([0.3, -7.77]), 1024.0), [0.0, -8.0])


def test_two_trainings_on_the_same_data_differ(tmp_path: Path) -> None:
    with door_of(tmp_path) as door:
        first = counts(door)
    with door_of(tmp_path, now=NOW + DAY) as door:
        second = counts(door, multiplier=50.0)
    assert not np.array_equal(first, second)
    assert (first != second).mean() > 0.9


def test_a_block_that_is_tried_again_has_the_same_noise_and_costs_once(tmp_path: Path) -> None:
    with door_of(tmp_path) as door:
        first, other = counts(door, block=0), counts(door, block=1)
        assert np.array_equal(counts(door, block=0), first)
        assert not np.array_equal(first, other)
        assert len(door.ledger.debits(1)) == 1


def test_the_same_noise_is_never_put_on_other_numbers(tmp_path: Path) -> None:
    with door_of(tmp_path) as door:
        counts(door)
        with pytest.raises(ReleaseRefused, match=r"already, with other numbers"):
            counts(door, COUNTS + 1)
        with pytest.raises(ReleaseRefused, match=r"already, with other numbers"):
            counts(door, COUNTS.reshape(4, 5))


def test_blocks_of_one_release_have_one_sensitivity(tmp_path: Path) -> None:
    with door_of(tmp_path) as door:
        counts(door)
        with pytest.raises(ReleaseRefused, match="one sensitivity"):
            counts(door, block=1, multiplier=6.0)


def test_past_the_budget_nothing_is_released_and_the_arithmetic_is_told(tmp_path: Path) -> None:
    with door_of(tmp_path, epsilon=1.0) as door:
        counts(door)
        door.allowance = {"counts": 10.0}
        with pytest.raises(BudgetSpent, match=r"ε = 1") as refused:
            counts(door, step=1)
        assert f"costs μ² = 0.04; the window's budget is {mu_of(1, 1e-6) ** 2:.4g}" in str(refused.value)
        assert [debit.step for debit in door.ledger.debits(1)] == [0]


def test_one_part_does_not_spend_what_is_another_parts(tmp_path: Path) -> None:
    with door_of(tmp_path, shares={"people": 0.1, "counts": 0.01}) as door:
        with pytest.raises(BudgetSpent, match=r"'counts' may spend 0\.02346, of which 0 are spent"):
            counts(door)
        with pytest.raises(BudgetSpent, match="'segments' may spend 0"):
            counts(door, name="segments.sizes")
        assert door.ledger.debits(1) == []


def test_a_part_can_spend_exactly_its_allowance_and_a_budget_exactly_itself(tmp_path: Path) -> None:
    with door_of(tmp_path, shares={"people": 0.3, "counts": 0.7}) as door:
        for step in range(3):
            counts(door, step=step, multiplier=door.multiplier("counts", 1 / 3))
        counts(door, name="people.all", multiplier=door.multiplier("people"))
        assert epsilon_of(sqrt(door.ledger.spent(1)), 1e-6) == pytest.approx(8.0)
        with pytest.raises(BudgetSpent):
            counts(door, step=3, multiplier=1e3)


def test_a_budget_is_a_windows_and_the_next_window_reads_on_where_it_stopped(tmp_path: Path) -> None:
    with door_of(tmp_path) as door:
        assert (door.run.window, door.ledger.window(NOW, 30)) == (1, (1, NOW, 0.0))
        counts(door)
    with door_of(tmp_path, now=NOW + 20 * DAY) as door:
        assert door.run.window == 1
        counts(door, multiplier=20.0)
    with door_of(tmp_path, now=NOW + 29 * DAY) as door:
        assert door.run.window == 1, "and nothing was released, so nothing of the last days is used up"
    with door_of(tmp_path, now=NOW + 31 * DAY) as door:
        assert door.run.window == 2
        assert door.ledger.window(NOW + 31 * DAY, 30) == (2, NOW + 31 * DAY, NOW + 20 * DAY)
        assert door.ledger.spent(2) == 0


def test_threshold_hides_what_fewer_than_k_people_did(tmp_path: Path) -> None:
    people = np.array([0, 19, 20, 400])
    with door_of(tmp_path, learned="threshold") as door:
        assert counts(door, np.array([1.0, 2, 3, 4]), subjects=people).tolist() == [0, 0, 3, 4]
        gram = counts(door, np.ones((4, 2, 2)), name="vectors.gram", subjects=people)
        assert gram.sum(axis=(1, 2)).tolist() == [0, 0, 4, 4]
        with pytest.raises(ReleaseRefused, match="how many people are behind"):
            counts(door, step=1)
        assert [debit.cost for debit in door.ledger.debits_of(door.run.id)] == [None, None, None]


def test_exact_is_as_it_is_and_in_the_ledger(tmp_path: Path) -> None:
    with door_of(tmp_path, learned="exact") as door:
        assert np.array_equal(counts(door), COUNTS)
        assert door.run.window is None
        assert [debit.name for debit in door.ledger.debits_of(door.run.id)] == ["counts.bought"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"sensitivity": 0.0}, "a sensitivity is a positive number"),
        ({"sensitivity": float("nan")}, "a sensitivity is a positive number"),
        ({"noise_multiplier": 0.0}, "noise has a positive multiplier"),
        ({"noise_multiplier": float("inf")}, "noise has a positive multiplier"),
        ({"statistic": np.array([1.0, np.nan])}, "nan or infinity"),
    ],
)
def test_what_would_void_the_promise_is_refused(tmp_path: Path, change: dict[str, Any], sentence: str) -> None:
    asked: dict[str, Any] = {"statistic": COUNTS, "name": "counts.x", "sensitivity": 1.0, "noise_multiplier": 5.0}
    with door_of(tmp_path) as door:
        with pytest.raises(ReleaseRefused, match=sentence):
            door.release(**(asked | change))
        assert door.ledger.debits(1) == []


def test_no_noise_can_be_drawn_after_a_run(tmp_path: Path) -> None:
    with door_of(tmp_path) as door:
        counts(door)
    with pytest.raises(RuntimeError, match="noise key is destroyed"):
        door.noise.normal("counts.bought", 0, 0, 1)


def test_noise_has_no_seed() -> None:
    """However numpy's or Python's generators are set, and in two sources made alike, noise differs."""
    drawn = []
    for _ in range(2):
        np.random.seed(1)  # noqa: NPY002 - what must make no difference
        drawn.append(NoiseSource().normal("counts.bought", 0, 0, 8))
    assert not np.array_equal(drawn[0], drawn[1])


def test_a_ledger_that_cannot_be_written_refuses_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "budget.db").mkdir()
    with pytest.raises(DatabaseReadOnly, match="cannot be opened"), door_of(tmp_path):
        pytest.fail("the door opened")


def test_a_damaged_ledger_is_refused(tmp_path: Path) -> None:
    (tmp_path / "budget.db").write_bytes(b"not a database, not even nearly one, " * 100)
    with pytest.raises(DatabaseUnreadable, match=r"budget\.db"), door_of(tmp_path):
        pytest.fail("the door opened")


def test_a_debit_that_cannot_be_written_draws_no_noise(tmp_path: Path) -> None:
    with door_of(tmp_path) as door:
        door.ledger._connection.execute("PRAGMA max_page_count = 1")
        door.ledger._connection.execute("PRAGMA query_only = 1")
        drawn: list[str] = []
        door.noise.normal = lambda name, *rest: drawn.append(name)  # type: ignore[method-assign, assignment]
        with pytest.raises(StoreFault):
            counts(door)
        assert drawn == []
        door.ledger._connection.execute("PRAGMA query_only = 0")


KILLED = """
import os, signal, sys
from pathlib import Path
import numpy as np
from app.config import parse_config
from app.learning.noise import NoiseSource
from app.learning.release import open_door
from store.budget import BudgetLedger

folder, at = Path(sys.argv[1]), sys.argv[2]
kill = lambda: os.kill(os.getpid(), signal.SIGKILL)
debit, normal = BudgetLedger.debit, NoiseSource.normal
if at == "before the debit":
    BudgetLedger.debit = lambda *a, **k: kill()
elif at == "after the debit":
    BudgetLedger.debit = lambda *a, **k: (debit(*a, **k), kill())
elif at == "with the noise drawn":
    NoiseSource.normal = lambda *a: (normal(*a), kill())
config = parse_config({"privacy": {"learned": "dp", "shares": {"counts": 1.0}}})
with open_door(folder, config, 1_700_000_000.0) as door:
    noisy = door.release(np.zeros(4), name="counts.bought", sensitivity=1.0, noise_multiplier=2.0)
    (folder / "artefact").write_bytes(noisy.tobytes())
    if at == "with the artefact written":
        kill()
"""


@pytest.mark.parametrize(
    ("at", "spent"),
    [
        ("before the debit", 0.0),
        ("after the debit", 0.25),
        ("with the noise drawn", 0.25),
        ("with the artefact written", 0.25),
    ],
)
def test_killed_anywhere_there_is_no_artefact_without_a_debit(tmp_path: Path, at: str, spent: float) -> None:
    run = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path), at], check=False, env=os.environ | {"PYTHONPATH": str(Path.cwd())}
    )
    assert run.returncode == -signal.SIGKILL
    with open_budget(tmp_path) as ledger:
        assert ledger.spent(1) == spent
        (killed,) = ledger.runs(1)
        assert killed.ended is None
    assert (tmp_path / "artefact").exists() == (at == "with the artefact written")
