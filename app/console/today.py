"""Today: how the shop does, and what waits for somebody."""

from __future__ import annotations

import msgspec
import numpy as np

from app.console.asked import Answer, Asked, Page
from app.learning.model import LearnedModel
from app.node import Node

_SOON = 7 * 86_400
_STALE_MODEL = 2 * 86_400


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


async def today(asked: Asked) -> Answer:
    node = asked.node
    return Page("today.html", "Today", figures(node, asked))


def figures(node: Node, asked: Asked) -> Today:
    problems = node.problems()
    strategies = _counted(node, "personalize_lists_total", "strategy")
    outcomes = _counted(node, "personalize_ingest_events_total", "outcome")
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


def _counted(node: Node, metric: str, label: str) -> dict[str, int]:
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
