"""Bytes out: JSON from typed records, problems from exceptions."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.problem import Problem
from app.routes.security import HEADERS

logger = logging.getLogger("personalize")
_encoder = msgspec.json.Encoder()
# A crash is answered outside of SecureHeaders.
_DECODED = [(name.decode(), value.decode()) for name, value in HEADERS]


def json_response(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A record (or bytes that are JSON already) as an application/json answer."""
    content = body if isinstance(body, bytes) else _encoder.encode(body)
    return Response(content, status, headers, media_type="application/json")


def problem_response(problem: Problem) -> Response:
    return Response(
        _encoder.encode(problem.details),
        problem.details.status,
        {"cache-control": "no-store", **problem.headers},
        media_type="application/problem+json",
    )


async def on_problem(_: Request, error: Exception) -> Response:
    """Starlette's handler for `Problem`."""
    assert isinstance(error, Problem)
    return problem_response(error)


async def on_fault(_: Request, error: Exception) -> Response:
    """A database that cannot be written or read: nothing was kept, the client may try again."""
    logger.error("%s", error)
    return problem_response(
        Problem(
            503,
            "The store cannot be used",
            "nothing of this request was kept; try again later",
            headers={"retry-after": "5"},
        )
    )


async def on_gone(_: Request, __: Exception) -> Response:
    """The client hung up while its request was read: nobody hears this, and it is no fault of ours."""
    return Response(status_code=400)


async def on_deep(_: Request, __: Exception) -> Response:
    """A body of brackets within brackets."""
    return problem_response(Problem(400, "Nested too deeply", "no body needs so many levels"))


async def on_crash(_: Request, __: Exception) -> Response:
    """A mistake of ours. The server's log has its place in the program; the answer says nothing about it."""
    problem = Problem(500, "The server made a mistake", "it is in the operator's log", headers=dict(_DECODED))
    return problem_response(problem)


async def on_missing(request: Request, error: Exception) -> Response:
    """No such path, or not with this method."""
    status = getattr(error, "status_code", 404)
    title = "No such resource" if status == 404 else "Method not allowed"
    headers = dict(getattr(error, "headers", None) or {})
    if status == 405:  # Starlette's own Allow names one route's methods; a path may have several
        headers = {"allow": ", ".join(sorted(_methods(request)))}
    answered = f"this path answers {headers['allow']}" if status == 405 else "there is nothing at this path"
    detail = f"{answered}; what there is: /openapi.json"
    return problem_response(Problem(status, title, detail, headers=headers))


def _methods(request: Request) -> set[str]:
    routes = (route for route in request.app.routes if isinstance(route, Route))
    return {method for route in routes if route.path_regex.match(request.url.path) for method in route.methods or ()}
