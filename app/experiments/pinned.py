"""Pinned or automatic: which did better? For each pin rule what its places earned where it held, against what the same
places of the same lists earned in an arm whose rules are off.

From sums that may be told: a comparison is told anew once both sides have so many new people that nobody's coming or
going shows (app/experiments/reports.py), and read from `people_before_reading` people on each side on.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import msgspec

from app.experiments.options import ExperimentOptions
from app.experiments.results import Verdict, date_of, percent, verdict_of
from app.experiments.statistics import FEWEST, Measured, Uplift, measure_ratio, uplift
from app.rules.model import Rule, number_of
from store.database import Transaction
from store.experiments import Arm, Design, Experiment
from store.place_sums import PlaceReport, PlaceSums

if TYPE_CHECKING:
    from app.node import Node

Standing = Literal["no experiment", "not started", "too early", "told"]
MORE = "start a “rules off” experiment to know"


class PlaceRates(msgspec.Struct, frozen=True):
    """One side. Rates are per list in which the places were seen, fractions; null where so few clicked or bought that
    they might be known by it."""

    people: int
    """Who saw them, rounded down."""
    clicked: float | None
    bought: float | None


class RateDifference(msgspec.Struct, frozen=True):
    """Pinned against automatic: 0.4 is 40 % more where it was pinned; null where there is too little."""

    uplift: float | None
    low: float | None
    high: float | None
    verdict: Verdict


class PinComparison(msgspec.Struct, frozen=True, kw_only=True):
    """One pin rule. `decision` says in words what the rest shows."""

    rule: str
    name: str
    experiment: str
    """Whose arms it is read from; empty where there is none yet."""
    standing: Standing
    as_of: str
    decision: str
    pinned: PlaceRates | None
    automatic: PlaceRates | None
    clicked: RateDifference | None
    bought: RateDifference | None


class PinsAnswer(msgspec.Struct, frozen=True):
    """GET /v1/rules:pinned-or-automatic, and of one experiment GET /v1/experiments/{id}/pins."""

    pins: list[PinComparison]
    people_at_least: int
    """New people on both sides before the numbers of a rule move; fewer are not told."""
    confidence: float


async def told_places(node: Node, experiment: Experiment) -> dict[int, PlaceReport]:
    """Rule's number -> what may be told; what is new is published by asking."""
    sides = experiment.design.sides
    if sides is None:
        return {}
    before = node.place_sums.reports(experiment.number)
    today, new = int(node.clock.now() // 86_400), {}
    for rule, by_arm in node.place_sums.read(experiment.number).items():
        now = PlaceReport(today, *(by_arm.get(place, PlaceSums()) for place in sides))
        last = before.get(rule, PlaceReport(0, PlaceSums(), PlaceSums()))
        grown = (now.pinned.people - last.pinned.people, now.automatic.people - last.automatic.people)
        if min(grown) >= node.config.retention.people_at_least:
            new[rule] = now
    if new:

        async def tell(transaction: Transaction) -> None:
            node.place_sums.tell(transaction, experiment.number, new)

        await node.intake.writer.exclusive(tell)
    return before | new


def design_for(rule: Rule, taken: Collection[str]) -> Design:
    """The experiment that would tell: half of the visitors see the rule's lists without rules."""
    base = f"pin-{rule.id}"[:28].rstrip("-")
    key = next(each for each in (base, *(f"{base}-{nth}" for nth in range(2, len(taken) + 3))) if each not in taken)
    return Design(
        key=key, name=f"Pinned or automatic: {rule.name}"[:200], placements=list(rule.when.placements)[:64],
        hypothesis="The places that rules pin earn more than they would if nobody pinned them.",
        arms=[Arm(key="automatic", weight=50, rules_off=True), Arm(key="pinned", weight=50)], metric="click_rate",
        guardrails=["orders"],
    )  # fmt: skip


async def compare(node: Node, rules: Sequence[Rule], only: Experiment | None = None) -> list[PinComparison]:
    """Every pin among these rules. `only`: from this experiment alone."""
    experiments = [only] if only is not None else _newest_first(node.experiments.all())
    told = {each.key: await told_places(node, each) for each in experiments}
    return [
        _of_rule(rule, experiments, told, node.config.experiments, node.config.retention.people_at_least)
        for rule in rules
        if rule.then.do == "pin"
    ]


def in_force(node: Node) -> list[Rule]:
    """The pins that are obeyed, in the order in which they have their way."""
    return [each.rule for each in node.rules.published.rules if each.rule.then.do == "pin"]


async def pins_in_force(node: Node) -> PinsAnswer:
    """What is known of each of them."""
    threshold = node.config.retention.people_at_least
    return PinsAnswer(await compare(node, in_force(node)), threshold, node.config.experiments.confidence)


def _newest_first(experiments: Sequence[Experiment]) -> list[Experiment]:
    """Those that compare: running ones, drafts, then stopped ones."""
    order = {"running": 0, "draft": 1, "stopped": 2}
    found = [each for each in experiments if each.design.sides is not None]
    return sorted(found, key=lambda each: (order[each.state], -each.created))


def _of_rule(
    rule: Rule, experiments: Sequence[Experiment], told: Mapping[str, Mapping[int, PlaceReport]],
    options: ExperimentOptions, threshold: int,
) -> PinComparison:  # fmt: skip
    number = number_of(rule)
    concerned = [each for each in experiments if _concerns(each.design, rule)]
    for each in concerned:
        report = told[each.key].get(number)
        if report is not None:
            return _told(rule, each, report, options, threshold)
    running = next((each for each in concerned if each.state == "running"), None)
    draft = next((each for each in concerned if each.state == "draft"), None)
    if running is not None:
        said = f"Not enough seen yet: fewer than {threshold} people on one side were shown its places"
        return _untold(rule, running.key, "too early", said)
    if draft is not None:
        return _untold(rule, draft.key, "not started", "Not known: start the experiment that is written down")
    return _untold(rule, "", "no experiment", f"Not known: {MORE}")


def _concerns(design: Design, rule: Rule) -> bool:
    named = rule.when.placements
    return not named or not (design.placements or design.pages) or bool(design.pages) or bool(
        set(named) & set(design.placements)
    )  # fmt: skip


def _untold(rule: Rule, experiment: str, standing: Standing, decision: str) -> PinComparison:
    return PinComparison(
        rule=rule.id, name=rule.name, experiment=experiment, standing=standing, as_of="", decision=f"{decision}.",
        pinned=None, automatic=None, clicked=None, bought=None,
    )  # fmt: skip


def _told(
    rule: Rule, experiment: Experiment, report: PlaceReport, options: ExperimentOptions, threshold: int
) -> PinComparison:
    clicks = (_measured(report.pinned, "clicked"), _measured(report.automatic, "clicked"))
    buys = (_measured(report.pinned, "bought"), _measured(report.automatic, "bought"))
    clicked, bought = (_difference(pinned, automatic, options) for pinned, automatic in (clicks, buys))
    enough = min(report.pinned.people, report.automatic.people) >= options.people_before_reading
    return PinComparison(
        rule=rule.id, name=rule.name, experiment=experiment.key, standing="told" if enough else "too early",
        as_of=date_of(report.day), decision=_decision(clicks, clicked, buys, bought, options),
        pinned=_rates(report.pinned, threshold) if enough else None,
        automatic=_rates(report.automatic, threshold) if enough else None,
        clicked=clicked, bought=bought,
    )  # fmt: skip


def _measured(side: PlaceSums, what: Literal["clicked", "bought"]) -> Measured:
    return measure_ratio(
        side.people, getattr(side, what), side.shown, getattr(side, f"{what}_squared"), side.shown_squared,
        getattr(side, f"{what}_of_shown"),
    )  # fmt: skip


def _rates(side: PlaceSums, threshold: int) -> PlaceRates:
    def rate(count: int) -> float | None:
        return round(count / side.shown, 4) if count >= threshold else None

    return PlaceRates(side.people // threshold * threshold, rate(side.clicked), rate(side.bought))


def _difference(pinned: Measured, automatic: Measured, options: ExperimentOptions) -> RateDifference:
    enough = min(pinned.people, automatic.people) >= options.people_before_reading
    found = uplift(pinned, automatic, 1 - options.confidence, options.planned_people) if enough else None
    verdict = verdict_of(found, pinned, automatic)
    if found is None:
        return RateDifference(None, None, None, verdict)
    return RateDifference(round(found.estimate, 4), round(found.low, 4), round(found.high, 4), verdict)


_WORDS: Mapping[Verdict, str] = {
    "better": "Pinned did better here", "worse": "Automatic did better here",
    "likely_better": "Pinned likely did better here", "likely_worse": "Automatic likely did better here",
    "open": "No difference to be seen here",
}  # fmt: skip


def _decision(
    clicks: tuple[Measured, Measured], clicked: RateDifference, buys: tuple[Measured, Measured], bought: RateDifference,
    options: ExperimentOptions,
) -> str:  # fmt: skip
    """The words. Of two verdicts that disagree both are said; what is bought weighs more than what is clicked."""
    if clicked.verdict == "too_early" and bought.verdict == "too_early":
        return (
            f"Not enough seen yet: read from {options.people_before_reading} people and {FEWEST} clicks on each"
            " side on."
        )
    told = []
    for found, pair, done in ((bought, buys, "bought"), (clicked, clicks, "clicked")):
        if found.verdict != "too_early":
            told.append((found.verdict, f"{_against(*pair, found.verdict, done)} ({_interval(found)})"))
    told.sort(key=lambda each: ("better", "worse", "likely_better", "likely_worse", "open").index(each[0]))
    first = told[0][0]
    said = f"{_WORDS[first]}: " + ", ".join(text for verdict, text in told if verdict == first)
    for verdict, text in told:
        if verdict != first:
            said += f". {_WORDS[verdict]}: {text}"
    if bought.verdict == "too_early":
        said += ", too few bought to tell"
    return f"{said}."


def _against(pinned: Measured, automatic: Measured, verdict: Verdict, done: str) -> str:
    """ "3.1 % against 2.2 % clicked", whoever did better first."""
    one, other = (automatic, pinned) if verdict in ("worse", "likely_worse") else (pinned, automatic)
    return f"{one.value:.1%} against {other.value:.1%} {done}".replace("%", " %")


def _interval(found: RateDifference) -> str:
    known = Uplift(found.uplift or 0.0, found.low or 0.0, found.high or 0.0)
    return f"pinned {percent(known.estimate)} %, {percent(known.low)} … {percent(known.high)}"
