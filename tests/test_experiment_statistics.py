"""What is concluded from an experiment, against published examples and against made-up experiments of known truth."""

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from app.experiments.options import ExperimentOptions
from app.experiments.results import measured, results_of
from app.experiments.statistics import (
    Measured,
    chance_of_better,
    margin,
    measure_mean,
    measure_ratio,
    mismatch,
    mismatch_once,
    mixture,
    people_to_decide,
    uplift,
)
from app.experiments.synthetic import AB, FIRST_DAY, false_alarms, made_up, read
from store.experiment_sums import ArmSums, Report

OPTIONS = ExperimentOptions()


def sums(people: int, clicks: int, *, lists: int = 1, orders: int = 0) -> ArmSums:
    """People of whom everyone saw so many lists, and so many clicked (and ordered) once."""
    return ArmSums(people, people * lists, clicks, 0, orders, people * lists**2, clicks, 0, orders, clicks * lists)


def answer(*days: tuple[ArmSums, ArmSums], state: str = "running", **changes: object):  # type: ignore[no-untyped-def]
    design = msgspec.structs.replace(AB, **changes)
    reports = [Report(FIRST_DAY + place, arms) for place, arms in enumerate(days)]
    return results_of(design, state, reports, OPTIONS, started=FIRST_DAY * 86_400, threshold=10)


# ---- published examples


def test_the_share_test_is_that_of_the_textbook() -> None:
    """Kohavi, Tang and Xu, "Trustworthy Online Controlled Experiments" (2020), chapter 21: 821,588 against 815,482
    people, planned 50 % each, p = 1.8e-6."""
    assert mismatch_once([821_588, 815_482], [50, 50]) == pytest.approx(1.8e-6, rel=0.02)
    assert mismatch([821_588, 815_482], [50, 50]) < 0.01, "also where one may look at any time"


def test_a_ratio_has_the_error_of_the_textbook() -> None:
    """Agresti, "Categorical Data Analysis", the Physicians' Health Study: 189 of 11,034 on placebo and 104 of 11,037 on
    aspirin had a heart attack; relative risk 1.82, 95 % interval at one look (1.43, 2.31)."""
    placebo, aspirin = measure_mean(11_034, 189, 189), measure_mean(11_037, 104, 104)
    ratio = placebo.value / aspirin.value
    error = math.sqrt(placebo.relative_variance + aspirin.relative_variance)
    low, high = (ratio * math.exp(norm.ppf(0.975) * error * sign) for sign in (-1, 1))
    assert (round(ratio, 2), round(low, 2), round(high, 2)) == (1.82, 1.43, 2.31)
    found = uplift(placebo, aspirin, 0.05, 20_000)
    assert found is not None
    assert found.estimate == pytest.approx(0.82, abs=0.005)
    assert found.low < low - 1 < high - 1 < found.high, "looking at any time costs width"


@given(st.floats(1, 1e6), st.floats(0.001, 0.3), st.floats(1e2, 1e6))
def test_the_margin_is_where_robbins_mixture_reaches_its_level(people: float, alpha: float, planned: float) -> None:
    """Waudby-Smith et al. 2024, proof of theorem 2.2: the mixture ∫ exp(λs − λ²t/2) dN(λ; 0, ρ²) is 1/α at the
    boundary; Ville's inequality says it stays below with probability 1 − α."""
    rho_squared = mixture(alpha, planned)
    edge = margin(people, alpha, rho_squared) * math.sqrt(people)
    peak = edge / (people + 1 / rho_squared)
    spread = 1 / math.sqrt(people + 1 / rho_squared)

    def mixed(standard: float) -> float:
        by = peak + spread * standard
        return math.exp(
            by * edge - by**2 * people / 2 + norm.logpdf(by, scale=math.sqrt(rho_squared)) + math.log(spread)
        )

    integral, _ = quad(mixed, -12, 12, limit=200)
    assert integral * alpha == pytest.approx(1, rel=1e-6)


@pytest.mark.parametrize("planned", [1_000, 10_000, 100_000])
def test_the_interval_is_narrowest_around_the_planned_number_of_people(planned: float) -> None:
    """Appendix B.2: the ρ² of the approximation is as good as the best to one in a thousand."""
    best = min(margin(planned, 0.05, rho) for rho in np.geomspace(1e-7, 1, 20_000))
    assert margin(planned, 0.05, mixture(0.05, planned)) == pytest.approx(best, rel=1e-3)


def test_the_error_of_clicks_per_list_knows_that_one_person_sees_many_lists() -> None:
    rng = np.random.default_rng(5)
    lists = rng.integers(1, 20, 4_000)
    clicks = rng.binomial(lists, rng.beta(1, 6, 4_000))
    found = measure_ratio(4_000, clicks.sum(), lists.sum(), (clicks**2).sum(), (lists**2).sum(), (clicks * lists).sum())
    drawn = rng.integers(0, 4_000, (2_000, 4_000))
    ratios = clicks[drawn].sum(1) / lists[drawn].sum(1)
    assert math.sqrt(found.relative_variance) * found.value == pytest.approx(ratios.std(), rel=0.06)
    independent = math.sqrt(found.value * (1 - found.value) / lists.sum())
    assert ratios.std() > 1.5 * independent


# ---- experiments of known truth


def test_of_500_experiments_without_a_difference_no_more_than_5_percent_ever_claim_one() -> None:
    """Looked at on each of 21 days, with people whose clicks come in over weeks."""
    alarms = false_alarms(500, 20261127, OPTIONS)
    assert alarms.uplift <= 0.05 * 500
    assert alarms.shares <= 0.01 * 500
    assert 0.03 * 500 <= alarms.once <= 0.075 * 500, "the error itself is neither too small nor too large"


