"""Estimates of other policies agree with values worked out by hand and with what the policy earns when it is run."""

import csv
from pathlib import Path

import numpy as np
import pytest

from app.learning.off_policy import direct, doubly_robust, inverse_propensity, replay, self_normalized

OBD = next((found for up in Path(__file__).parents if (found := up / "shared/data/obd_small").is_dir()), Path("absent"))


def test_replay_is_the_mean_of_the_rows_both_policies_chose() -> None:
    assert replay([1, 0, 1, 1], [1, 1, 0, 0]).value == 0.5
    assert replay([1, 0, 1, 1], [1, 1, 0, 0]).rows == 2


def test_inverse_propensity_pays_for_what_was_rarely_shown() -> None:
    found = inverse_propensity([1, 0, 1, 0], [0.5, 0.5, 0.25, 0.25], [1, 0, 0.5, 0])
    assert found.value == pytest.approx((1 * 2 + 1 * 2) / 4)
    assert inverse_propensity([1], [0.01], [1], most=10).value == 10


def test_normalized_weights_never_leave_the_range_of_the_rewards() -> None:
    found = self_normalized([1, 0, 1, 0], [0.5, 0.5, 0.25, 0.25], [1, 0, 0.5, 0])
    assert found.value == pytest.approx(1.0)
    assert found.rows == pytest.approx(2.0)


def test_the_doubly_robust_estimate_mends_a_wrong_model_and_trusts_a_right_one() -> None:
    reward, logged, wanted = [1.0, 0.0], [0.5, 0.5], [1.0, 0.0]
    assert doubly_robust(reward, logged, wanted, reward, [0.7, 0.7]).value == pytest.approx(0.7)
    assert direct([0.7, 0.7]).value == pytest.approx(0.7)
    assert doubly_robust(reward, logged, wanted, [0, 0], [0, 0]).value == pytest.approx(
        inverse_propensity(reward, logged, wanted).value
    )


def test_every_estimate_finds_what_the_policy_earns_when_it_is_run() -> None:
    """Ten items of known click rates, logged at random with unequal chances: the truth is within three errors."""
    random = np.random.default_rng(5)
    rates = np.linspace(0.02, 0.4, 10)
    serving = np.arange(1, 11)[::-1] / 55
    other = np.arange(1, 11) / 55
    shown = random.choice(10, size=40_000, p=serving)
    reward = (random.random(40_000) < rates[shown]).astype(float)
    truth = float(other @ rates)
    logged, wanted = serving[shown], other[shown]
    guess = np.full(10, 0.1)
    for found in (
        inverse_propensity(reward, logged, wanted),
        self_normalized(reward, logged, wanted),
        doubly_robust(reward, logged, wanted, guess[shown], np.full(40_000, other @ guess)),
    ):
        assert abs(found.value - truth) < 3 * found.error < 0.02
        assert found.rows < 40_000
    # On a log that is not uniform, replay is not the truth: it says so nowhere, which is why it is not used there.
    assert abs(replay(reward, wanted).value - truth) > 3 * replay(reward, wanted).error


def test_a_log_that_cannot_be_used_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        replay([], [])
    with pytest.raises(ValueError, match="never agree"):
        replay([1, 1], [0, 0])
    with pytest.raises(ValueError, match="probability of 0"):
        inverse_propensity([1], [0], [1])
    with pytest.raises(ValueError, match="lengths"):
        self_normalized([1, 0], [1], [1])
    with pytest.raises(ValueError, match="nan"):
        direct([float("nan")])


@pytest.mark.skipif(not OBD.is_dir(), reason="obd_small lies in ../shared/data, and that folder is absent")
@pytest.mark.parametrize("campaign", ["men", "women"])
def test_of_the_open_bandit_log_the_logging_policy_itself_is_worth_its_own_clicks(campaign: str) -> None:
    with (OBD / f"random_{campaign}.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    reward = [float(row["click"]) for row in rows]
    logged = [float(row["propensity_score"]) for row in rows]
    clicks = float(np.mean(reward))
    assert 0.001 < clicks < 0.02
    assert inverse_propensity(reward, logged, logged).value == pytest.approx(clicks)
    assert self_normalized(reward, logged, logged).value == pytest.approx(clicks)
