"""Bytes out: JSON from typed records, problems from exceptions."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from app.problem import Problem

_encoder = msgspec.json.Encoder()


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
