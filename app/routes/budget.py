"""What learning across people has cost, for the privacy officer."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.learning.budget_report import BudgetReport, report_of
from app.node import Node
from app.routes.admin import require
from app.routes.answers import json_response
from app.routes.openapi import Operation

OPERATIONS = [
    Operation("GET", "/v1/privacy/budget", "What learning across people has cost, by release, and what is left",
              answer=BudgetReport, key="privacy", problems=(401, 403)),
]  # fmt: skip


def routes(node: Node) -> list[Route]:
    async def budget(request: Request) -> Response:
        require(request, "privacy")
        report = report_of(node.folder, node.config.privacy, node.clock.now())
        return json_response(report, headers={"cache-control": "no-store"})

    return [Route("/v1/privacy/budget", budget, methods=["GET"])]
