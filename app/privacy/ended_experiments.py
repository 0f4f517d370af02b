"""What goes when an experiment has ended: what people's rows say of it, at the next sweep; what was told, in time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from app.experiments.assignment import HOLDOUT_NUMBER
from app.privacy.pace import Pace
from store.database import Transaction
from store.parts import drop_parts

if TYPE_CHECKING:
    from app.node import Node

Turn = Callable[
    [Pace, Callable[[Transaction, int], Awaitable[tuple[int | None, int]]]], Awaitable[tuple[int | None, int]]
]
"""Runs a slice of the sweep."""


async def forget_ended(node: Node, turn: Turn) -> int:
    """Take out of everyone's row what it says of experiments that do not run; how many rows there were.

    The rows are looked through only when something has ended since they last were, or after a start.
    """
    running = {each.number for each in node.experiments.running}
    if node.config.experiments.holdout:
        running.add(HOLDOUT_NUMBER)
    if node.sweeps.experiments is not None and node.sweeps.experiments <= running:
        node.sweeps.experiments = running
        return 0
    changed, pace = 0, Pace(256)
    after: int | None = -1
    while after is not None:
        start = after

        async def one(transaction: Transaction, rows: int, start: int = start) -> tuple[int | None, int]:
            return await drop_parts(transaction, running, start, rows)

        after, some = await turn(pace, one)
        changed += some
    node.sweeps.experiments = running
    return changed


async def expire_reports(node: Node, transaction: Transaction, before: float) -> None:
    """Queue the removal of reports from before a moment (epoch seconds), and of experiments that ended before it."""
    node.sums.expire(transaction, int(before // 86_400))
    for experiment in node.experiments.all():
        if experiment.state == "stopped" and experiment.stopped < before:
            node.sums.forget(transaction, experiment.number)
            node.place_sums.forget(transaction, experiment.number)
