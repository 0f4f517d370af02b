"""Training & budget: what was learned and how good it is, what it cost in privacy, and the way back."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from app.console.asked import Answer, Asked, Go, Notice, Page, Undo
from app.console.charts import LineChart, Series, line_chart
from app.learning import pin
from app.learning.accounting import epsilon_of, mu_of
from app.learning.models import ModelEntry, models
from app.learning.runs import TrainingRun, runs
from app.problem import Problem
from app.routes.models import Handlers
from app.serving.blends import Learned
from store.budget import Debit, read_budget

if TYPE_CHECKING:
    from app.config import Config
    from app.node import Node

HERE = "/console/training"
DAY = 86_400.0


class Spent(msgspec.Struct, frozen=True):
    """What one release has cost."""

    at: float
    run: int
    name: str
    step: int
    multiplier: float
    """Its noise in units of its sensitivity."""
    epsilon: float | None
    """Of the window, once it was made; null without a price."""


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """A window's budget of privacy per person, and what was spent of it."""

    epsilon: float
    delta: float
    window: int
    began: float
    ends: float
    spent: float
    """ε of everything released in the window so far."""
    releases: list[Spent]


class Training(msgspec.Struct, frozen=True, kw_only=True):
    """GET /console/training.json"""

    serving: str
    problem: str
    learned: str
    every_hours: float
    next_run: float
    """Epoch seconds; 0 = only by `personalize train`."""
    busy: bool
    pinned: pin.Pin | None
    models: list[ModelEntry]
    runs: list[TrainingRun]
    budget: Budget | None
    """Null where nothing is learned under differential privacy."""


class TrainingScreen:
    """The page, and an operator's three buttons."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._desk = Handlers(node)

    async def show(self, asked: Asked) -> Answer:
        node = self._node
        home, every = node.generations.folder, node.config.training.every_hours
        created = float(node.generations.serving.card.get("created", 0))
        wall = node.staff.now()
        found, last = await asyncio.to_thread(models, home), await asyncio.to_thread(runs, home)
        data = Training(
            serving=node.model.id,
            problem=node.generations.problem,
            learned=node.config.privacy.learned,
            every_hours=every,
            next_run=max(wall, created + every * 3600) if every else 0.0,
            busy=node.trainings.busy or any(run.outcome == "running" for run in last[:1]),
            pinned=pin.pin(home),
            models=found,
            runs=last[:20],
            budget=await asyncio.to_thread(budget_of, node.config, node.folder, wall),
        )
        extra = {
            "judged": {each.id: _judged(each.card) for each in found}, "burn": burn_down(data.budget, wall),
            "blends": blends_told(node.generations.serving.blends),
        }  # fmt: skip
        return Page("training.html", "Training & budget", data, extra=extra)

    async def act(self, asked: Asked) -> Answer:
        """Train now, let a generation serve, let trainings publish again."""
        action, name = asked.form.get("do"), asked.form.get("id")
        if action == "train":
            await self._desk.start(asked.actor)
            return Go(HERE, Notice("A training begins. It runs at low priority; shoppers notice nothing."))
        if action not in ("promote", "unpin"):
            raise Problem(404, "There is no such action", "there are train, promote and unpin")
        before = self._node.model.id
        made = await self._desk.move(name, action, asked.actor)
        if action == "unpin":
            return Go(HERE, Notice("Trainings publish again."))
        await asyncio.to_thread(self._node.generations.take_over)
        told = f"Generation {name} serves from now on." + (" No training takes its place until you say so." if made
                                                           else "")  # fmt: skip
        undo = Undo(HERE, {"do": "promote", "id": before}, f"Back to {before}") if before and before != name else None
        return Go(HERE, Notice(told, undo=undo))


def budget_of(config: Config, folder: Path, now: float) -> Budget | None:
    """The window in force, or the last one. Reads the disk."""
    options = config.privacy
    if options.learned != "dp":
        return None
    with read_budget(folder) as ledger:
        window = ledger and ledger.last_window()
        if not (ledger and window):
            return Budget(
                epsilon=options.epsilon, delta=options.delta, window=0, began=now, ends=now + options.window_days * DAY,
                spent=0.0, releases=[],
            )  # fmt: skip
        debits = ledger.debits(window.number)
    releases, cost = [], 0.0
    for debit in debits:
        cost += debit.cost or 0.0
        releases.append(_spent(debit, cost, options.delta))
    return Budget(
        epsilon=options.epsilon, delta=options.delta, window=window.number, began=window.began,
        ends=window.began + options.window_days * DAY, spent=epsilon_of(math.sqrt(cost), options.delta),
        releases=releases,
    )  # fmt: skip


def _spent(debit: Debit, cost: float, delta: float) -> Spent:
    epsilon = None if debit.cost is None else round(epsilon_of(math.sqrt(cost), delta), 4)
    return Spent(debit.at, debit.run, debit.name, debit.step, debit.multiplier, epsilon)


def burn_down(budget: Budget | None, now: float) -> LineChart | None:
    """What is left of ε, day by day, beside spending it evenly."""
    if budget is None or not budget.releases:
        return None
    days = max(1, math.ceil((budget.ends - budget.began) / DAY))
    total = mu_of(budget.epsilon, budget.delta) ** 2
    left: list[float | None] = []
    for day in range(days + 1):
        end = budget.began + day * DAY
        known = [each.epsilon for each in budget.releases if each.at <= end and each.epsilon is not None]
        left.append(budget.epsilon - (known[-1] if known else 0.0) if end <= now + DAY else None)
    even = [
        budget.epsilon - epsilon_of(math.sqrt(total * day / days), budget.delta) if day else budget.epsilon
        for day in range(days + 1)
    ]
    return line_chart(
        [f"day {day}" for day in range(days + 1)],
        [Series("Left of ε", left), Series("Spent evenly", even, kind="control")], form="{:.2f}", floor=0.0,
    )  # fmt: skip


class BlendTold(msgspec.Struct, frozen=True):
    """What clicks have said of a placement's weights."""

    placement: str
    people: int | None
    """None where nothing was released yet."""
    why: str
    moved: list[tuple[str, float, float]]
    """Scorer, its configured weight, the learned one; where they differ."""


def blends_told(learned: Learned) -> list[BlendTold]:
    """Those that were learned first, then by how many people clicked."""
    told = [
        BlendTold(name, part["people"], part["why"], [
            (scorer, part["configured"][scorer], weight) for scorer, weight in part.get("weights", {}).items()
            if weight != part["configured"][scorer]
        ])
        for name, part in learned.items()
    ]  # fmt: skip
    return sorted(told, key=lambda each: (not each.moved, -(each.people or 0), each.placement))


def _judged(card: dict[str, Any]) -> dict[str, float]:
    """What a generation was judged on: the metric of it, of popularity, of the one that served before; empty where
    nobody was kept out to judge it by, or no budget was left for it."""
    judged = card.get("judged") or {}
    if not judged.get("people"):
        return {}
    return {name: float(judged[name]) for name in ("new", "popularity", "serving") if judged.get(name) is not None}
