"""Training & budget: what was learned, when, from how much, and which generation serves."""

from __future__ import annotations

import msgspec

from app.console.asked import Answer, Asked, Page
from store.faults import GenerationUnreadable
from store.generation import current, generations, read_card


class Generation(msgspec.Struct, frozen=True):
    """One set of learned artefacts."""

    id: str
    created: float
    serving: bool
    learned: str
    items: int
    people: int
    interactions: int
    seconds: float
    problem: str = ""


class Training(msgspec.Struct, frozen=True, kw_only=True):
    """GET /console/training.json"""

    serving: str
    problem: str
    learned: str
    every_hours: float
    next_run: float
    """Epoch seconds; 0 = only by `personalize train`."""
    keep: int
    generations: list[Generation]


async def training(asked: Asked) -> Answer:
    node = asked.node
    folder, serving = node.generations.folder, node.generations.serving
    every = node.config.training.every_hours
    created = float(serving.card.get("created", 0))
    data = Training(
        serving=serving.id,
        problem=node.generations.problem,
        learned=node.config.privacy.learned,
        every_hours=every,
        next_run=max(node.clock.now(), created + every * 3600) if every else 0.0,
        keep=node.config.training.keep_generations,
        generations=[_generation(asked, name, serving.id) for name in reversed(generations(folder))]
        if folder.is_dir()
        else [],
    )
    return Page("training.html", "Training & budget", data, extra={"published": _published(asked)})


def _published(asked: Asked) -> str:
    try:
        return current(asked.node.generations.folder) or ""
    except GenerationUnreadable:
        return ""


def _generation(asked: Asked, name: str, serving: str) -> Generation:
    try:
        card = read_card(asked.node.generations.folder, name)
    except GenerationUnreadable as damaged:
        return Generation(name, 0, name == serving, "", 0, 0, 0, 0, str(damaged))
    return Generation(
        name, float(card.get("created", 0)), name == serving, str(card.get("learned", "")), int(card.get("items", 0)),
        int(card.get("people", 0)), int(card.get("interactions", 0)), float(card.get("seconds", 0)),
    )  # fmt: skip
