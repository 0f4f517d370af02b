"""`personalize budget` and GET /v1/privacy/budget: what was spent, by release, and what is left."""

import json
from math import sqrt
from pathlib import Path

import httpx
import numpy as np
import pytest
from click.testing import CliRunner
from dp_accounting.pld.privacy_loss_distribution import from_gaussian_mechanism

from app.cli import cli
from app.config import Config, parse_config
from app.config.sections import PARTS
from app.learning.accounting import epsilon_of, mu_of
from app.learning.budget_report import BudgetReport, readable, report_of
from app.learning.release import BudgetSpent, open_door
from app.learning.schedule import spending
from app.privacy.backup import back_up, restore
from app.routes import create_app
from store.budget import read_budget
from store.clock import Clock
from tests.open_shop import open_shop
from tests.signed_in import headers_of

NOW = 1_700_000_000.0
DAY = 86_400.0


def options(**privacy: object) -> Config:
    return parse_config({"privacy": {"learned": "dp", **privacy}})


def run(folder: Path, now: float, published: str | None = "a generation", **privacy: object) -> float:
    """A training that spends everything it may, and how much that was."""
    config = options(**privacy)
    with open_door(folder, config, now) as door:
        door.generation = published
        if not door.open:
            return 0.0
        for part, share in config.privacy.shares.items():
            for step in range(2):
                if share:
                    door.release(
                        np.array([1.0, 2.0]), name=f"{part}.all", sensitivity=1.0, step=step,
                        noise_multiplier=door.multiplier(part, 0.5),
                    )  # fmt: skip
        assert door.spending is not None
        return door.spending.cost


def report(folder: Path, now: float, **privacy: object) -> BudgetReport:
    return report_of(folder, options(**privacy).privacy, now)


def test_before_anything_is_learned_everything_is_left(tmp_path: Path) -> None:
    found = report(tmp_path, NOW)
    assert (found.window, found.releases, found.left) == (None, [], found.limit)
    assert found.next.cost == pytest.approx(found.limit / 2)
    assert not (tmp_path / "budget.db").exists(), "looking makes nothing"
    assert "no window is open" in readable(found)


def test_the_first_training_takes_half_and_the_days_that_follow_equal_parts_of_the_rest(tmp_path: Path) -> None:
    limit = mu_of(8.0, 1e-6) ** 2
    spent = [run(tmp_path, NOW + day * DAY) for day in range(30)]
    assert spent[0] == pytest.approx(limit / 2)
    assert spent[1:] == pytest.approx([limit / 2 / 29] * 29)
    found = report(tmp_path, NOW + 29.5 * DAY)
    assert found.window is not None
    assert (found.window.number, found.window.runs) == (1, 30)
    assert found.window.epsilon == pytest.approx(8.0, abs=1e-6)
    assert found.left == pytest.approx(0, abs=1e-9)
    assert sum(each.share for each in found.releases) == pytest.approx(1)
    assert run(tmp_path, NOW + 29.99 * DAY) == 0
    with read_budget(tmp_path) as ledger:
        assert "budget is spent" in spending(ledger, options().privacy, NOW + 29.99 * DAY).why


def test_days_without_a_training_leave_their_part_to_the_others(tmp_path: Path) -> None:
    limit = mu_of(8.0, 1e-6) ** 2
    run(tmp_path, NOW)
    assert run(tmp_path, NOW + 20 * DAY) == pytest.approx(limit / 2 / 10)


def test_a_new_window_begins_with_a_days_part(tmp_path: Path) -> None:
    limit = mu_of(8.0, 1e-6) ** 2
    run(tmp_path, NOW)
    assert run(tmp_path, NOW + 40 * DAY) == pytest.approx(limit / 30)
    found = report(tmp_path, NOW + 40 * DAY)
    assert found.window is not None
    assert (found.window.number, found.window.data_from) == (2, NOW)
    assert [each.number for each in found.earlier] == [1]


def test_two_trainings_of_a_day_spend_once(tmp_path: Path) -> None:
    assert run(tmp_path, NOW) > 0
    assert run(tmp_path, NOW + 6 * 3600) == 0
    told = report(tmp_path, NOW + 6 * 3600).next
    assert "today's share was spent" in told.why
    assert told.at == NOW + 23 * 3600
    assert run(tmp_path, NOW + DAY) > 0


def test_below_epsilon_three_one_training_takes_the_windows_budget(tmp_path: Path) -> None:
    limit = mu_of(1.0, 1e-6) ** 2
    assert run(tmp_path, NOW, epsilon=1.0) == pytest.approx(limit)
    for day in (1, 15, 29):
        assert run(tmp_path, NOW + day * DAY, epsilon=1.0) == 0
    assert "one training a window" in report(tmp_path, NOW + DAY, epsilon=1.0).next.why
    assert run(tmp_path, NOW + 30 * DAY, epsilon=1.0) == pytest.approx(limit)


def test_a_training_that_died_is_told_and_stays_spent(tmp_path: Path) -> None:
    run(tmp_path, NOW, published=None)
    found = report(tmp_path, NOW)
    assert found.window is not None
    assert (found.window.runs, found.window.unfinished) == (1, 1)
    assert "1 of which published nothing" in readable(found)


