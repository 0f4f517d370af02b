"""/v1/models and /v1/training-runs: an operator sees what was learned, trains now, and goes back in one step."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.learning import pin
from app.learning.models import ModelEntry, model, models
from app.learning.pin import NoSuchGeneration
from app.learning.runs import TrainingRun, running, runs
from app.problem import Problem
from app.routes.admin import require
from app.routes.answers import json_response
from app.routes.openapi import Operation
from store.beside import in_thread
from store.faults import GenerationUnreadable

if TYPE_CHECKING:
    from app.node import Node

NO_STORE = {"cache-control": "no-store"}


class ModelsAnswer(msgspec.Struct, frozen=True):
    """GET /v1/models: the newest first, those that were refused last."""

    serving: str
    """The generation that answers now; empty before the first training."""
    pinned: pin.Pin | None
    """Set after a roll back: no training takes its place until it is lifted."""
    models: list[ModelEntry]


class Promoted(msgspec.Struct, frozen=True):
    """The generation that is published now; a running server takes it over within seconds."""

    published: str
    pinned: pin.Pin | None


class RunsAnswer(msgspec.Struct, frozen=True):
    """GET /v1/training-runs: the newest first."""

    every_hours: float
    runs: list[TrainingRun]


class Started(msgspec.Struct, frozen=True):
    """A training begins; GET /v1/training-runs shows how far it is."""

    by: str


OPERATIONS = [
    Operation("get", "/v1/models", "Generations with their model cards", answer=ModelsAnswer, key="operator",
              problems=(401, 403)),
    Operation("get", "/v1/models/{id}", "One generation", answer=ModelEntry, key="operator", problems=(401, 403, 404)),
    Operation("post", "/v1/models/{id}:promote", "Let a kept generation serve; an older one is pinned",
              answer=Promoted, key="operator", problems=(401, 403, 404, 409)),
    Operation("post", "/v1/models/{id}:unpin", "Let trainings publish again", answer=Promoted, key="operator",
              problems=(401, 403, 404, 409)),
    Operation("get", "/v1/training-runs", "How the last trainings went, and how far the one at work is",
              answer=RunsAnswer, key="operator", problems=(401, 403)),
    Operation("post", "/v1/training-runs", "Train now", answer=Started, status=202, key="operator",
              problems=(401, 403, 409)),
]  # fmt: skip


def routes(node: Node) -> list[Route]:
    handlers = Handlers(node)
    return [
        Route("/v1/models", handlers.all, methods=["GET"]),
        Route("/v1/models/{id}", handlers.one, methods=["GET"]),
        Route("/v1/models/{id}", handlers.act, methods=["POST"]),
        Route("/v1/training-runs", handlers.runs, methods=["GET"]),
        Route("/v1/training-runs", handlers.train, methods=["POST"]),
    ]


class Handlers:
    """The handlers; what they read lies on disk, so it is read in a thread."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._home = node.generations.folder

    async def all(self, request: Request) -> Response:
        require(request, "operator")
        found = await asyncio.to_thread(models, self._home)
        return json_response(ModelsAnswer(self._node.model.id, pin.pin(self._home), found), headers=NO_STORE)

    async def one(self, request: Request) -> Response:
        require(request, "operator")
        return json_response(await self._find(request.path_params["id"]), headers=NO_STORE)

    async def act(self, request: Request) -> Response:
        session = require(request, "operator")
        name, _, action = request.path_params["id"].rpartition(":")
        if action not in ("promote", "unpin"):
            raise Problem(404, "No such action", "there are promote, unpin")
        return json_response(Promoted(name, await self.move(name, action, session.name)), headers=NO_STORE)

    async def move(self, name: str, action: str, by: str) -> pin.Pin | None:
        """`promote` or `unpin` a generation; what is pinned now. Raises Problem 404 and 409."""
        await self._find(name)
        made = await (self._promote if action == "promote" else self._unpin)(name, by)
        await self._node.staff.note(by, f"generation {action}", name)
        return made

    async def runs(self, request: Request) -> Response:
        require(request, "operator")
        found = await asyncio.to_thread(runs, self._home)
        return json_response(RunsAnswer(self._node.config.training.every_hours, found), headers=NO_STORE)

    async def train(self, request: Request) -> Response:
        """In a child process, at low priority; 409 while one runs, or a roll back is pinned."""
        session = require(request, "operator")
        await self.start(session.name)
        return json_response(Started(session.name), 202, NO_STORE | {"location": "/v1/training-runs"})

    async def start(self, by: str) -> None:
        """A training begins in a moment. Raises Problem 409 while one runs, or nothing can be learned."""
        node = self._node
        if not node.catalogue.size:
            raise Problem(409, "Nothing to learn", "the catalogue is empty; import items first")
        if (pinned := pin.pin(self._home)) is not None:
            raise Problem(409, "A generation is pinned", f"{pinned.sentence()}; lift it with :unpin")
        at_work = await asyncio.to_thread(running, self._home)
        if at_work is not None or node.trainings.busy:
            told = at_work.sentence() if at_work else "one is about to begin"
            raise Problem(409, "A training is running", f"{told}; wait for it to end")
        node.trainings.ask(by)
        await node.staff.note(by, "training started", "")

    async def _find(self, name: str) -> ModelEntry:
        try:
            return await asyncio.to_thread(model, self._home, name)
        except NoSuchGeneration as missing:
            raise Problem(404, "No such generation", str(missing)) from None

    async def _promote(self, name: str, by: str) -> pin.Pin | None:
        node = self._node
        try:
            made = await in_thread(
                lambda rest: pin.promote(self._home, name, by, node.staff.now(), node.catalogue, node.config, rest)
            )
        except GenerationUnreadable as damaged:
            raise Problem(409, "It cannot be read", f"{damaged}; nothing changed") from None
        return made

    async def _unpin(self, name: str, by: str) -> None:
        found = pin.pin(self._home)
        if found is None or found.generation != name:
            raise Problem(409, "Not pinned", f"generation {name} is not pinned")
        await asyncio.to_thread(pin.unpin, self._home)
