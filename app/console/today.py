"""Today: how the shop does, and what waits for somebody."""

from __future__ import annotations

import msgspec
import numpy as np

from app.console.asked import Answer, Asked, Page
from app.console.experiments import ExperimentScreen
from app.console.rule_desk import RuleDesk
from app.console.words import plural
from app.learning.model import LearnedModel
from app.node import Node
from app.problem import Problem

_EXPERIMENTS = 5
_SOON = 7 * 86_400
_STALE_MODEL = 2 * 86_400
EVENTS = "personalize_ingest_events_total"
"""Counter of events by what became of them."""


class Task(msgspec.Struct, frozen=True):
    """Something that waits; `kind` is `bad`, `warn`, `good` or `tell`."""

    text: str
    detail: str
    url: str
    action: str
    kind: str = "tell"


class Share(msgspec.Struct, frozen=True):
    """So many of all."""

    name: str
    count: int
    share: float


class Today(msgspec.Struct, frozen=True, kw_only=True):
    """The front page's figures. Counts of answers and events begin when the server started."""

    ready: bool
    problems: list[str]
    items: int
    shown_items: int
    model: str
    trained: float
    """Epoch seconds; 0 = never."""
    answers: int
    strategies: list[Share]
    events: int
    refused: list[Share]
    started: float
    tasks: list[Task]
    open_requests: int = 0
    next_due: int = 0


class TodayScreen:
    """The front page; a marketer's part of it is what the rules' and the experiments' screens know."""

    def __init__(self, node: Node, desk: RuleDesk, experiments: ExperimentScreen) -> None:
        self._node = node
        self._desk = desk
        self._experiments = experiments

    async def show(self, asked: Asked) -> Answer:
        found = figures(self._node, asked)
        if asked.may("marketer"):
            found = msgspec.structs.replace(found, tasks=found.tasks + await self._for_marketers())
        return Page("today.html", "Today", found)

    async def _for_marketers(self) -> list[Task]:
        """Rules that are at odds or not published, and experiments that have something to say."""
        try:
            report = await self._desk.report()
        except Problem as damaged:
            told = damaged.details
            return [Task(told.title, told.detail, "/console/rules", "Look", "bad")]
        tasks = []
        if report.conflicts or report.starving:
            what = plural(len(report.conflicts), "conflict") if report.conflicts else "A filter leaves too little"
            tasks.append(Task(f"{what} among the rules", (report.conflicts or report.starving)[0].detail,
                              "/console/rules", "Look", "warn"))  # fmt: skip
        if report.changed:
            tasks.append(Task("Rules are waiting to be published", f"{report.author} wrote in the draft last.",
                              "/console/rules/review", "Review"))  # fmt: skip
        for line in (await self._experiments.lines())[:_EXPERIMENTS]:
            if line.state == "running" and line.told:
                kind = "bad" if line.suspect else "good"
                url = f"/console/experiments/{line.key}"
                tasks.append(Task(line.name, line.decision, url, "Read", kind))
        return tasks


def figures(node: Node, asked: Asked) -> Today:
    """What everyone sees, and what the roles of whoever asks add to it."""
    problems = node.problems() + node.left_behind()
    strategies = counted(node, "personalize_lists_total", "strategy")
    outcomes = counted(node, EVENTS, "outcome")
    requests = node.requests.open(1_000) if asked.may("privacy") else []
    model = node.generations.serving
    return Today(
        ready=not problems,
        problems=problems,
        items=sum(1 for _ in filter(node.catalogue.exists, range(node.catalogue.size))),
        shown_items=int(np.count_nonzero(node.catalogue.servable)),
        model=model.id,
        trained=float(model.card.get("created", 0)),
        answers=sum(strategies.values()),
        strategies=_shares(strategies),
        events=outcomes.get("accepted", 0),
        refused=_shares({name: count for name, count in outcomes.items() if name not in ("accepted", "duplicate")}),
        started=node.started,
        tasks=_tasks(node, asked, problems, model, outcomes.get("accepted", 0)),
        open_requests=len(requests),
        next_due=min((request.due for request in requests), default=0),
    )


def _tasks(node: Node, asked: Asked, problems: list[str], model: LearnedModel, events: int) -> list[Task]:
    """What is wrong first, then what is due, then the first steps of a new shop."""
    now = node.clock.now()
    tasks = [Task(problem, "The server said so itself; /readyz tells it to your monitoring.", "", "", "bad")
             for problem in problems]  # fmt: skip
    if asked.may("privacy"):
        tasks += [
            Task(
                f"{row.kind.capitalize()} request {'is overdue' if row.due < now else 'is due soon'}",
                "Whoever asked has a right to an answer by the date shown on it.",
                f"/console/requests/{row.id:016x}", "Open", "bad" if row.due < now else "warn",
            )
            for row in node.requests.open(20)
            if row.due < now + _SOON
        ]  # fmt: skip
    if asked.may("operator"):
        failing = sorted({call.plugin for calls in node.plugins.calls.values() for call in calls if call.failures})
        tasks += [
            Task(f"Plugin {name} has failed", "Its calls were left out or refused.", "/console/plugins", "Look", "warn")
            for name in failing
        ]
        if node.staff.first_password and asked.actor == node.staff.FIRST_NAME:
            tasks.append(
                Task("Choose a password of your own", "The generated one stands in a terminal's history.",
                     "/console/account", "Change it", "warn")
            )  # fmt: skip
    if asked.may("operator", "marketer"):
        tasks += _first_steps(node, model, events, now)
    return tasks


def _first_steps(node: Node, model: LearnedModel, events: int, now: float) -> list[Task]:
    tasks = []
    if not node.catalogue.size:
        tasks.append(
            Task("Bring in your products", "Lists can only show what the catalogue holds.", "/console/setup",
                 "How to import", "tell")
        )  # fmt: skip
    elif not model.id:
        tasks.append(
            Task("Nothing has been learned yet", "The first training runs a minute after the start; until then lists"
                 " are the newest items.", "/console/training", "Look", "tell")
        )  # fmt: skip
    elif now - float(model.card.get("created", 0)) > _STALE_MODEL:
        tasks.append(
            Task("The model is older than two days", "Trainings run on a schedule; this one has not.",
                 "/console/training", "Look", "warn")
        )  # fmt: skip
    if node.catalogue.size and not events and not node.log.latest_ms():
        tasks.append(
            Task("No event has arrived", "Paste the script into your shop's pages.", "/console/setup", "Show me")
        )
    return tasks


def counted(node: Node, metric: str, label: str) -> dict[str, int]:
    """A counter's values by one label, as they are now."""
    found: dict[str, int] = {}
    for family in node.metrics.registry.collect():
        for sample in family.samples:
            if sample.name == metric and sample.value:
                found[sample.labels[label]] = int(sample.value)
    return found


def _shares(counts: dict[str, int]) -> list[Share]:
    total = sum(counts.values())
    return [Share(name, count, count / total) for name, count in sorted(counts.items(), key=lambda pair: -pair[1])]
