"""The results of an experiment: is it sound, what happened to each metric, and what to do, in words.

From sums that may be told (app/experiments/reports.py); nothing here reads anything.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec

from app.experiments.options import ExperimentOptions
from app.experiments.statistics import (
    FEWEST,
    LONGEST_DAYS,
    Measured,
    Uplift,
    chance_of_better,
    measure_mean,
    measure_ratio,
    mismatch,
    mismatch_once,
    people_to_decide,
    uplift,
)
from store.experiment_sums import ArmSums, Report
from store.experiments import Arm, Design, Metric

SUSPECT = 0.01
"""Below it the shares of the arms are not what was planned."""
LIKELY = 0.9
WORDS: dict[Metric, str] = {
    "clicks": "Clicks per person", "click_rate": "Clicks per list shown", "carts": "Items put into the cart per person",
    "orders": "Orders per person",
}  # fmt: skip
Verdict = Literal["better", "worse", "likely_better", "likely_worse", "open", "too_early"]


class ArmResult(msgspec.Struct, frozen=True):
    """Who is in an arm."""

    key: str
    weight: float
    people: int
    """Who were shown a list of it, rounded down."""


class MetricResult(msgspec.Struct, frozen=True):
    """One metric of one arm against the first arm. Fractions: 0.021 is +2.1 %; null where there is too little."""

    metric: Metric
    name: str
    arm: str
    guardrail: bool
    control: float
    value: float
    uplift: float | None
    low: float | None
    high: float | None
    verdict: Verdict
    sentence: str


class DayResult(msgspec.Struct, frozen=True):
    """The uplift of the experiment's own metric as it was known at the end of a day."""

    day: str
    arm: str
    uplift: float
    low: float
    high: float


class SharesResult(msgspec.Struct, frozen=True):
    """Whether people came into the arms as planned (sample ratio mismatch), asked before anything else."""

    suspect: bool
    p_value: float
    """Valid however often one looks."""
    p_value_once: float
    """Of a chi-squared test at this one look."""
    sentence: str


class ResultsAnswer(msgspec.Struct, frozen=True):
    """GET /v1/experiments/{id}/results. `decision` says in words what the rest shows."""

    key: str
    state: str
    as_of: str
    """The day the numbers are of; empty where none may be told yet."""
    decision: str
    arms: list[ArmResult]
    shares: SharesResult | None
    metrics: list[MetricResult]
    over_time: list[DayResult]
    people_at_least: int
    """New people in every arm before the numbers move; fewer are not told."""
    confidence: float


def measured(sums: ArmSums, metric: Metric) -> Measured:
    """A metric of an arm."""
    if metric == "click_rate":
        return measure_ratio(
            sums.people, sums.clicks, sums.lists, sums.clicks_squared, sums.lists_squared, sums.clicks_of_lists
        )
    return measure_mean(sums.people, getattr(sums, metric), getattr(sums, f"{metric}_squared"))


def results_of(
    design: Design, state: str, reports: Sequence[Report], options: ExperimentOptions, *, started: float, threshold: int
) -> ResultsAnswer:
    """Everything there is to say. `threshold`: people, fewer than which nothing is said about."""
    if not reports:
        return _nothing(design, state, options, threshold)
    last = reports[-1]
    alpha = (1 - options.confidence) / (len(design.arms) - 1)
    shares = _shares(design.arms, last.arms)
    metrics = [design.metric, *(each for each in design.guardrails if each != design.metric)]
    days = max(last.day + 1 - started / 86_400, 0.5)
    found = [
        _metric(metric, place, design, last.arms, alpha, options, days, running=state == "running")
        for metric in metrics
        for place in range(1, len(design.arms))
    ]
    return ResultsAnswer(
        design.key, state, date_of(last.day), _decision(shares, found), _arms(design, last.arms, threshold),
        shares, found, _over_time(design, reports, alpha, options), threshold, options.confidence,
    )  # fmt: skip


def _nothing(design: Design, state: str, options: ExperimentOptions, threshold: int) -> ResultsAnswer:
    told = {
        "draft": "Not started yet.",
        "running": f"Too early: fewer than {threshold} people in some arm were shown a list.",
        "stopped": f"Nothing to tell: fewer than {threshold} people in some arm were shown a list before it stopped.",
    }[state]
    arms = [ArmResult(arm.key, arm.weight, 0) for arm in design.arms]
    return ResultsAnswer(design.key, state, "", told, arms, None, [], [], threshold, options.confidence)


