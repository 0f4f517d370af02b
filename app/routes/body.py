"""Reads a request's body up to a bound."""

from __future__ import annotations

from starlette.requests import Request

from app.problem import Problem


async def read_body(request: Request, at_most: int) -> bytes:
    """The whole body. Raises Problem 413 as soon as it is known to be larger than `at_most` bytes."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > at_most:
        raise _too_large(at_most)
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > at_most:
            raise _too_large(at_most)
        parts.append(part)
    return b"".join(parts)


def _too_large(at_most: int) -> Problem:
    return Problem(413, "The body is too large", f"at most {at_most} bytes are read; send less at once")
