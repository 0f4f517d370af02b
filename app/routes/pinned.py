"""/v1/rules:pinned-or-automatic: what the places of pins earned, against the same places without them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.experiments.pinned import PinsAnswer, compare, in_force, pins_in_force
from app.problem import Problem
from app.routes.admin import require
from app.routes.answers import json_response
from app.routes.openapi import Operation
from app.routes.rule_answers import NO_STORE

if TYPE_CHECKING:
    from app.node import Node

OPERATIONS = [
    Operation("get", "/v1/rules:pinned-or-automatic", "Each pin in force: did its places earn more by it?",
              answer=PinsAnswer, key="marketer", problems=(401, 403)),
    Operation("get", "/v1/experiments/{id}/pins", "The same, from one experiment with an arm without rules",
              answer=PinsAnswer, key="marketer", problems=(401, 403, 404)),
]  # fmt: skip


def routes(node: Node) -> list[Route]:
    async def of_rules(request: Request) -> Response:
        require(request, "marketer")
        return json_response(await pins_in_force(node), headers=NO_STORE)

    async def of_experiment(request: Request) -> Response:
        require(request, "marketer")
        found = node.experiments.get(request.path_params["id"])
        if found is None:
            raise Problem(404, "No such experiment", "GET /v1/experiments lists them")
        answer = PinsAnswer(
            await compare(node, in_force(node), found) if found.design.sides else [],
            node.config.retention.people_at_least, node.config.experiments.confidence,
        )  # fmt: skip
        return json_response(answer, headers=NO_STORE)

    return [
        Route("/v1/rules:pinned-or-automatic", of_rules, methods=["GET"]),
        Route("/v1/experiments/{id}/pins", of_experiment, methods=["GET"]),
    ]
