"""When sums over people may be told: once every arm has so many new people that nobody's coming or going shows.

A report differs from the one told before by at least `[retention] people_at_least` people in every arm, as the other
aggregates do; between two reports the older one is told again (PRIVACY.md section 3, docs/decisions/experiments.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.experiments.assignment import EVERYONE, HELD_OUT, HOLDOUT_NUMBER
from store.database import Transaction
from store.experiment_sums import Report
from store.experiments import HOLDOUT, Arm, Design, Experiment

if TYPE_CHECKING:
    from app.node import Node


async def told(node: Node, experiment: Experiment) -> list[Report]:
    """Everything that may be told of an experiment, oldest first; what is new is published by asking."""
    number, arms = experiment.number, len(experiment.design.arms)
    reports = node.sums.reports(number)
    now = node.sums.read(number, arms)
    before = reports[-1].arms if reports else None
    grown = [each.people - (before[place].people if before else 0) for place, each in enumerate(now)]
    if min(grown) < node.config.retention.people_at_least:
        return reports
    report = Report(int(node.clock.now() // 86_400), now)

    async def tell(transaction: Transaction) -> None:
        node.sums.tell(transaction, number, report)

    await node.intake.writer.exclusive(tell)
    return [*(each for each in reports if each.day != report.day), report]


async def tell_all(node: Node) -> None:
    """Publish what may be told by now of everything that runs, so that there is a report for every day."""
    for experiment in node.experiments.running:
        await told(node, experiment)
    if node.config.experiments.holdout:
        await told(node, holdout_of(node))


def holdout_of(node: Node) -> Experiment:
    """The share kept out of personalization, as an experiment that always runs."""
    share = node.config.experiments.holdout
    design = Design(
        key=HOLDOUT, name="Everyone against those kept out of personalization",
        arms=[
            Arm(key=HELD_OUT.key, weight=share or 50, static=True),
            Arm(key=EVERYONE.key, weight=100 - (share or 50)),
        ],
    )  # fmt: skip
    return Experiment(number=HOLDOUT_NUMBER, design=design, state="running" if share else "draft")


async def forget(node: Node, experiment: Experiment) -> None:
    """Take away what was counted in an experiment."""

    async def remove(transaction: Transaction) -> None:
        node.sums.forget(transaction, experiment.number)
        node.place_sums.forget(transaction, experiment.number)

    await node.intake.writer.exclusive(remove)