def _arms(design: Design, sums: Sequence[ArmSums], threshold: int) -> list[ArmResult]:
    return [
        ArmResult(arm.key, arm.weight, each.people // threshold * threshold)
        for arm, each in zip(design.arms, sums, strict=True)
    ]


def _shares(arms: Sequence[Arm], sums: Sequence[ArmSums]) -> SharesResult:
    counts, planned = [each.people for each in sums], [arm.weight for arm in arms]
    p_value = mismatch(counts, planned)
    total = sum(counts)
    off = max(zip(arms, counts, strict=True), key=lambda each: each[1] / total - each[0].weight / 100)
    if p_value < SUSPECT:
        told = (
            f"Do not read on: {off[1] / total:.1%} of the people are in arm {off[0].key!r}, planned were"
            f" {off[0].weight:g} %. Something keeps people of one arm from being counted: an arm whose lists stay empty"
            " or load slowly, a page that shows them without the beacon. Find it, stop, and start anew."
        )
    else:
        told = "People came into the arms as planned."
    return SharesResult(p_value < SUSPECT, round(p_value, 6), round(mismatch_once(counts, planned), 6), told)


def _metric(
    metric: Metric, place: int, design: Design, sums: Sequence[ArmSums], alpha: float, options: ExperimentOptions,
    days: float, *, running: bool,
) -> MetricResult:  # fmt: skip
    treated, control = measured(sums[place], metric), measured(sums[0], metric)
    enough = min(treated.people, control.people) >= options.people_before_reading
    found = uplift(treated, control, alpha, options.planned_people) if enough else None
    verdict = verdict_of(found, treated, control)
    sentence = _early(metric, treated, control, options) if found is None else _sentence(found, verdict)
    if found is not None and running and verdict in ("likely_better", "likely_worse", "open"):
        sentence += f", {_keep_running(treated, control, alpha, options, days, verdict)}"
    return MetricResult(
        metric, WORDS[metric], design.arms[place].key, metric != design.metric, round(control.value, 4),
        round(treated.value, 4), None if found is None else round(found.estimate, 4),
        None if found is None else round(found.low, 4), None if found is None else round(found.high, 4),
        verdict, sentence,
    )  # fmt: skip


def verdict_of(found: Uplift | None, treated: Measured, control: Measured) -> Verdict:
    """What an interval says, in a word."""
    if found is None:
        return "too_early"
    if found.low > 0:
        return "better"
    if found.high < 0:
        return "worse"
    chance = chance_of_better(treated, control)
    return "likely_better" if chance > LIKELY else "likely_worse" if chance < 1 - LIKELY else "open"


_VERDICTS: dict[Verdict, str] = {
    "better": "Better", "worse": "Worse", "likely_better": "Likely better", "likely_worse": "Likely worse",
    "open": "No difference to be seen",
}  # fmt: skip


def percent(fraction: float) -> str:
    """+2.1 or −0.3, with a real minus."""
    text = f"{fraction * 100:+.1f}"
    return text.replace("-", "\u2212")


def _sentence(found: Uplift, verdict: Verdict) -> str:
    return f"{_VERDICTS[verdict]}: {percent(found.estimate)} % ({percent(found.low)} … {percent(found.high)})"


def _early(metric: Metric, treated: Measured, control: Measured, options: ExperimentOptions) -> str:
    if min(treated.people, control.people) < options.people_before_reading:
        return f"Too early: read from {options.people_before_reading} people in each arm on"
    if not treated.happened and not control.happened:
        return f"No data: there were no {'clicks' if metric == 'click_rate' else metric} in either arm"
    what = "clicks" if metric == "click_rate" else metric
    return f"Too early: fewer than {FEWEST} {what} in an arm"


def _keep_running(
    treated: Measured, control: Measured, alpha: float, options: ExperimentOptions, days: float, verdict: Verdict
) -> str:
    people = treated.people + control.people
    more = (people_to_decide(treated, control, alpha, options.planned_people) - people) / (people / days)
    if verdict == "open" or not math.isfinite(more) or more > LONGEST_DAYS:
        return "keep running; if there is a difference it is small"
    whole = math.ceil(more)
    return f"keep running {whole} day{'s' * (whole != 1)}"


def _decision(shares: SharesResult, found: Sequence[MetricResult]) -> str:
    if shares.suspect:
        return shares.sentence
    own = [each for each in found if not each.guardrail]
    told = [f"{each.arm}: {each.sentence}" if len(own) > 1 else each.sentence for each in own]
    harmed = [each for each in found if each.guardrail and each.verdict == "worse"]
    told += [f"{each.name} got worse in {each.arm!r}: {each.sentence}" for each in harmed]
    if harmed:
        told.append("stop it")
    return ". ".join(sentence[0].upper() + sentence[1:] for sentence in told) + "."


def _over_time(design: Design, reports: Sequence[Report], alpha: float, options: ExperimentOptions) -> list[DayResult]:
    found = []
    for report in reports:
        for place, arm in enumerate(design.arms[1:], 1):
            treated, control = (measured(report.arms[each], design.metric) for each in (place, 0))
            if min(treated.people, control.people) < options.people_before_reading:
                continue
            known = uplift(treated, control, alpha, options.planned_people)
            if known is not None:
                found.append(
                    DayResult(
                        date_of(report.day),
                        arm.key,
                        round(known.estimate, 4),
                        round(known.low, 4),
                        round(known.high, 4),
                    )
                )
    return found


def date_of(day: int) -> str:
    """2026-11-28, of a day since 1970."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)).date().isoformat()