def test_the_ledger_recomputed_by_privacy_loss_distributions_agrees(tmp_path: Path) -> None:
    for day in range(3):
        run(tmp_path, NOW + day * DAY)
    with read_budget(tmp_path) as ledger:
        assert ledger is not None
        debits = ledger.debits(1)
        assert sum(1 / debit.multiplier**2 for debit in debits) == pytest.approx(ledger.spent(1))
    composed = None
    for debit in debits:
        # Discretization errors of 36 releases add up; finer, they stay below a thousandth.
        one = from_gaussian_mechanism(debit.multiplier, value_discretization_interval=2e-5)
        composed = one if composed is None else composed.compose(one)
    assert composed is not None
    mine = epsilon_of(sqrt(sum(debit.cost or 0 for debit in debits)), 1e-6)
    assert abs(mine - composed.get_epsilon_for_delta(1e-6)) < 1e-3


def test_a_debit_that_is_missing_is_noticed(tmp_path: Path) -> None:
    """The same recomputation over a ledger that lost a row does not agree with what was released."""
    run(tmp_path, NOW)
    with open_door(tmp_path, options(), NOW + DAY) as door:
        before = epsilon_of(sqrt(door.ledger.spent(1)), 1e-6)
        door.ledger._connection.execute("DELETE FROM debits WHERE name = 'vectors.all' AND step = 1")
        assert before - epsilon_of(sqrt(door.ledger.spent(1)), 1e-6) > 1e-3


def test_lowering_epsilon_in_the_middle_of_a_window_is_obeyed_at_once(tmp_path: Path) -> None:
    run(tmp_path, NOW)
    assert run(tmp_path, NOW + DAY, epsilon=4.0) == 0
    with open_door(tmp_path, options(epsilon=4.0), NOW + DAY) as door:
        door.allowance = {"counts": 1.0}
        with pytest.raises(BudgetSpent, match=r"counts.all costs μ² = 0.25; the window's budget is .* \(ε = 4, δ"):
            door.release(np.array([1.0]), name="counts.all", sensitivity=1.0, noise_multiplier=2.0)


def test_the_command_prints_the_arithmetic_and_a_typo_gets_an_answer(tmp_path: Path) -> None:
    (tmp_path / "personalize.toml").write_text('[privacy]\nlearned = "dp"\n')
    (tmp_path / "data").mkdir()
    run(tmp_path / "data", NOW)
    command = ["-c", str(tmp_path / "personalize.toml"), "budget"]
    told = CliRunner().invoke(cli, command)
    assert told.exit_code == 0, told.output
    assert "budget: ε = 8, δ = 1e-06 per person and 30 days (μ² = 2.3456)" in told.output
    told = CliRunner().invoke(cli, [*command, "--json"])
    assert json.loads(told.output)["epsilon"] == 8.0
    (tmp_path / "personalize.toml").write_text('[privacy]\nlearned = "dq"\nshares = { count = 0.9, pairs = 0.3 }\n')
    told = CliRunner().invoke(cli, command)
    assert told.exit_code == 2
    assert "privacy.learned: 'dq' is no choice here; known here: dp, exact, off, threshold" in told.output
    (tmp_path / "personalize.toml").write_text("[privacy]\nshares = { count = 0.9, pairs = 0.3 }\n")
    told = CliRunner().invoke(cli, command)
    assert "privacy.shares.count: no such part; did you mean 'counts'?" in told.output
    assert "privacy.shares: expected parts of one budget, at most 1 in all (they are 1.2)" in told.output


@pytest.mark.anyio
async def test_the_privacy_officer_reads_the_budget(tmp_path: Path) -> None:
    async with open_shop(tmp_path, privacy={"learned": "dp"}) as node:
        run(node.folder, node.clock.now())
        transport = httpx.ASGITransport(create_app(node))
        async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
            answer = await client.get("/v1/privacy/budget", headers=await headers_of(node, "privacy"))
            assert answer.status_code == 200
            found = answer.json()
            assert found["window"]["cost"] == pytest.approx(found["limit"] / 2)
            assert {each["name"] for each in found["releases"]} == {f"{part}.all" for part in PARTS}
            assert (await client.get("/v1/privacy/budget")).status_code == 401


@pytest.mark.anyio
async def test_a_restored_ledger_frees_nothing(tmp_path: Path) -> None:
    async with open_shop(tmp_path / "shop", privacy={"learned": "dp"}) as node:
        folder, config = node.folder, node.config
        run(folder, node.clock.now())
        await back_up(folder, tmp_path / "copy", tmp_path / "keys.db")
    run(folder, Clock().now() + DAY)
    with read_budget(folder) as ledger:
        assert ledger is not None
        spent = ledger.spent(1)
    await restore(config, folder, tmp_path / "copy", None)
    with read_budget(folder) as ledger:
        assert ledger is not None
        assert ledger.spent(1) == spent, "the ledger in place knows more than its copy"
    (folder / "budget.db").unlink()
    await restore(config, folder, tmp_path / "copy", None)
    with read_budget(folder) as ledger:
        assert ledger is not None
        window = ledger.last_window()
        assert window is not None
        assert window.number == 2
        assert window.data_from == pytest.approx(Clock().now(), abs=600), "everything before counts as learned from"