def test_one_look_statistics_would_have_claimed_many() -> None:
    """The test above can fail: with 1.96 in place of the margin every look adds its false alarms."""
    rng = np.random.default_rng(20261127)
    wrong = 0
    for _ in range(200):
        reports = made_up(rng)
        arms = [[measured(report.arms[place], "clicks") for place in (0, 1)] for report in reports]
        chances = [chance_of_better(b, a) for a, b in arms if min(a.happened, b.happened) >= 20]
        wrong += any(not 0.025 <= chance <= 0.975 for chance in chances)
    assert wrong > 0.1 * 200


@pytest.mark.parametrize("truth", [-0.2, 0.3])
def test_a_known_uplift_is_inside_of_its_interval_every_day(truth: float) -> None:
    assert false_alarms(200, 7, OPTIONS, uplift=truth).uplift <= 0.05 * 200


def test_a_clear_uplift_is_found_and_said() -> None:
    told = read(made_up(np.random.default_rng(3), people=12_000, uplift=0.4), OPTIONS)
    (clicks,) = [each for each in told.metrics if not each.guardrail]
    assert clicks.verdict == "better"
    assert clicks.low is not None
    assert clicks.low > 0
    assert told.decision.startswith("Better: +")
    widths = [day.high - day.low for day in told.over_time]
    assert widths[-1] < widths[0] / 2, "and surer by the day"


# ---- in words


def test_what_is_likely_says_how_long_to_go_on() -> None:
    told = answer((sums(4_000, 400), sums(4_000, 455)))
    assert told.decision.startswith("Likely better: +13.7 % (\u22126.6 … +38.5), keep running 2 days")
    days = int(told.decision.split("keep running ")[1].split(" day")[0])
    a, b = measure_mean(4_000, 400, 400), measure_mean(4_000, 455, 455)
    more = people_to_decide(b, a, 0.05, OPTIONS.planned_people)
    assert days == math.ceil(more / 8_000 - 1)
    b_then, a_then = (
        each._replace(people=int(more / 2) + 1, relative_variance=each.relative_variance * 8_000 / more)
        for each in (b, a)
    )
    later = uplift(b_then, a_then, 0.05, OPTIONS.planned_people)
    assert later is not None
    assert later.low == pytest.approx(0, abs=1e-3)


def test_what_was_stopped_half_way_is_not_told_to_go_on() -> None:
    told = answer((sums(4_000, 400), sums(4_000, 455)), state="stopped")
    assert told.decision == "Likely better: +13.7 % (\u22126.6 … +38.5)."


def test_a_mismatch_of_the_shares_is_said_in_place_of_a_result() -> None:
    told = answer((sums(4_000, 400), sums(3_000, 455)))
    assert told.shares is not None
    assert told.shares.suspect
    assert told.decision.startswith("Do not read on: 57.1% of the people are in arm 'a', planned were 50 %.")


def test_a_harmed_guardrail_is_said_with_the_gain() -> None:
    told = answer((sums(9_000, 900, orders=900), sums(9_000, 1_200, orders=400)))
    assert told.decision.startswith("Better: +33.3 %")
    assert "Orders per person got worse in 'b'" in told.decision
    assert told.decision.endswith("Stop it.")


def test_a_metric_without_data_says_so() -> None:
    told = answer((sums(500, 60), sums(500, 60)), metric="carts", guardrails=[])
    assert told.decision == "No data: there were no carts in either arm."
    assert (told.metrics[0].uplift, told.metrics[0].verdict) == (None, "too_early")


def test_few_people_are_too_early_and_none_are_nothing() -> None:
    assert answer((sums(60, 30), sums(60, 30))).decision == "Too early: read from 100 people in each arm on."
    assert answer((sums(600, 12), sums(600, 19))).decision == "Too early: fewer than 20 clicks in an arm."
    assert answer().decision.startswith("Too early: fewer than 10 people")
    assert answer(state="stopped").decision.startswith("Nothing to tell")
    assert answer().arms[0].people == 0


def test_people_are_told_in_tens() -> None:
    assert [arm.people for arm in answer((sums(1_234, 300), sums(1_239, 300))).arms] == [1_230, 1_230]


def test_three_arms_share_the_doubt() -> None:
    arms = [*AB.arms[:1], *(msgspec.structs.replace(AB.arms[1], key=key, weight=25) for key in ("b", "c"))]
    two = answer((sums(4_000, 400), sums(4_000, 455))).metrics[0]
    day = (sums(4_000, 400), sums(4_000, 455), sums(4_000, 455))
    three = answer(day, arms=arms).metrics[0]  # type: ignore[arg-type]
    assert three.high - three.low > two.high - two.low


@given(
    st.integers(0, 10_000), st.integers(0, 10_000), st.integers(0, 300), st.integers(0, 300), st.integers(1, 9),
)  # fmt: skip
def test_whatever_was_counted_there_is_an_answer(a: int, b: int, clicks_a: int, clicks_b: int, lists: int) -> None:
    day = (sums(a, min(a, clicks_a), lists=lists), sums(b, min(b, clicks_b), lists=lists))
    if a + b:
        told = answer(day, guardrails=["click_rate", "orders", "carts"])
        assert told.decision.endswith(".")
        for metric in told.metrics:
            assert metric.uplift is None or metric.low <= metric.uplift <= metric.high
        assert isinstance(measured(day[0], "click_rate"), Measured)
