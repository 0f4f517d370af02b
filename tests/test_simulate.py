"""Simulated shoppers take part in experiments whose truth is known; and nothing that learns knows that truth."""

import ast
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from app.cli import cli
from app.demo import generate_catalogue
from app.demo.shoppers import generate_shoppers
from app.experiments.synthetic import Alarms
from app.simulate.run import Outcome, report
from app.simulate.truth import CLICKS, Truth

ROOT = Path(__file__).parent.parent
SEED, NOW = 7, 1_790_000_000
HIDDEN = ("app.demo", "app.simulate")


def test_a_known_uplift_is_recovered_and_two_equal_arms_stay_equal_through_the_whole_server() -> None:
    """As an operator runs it: a shop is made, trained, served, visited, and its experiments are read."""
    done = CliRunner().invoke(cli, ["simulate", "--shoppers", "450", "--visits", "3"])
    assert done.exit_code == 0, done.output
    told = [line for line in done.output.splitlines() if line.startswith("  ok")]
    assert len(told) == 5
    assert "known uplift +" in told[1]
    assert "measured: Better: +" in told[1]


def test_the_chances_are_of_people_and_not_of_places() -> None:
    catalogue = generate_catalogue(SEED, NOW)
    truth = Truth(catalogue, SEED, NOW)
    people = generate_shoppers(SEED, NOW, 30)
    ids = [item["id"] for item in catalogue if item["availability"] == "in_stock"][::200][:10]
    chances = np.array([truth.chances(person, ids) for person in people])
    assert ((chances >= 0) & (chances <= CLICKS)).all()
    assert len({tuple(row.argsort()) for row in chances}) > 10, "people like different things"
    assert truth.chances(people[0], ["no such item"]).tolist() == []
    first, last = truth.chances(people[0], [ids[0]] * 8)[[0, 7]]
    assert first > last or first == 0, "what stands further behind is looked at less"


@pytest.mark.parametrize("folder", ["app/learning", "app/features", "app/serving", "plugins", "store"])
def test_nothing_that_learns_or_ranks_can_read_the_hidden_truth(folder: str) -> None:
    for file in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert not [name for name in names if name.startswith(HIDDEN)], file


def outcome(low: float | None, high: float | None, *, verdict: str = "open", suspect: bool = False) -> Outcome:
    metric = {"low": low, "high": high, "verdict": verdict, "sentence": "so it is"}
    answer = {"metrics": [metric], "shares": {"suspect": suspect, "sentence": "as planned"}}
    return Outcome(0.2, answer, answer)


@pytest.mark.parametrize(
    ("found", "alarms", "right"),
    [
        (outcome(0.1, 0.3), Alarms(500, 3, 0, 25), True),
        (outcome(0.21, 0.3), Alarms(500, 3, 0, 25), False),
        (outcome(None, None), Alarms(500, 3, 0, 25), False),
        (outcome(0.1, 0.3, verdict="better"), Alarms(500, 3, 0, 25), False),
        (outcome(0.1, 0.3, suspect=True), Alarms(500, 3, 0, 25), False),
        (outcome(0.1, 0.3), Alarms(500, 26, 0, 25), False),
        (outcome(0.1, 0.3), Alarms(500, 3, 0, 90), False),
    ],
)
def test_the_command_fails_where_an_experiment_says_what_is_not_so(found: Outcome, alarms: Alarms, right: bool) -> None:
    said: list[str] = []
    assert report(found, alarms, said.append) is right
    assert any(line.startswith("  NOT ") for line in said) is not right


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--url", "127.0.0.1:9"], "say which with --data"),
        (["--shoppers", "5"], "is not in the range"),
    ],
)
def test_a_wrong_call_is_told_what_would_be_right(arguments: list[str], told: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["simulate", *arguments, "--data", str(tmp_path)])
    assert done.exit_code != 0
    assert told in done.output
