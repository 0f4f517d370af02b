"""/v1/experiments: marketers write down what they want to try, start it, stop it, and read what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.experiments.design import conflict_of, free_slots, problems_of
from app.experiments.reports import forget, holdout_of, told
from app.experiments.results import ResultsAnswer, results_of
from app.problem import Problem, read_json
from app.routes.admin import require
from app.routes.answers import json_response
from app.routes.body import read_media
from app.routes.conditional import TOLD as IF_MATCH
from app.routes.conditional import changed_since, if_match
from app.routes.idempotency import TOLD as IDEMPOTENCY
from app.routes.idempotency import Once
from app.routes.openapi import Operation
from store.experiments import HOLDOUT, Design, Experiment, ExperimentChanged, State

if TYPE_CHECKING:
    from app.node import Node

PRIVATE = {"cache-control": "private, no-store"}
_BODY = 262_144
_ACTIONS = ("start", "stop")
_DONE = {"start": "started", "stop": "stopped"}
_ONLY_DRAFTS = ("key", "arms", "placements", "pages", "traffic", "layer")


class ExperimentAnswer(msgspec.Struct, frozen=True):
    """An experiment as it stands; its `version` is the ETag."""

    key: str
    state: State
    version: int
    created: int
    started: int
    stopped: int
    """Epoch seconds; 0: not yet."""
    design: Design


class ExperimentsAnswer(msgspec.Struct, frozen=True):
    """GET /v1/experiments."""

    experiments: list[ExperimentAnswer]
    holdout: float
    """Percent of the visitors kept out of personalization ([experiments] holdout)."""


_READ, _WRITE = (401, 403, 404), (400, 401, 403, 404, 409, 412, 413, 415, 428)
OPERATIONS = [
    Operation("get", "/v1/experiments", "Every experiment", answer=ExperimentsAnswer, key="marketer",
              problems=(401, 403)),
    Operation("post", "/v1/experiments", "Write an experiment down", Design, ExperimentAnswer, 201, key="marketer",
              headers=IDEMPOTENCY, problems=(400, 401, 403, 409, 413, 415, 422)),
    Operation("get", "/v1/experiments/{id}", "One experiment", answer=ExperimentAnswer, key="marketer",
              problems=_READ),
    Operation("put", "/v1/experiments/{id}", "Change it; of one that runs only its words", Design, ExperimentAnswer,
              key="marketer", headers=IF_MATCH, problems=_WRITE),
    Operation("delete", "/v1/experiments/{id}", "Take away a draft, or a stopped one with its results", status=204,
              key="marketer", headers=IF_MATCH, problems=(401, 403, 404, 409, 412, 428)),
    Operation("get", "/v1/experiments/{id}/results", "What came of it; of `holdout`: what personalization brings",
              answer=ResultsAnswer, key="marketer", problems=_READ),
    *(
        Operation("post", f"/v1/experiments/{{id}}:{action}", summary, answer=ExperimentAnswer, key="marketer",
                  headers=IF_MATCH, problems=(400, 401, 403, 404, 409, 412))
        for action, summary in (
            ("start", "Draw visitors from the next request on"),
            ("stop", "Draw nobody any more; what was counted stays"),
        )
    ),
]  # fmt: skip


def routes(node: Node) -> list[Route]:
    handlers = Handlers(node)
    return [
        Route("/v1/experiments", handlers.all, methods=["GET"]),
        Route("/v1/experiments", handlers.create, methods=["POST"]),
        Route("/v1/experiments/{id}/results", handlers.results, methods=["GET"]),
        Route("/v1/experiments/{id}", handlers.get, methods=["GET"]),
        Route("/v1/experiments/{id}", handlers.change, methods=["PUT"]),
        Route("/v1/experiments/{id}", handlers.remove, methods=["DELETE"]),
        Route("/v1/experiments/{id}", handlers.act, methods=["POST"]),
    ]


class Handlers:
    """The handlers with what they share."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._experiments = node.experiments
        self._options = node.config.experiments
        self._pages = node.page_lists
        self._once = Once()

    async def all(self, request: Request) -> Response:
        require(request, "marketer")
        found = [_answer(each) for each in self._experiments.all()]
        return json_response(ExperimentsAnswer(found, self._options.holdout), headers=PRIVATE)

    async def get(self, request: Request) -> Response:
        require(request, "marketer")
        return _respond(self.found(request.path_params["id"]))

    async def results(self, request: Request) -> Response:
        require(request, "marketer")
        key = request.path_params["id"]
        experiment = holdout_of(self._node) if key == HOLDOUT else self.found(key)
        return json_response(await self.read(experiment), headers=PRIVATE)

    async def read(self, experiment: Experiment) -> ResultsAnswer:
        """What came of it so far."""
        node = self._node
        reports = await told(node, experiment)
        began = experiment.started or (reports[0].day * 86_400 if reports else 0)
        return results_of(
            experiment.design, experiment.state, reports, self._options, started=began,
            threshold=node.config.retention.people_at_least,
        )  # fmt: skip

    async def create(self, request: Request) -> Response:
        session = require(request, "marketer")
        body = await read_media(request, _BODY)

        async def make() -> Response:
            return await self._create(self._design(body), session.name)

        return await self._once.answer(request, session.name, body, make)

    async def _create(self, design: Design, by: str) -> Response:
        if len(self._experiments.all()) >= self._options.kept_at_most:
            raise Problem(409, "Too many experiments", f"there are {self._options.kept_at_most}; delete some")
        try:
            made = await self._experiments.add(design, self._node.clock.now())
        except ExperimentChanged:
            raise Problem(
                409,
                "There is one already",
                f"an experiment {design.key!r} exists; take another key, or change that one",
            ) from None
        await self._node.staff.note(by, "experiment created", made.key)
        return _respond(made, 201, {"location": f"/v1/experiments/{made.key}"})

    async def change(self, request: Request) -> Response:
        session = require(request, "marketer")
        before = self.found(request.path_params["id"])
        _require(request, before)
        design = self._design(await read_media(request, _BODY))
        if design.key != before.key:
            raise Problem(409, "Another key", "an experiment keeps its key; make a new one under the other key")
        if before.state != "draft":
            changed = [name for name in _ONLY_DRAFTS if getattr(design, name) != getattr(before.design, name)]
            if changed:
                raise Problem(
                    409, "It has visitors", f"{', '.join(changed)} cannot change once an experiment was started: people"
                    " have seen its arms, and what was counted would mean nothing. Stop it and start another",
                )  # fmt: skip
        after = await self.put(before, msgspec.structs.replace(before, design=design))
        await self._node.staff.note(session.name, "experiment changed", after.key)
        return _respond(after)

    async def remove(self, request: Request) -> Response:
        session = require(request, "marketer")
        experiment = self.found(request.path_params["id"])
        _require(request, experiment)
        if experiment.state == "running":
            raise Problem(409, "It is running", f"stop it first: POST /v1/experiments/{experiment.key}:stop")
        try:
            await self._experiments.remove(experiment)
        except ExperimentChanged:
            raise changed_since("") from None
        await forget(self._node, experiment)
        await self._node.staff.note(session.name, "experiment deleted", experiment.key)
        return Response(status_code=204)

    async def act(self, request: Request) -> Response:
        key, _, action = request.path_params["id"].partition(":")
        if action not in _ACTIONS:
            raise Problem(404, "No such action", f"there are {', '.join(_ACTIONS)}")
        session = require(request, "marketer")
        before = self.found(key)
        if request.headers.get("if-match"):
            _require(request, before)
        after = await self.put(before, self.started(before) if action == "start" else self.stopped(before))
        await self._node.staff.note(session.name, f"experiment {_DONE[action]}", after.key)
        return _respond(after)

    def started(self, experiment: Experiment) -> Experiment:
        """As it runs from now on. Raises Problem 409 where something stands in its way."""
        if experiment.state != "draft":
            told = "it runs already" if experiment.state == "running" else (
                "it was stopped, and people who saw its arms would be counted a second time; make a new one"
            )  # fmt: skip
            raise Problem(409, "Cannot start", told)
        self.check(experiment.design)  # placements and plugins may have gone since it was written
        running = self._experiments.running
        if len(running) >= self._options.running_at_most:
            raise Problem(409, "Cannot start", f"{len(running)} run already ([experiments] running_at_most); stop one")
        conflict = conflict_of(experiment.design, running, self._pages)
        if conflict:
            raise Problem(409, "Cannot start", conflict)
        slots = free_slots(experiment.design, running)
        if isinstance(slots, str):
            raise Problem(409, "Cannot start", slots)
        return msgspec.structs.replace(
            experiment, state="running", started=int(self._node.clock.now()), first_slot=slots[0], last_slot=slots[1]
        )

    def stopped(self, experiment: Experiment) -> Experiment:
        """As it draws nobody any more. Raises Problem 409."""
        if experiment.state != "running":
            raise Problem(409, "Cannot stop", f"it does not run; it is {experiment.state}")
        return msgspec.structs.replace(experiment, state="stopped", stopped=int(self._node.clock.now()))

    async def put(self, before: Experiment, after: Experiment) -> Experiment:
        """Write it down. Raises Problem 412 where somebody else changed it."""
        try:
            return await self._experiments.replace(before, after)
        except ExperimentChanged:
            raise changed_since("") from None

    def _design(self, body: bytes) -> Design:
        design = read_json(_decode, body, "Not a valid experiment")
        self.check(design)
        return design

    def check(self, design: Design) -> None:
        """Raises Problem 400 with everything wrong."""
        problems = problems_of(
            design,
            placements=self._node.recommender.placements,
            plugins=self._node.plugins,
            pages={name: page.sections for name, page in self._node.experiences.pages.items()},
        )
        if problems:
            raise Problem(400, "Not a valid experiment", problems[0].detail, errors=problems)

    def found(self, key: str) -> Experiment:
        """Raises Problem 404."""
        found = self._experiments.get(key)
        if found is None:
            raise Problem(404, "No such experiment", "GET /v1/experiments lists them")
        return found


_decode = msgspec.json.Decoder(Design).decode


def etag(experiment: Experiment) -> str:
    """Of the version as it is."""
    return f'"{experiment.version}"'


def _require(request: Request, experiment: Experiment) -> None:
    """Raises Problem 428 where a request does not say which version it saw, 412 where that is not the newest."""
    if if_match(request) not in (etag(experiment), "*"):
        raise changed_since(etag(experiment))


def _answer(experiment: Experiment) -> ExperimentAnswer:
    return ExperimentAnswer(
        experiment.key, experiment.state, experiment.version, experiment.created, experiment.started,
        experiment.stopped, experiment.design,
    )  # fmt: skip


def _respond(experiment: Experiment, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    told = PRIVATE | {"etag": etag(experiment)} | (headers or {})
    return json_response(_answer(experiment), status, told)
