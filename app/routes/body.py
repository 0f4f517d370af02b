"""Reads a request's body up to a bound, where it is of the kind it should be."""

from __future__ import annotations

from starlette.requests import Request

from app.problem import Problem
from app.routes.numbers import whole

JSON = "application/json"


async def read_body(request: Request, at_most: int) -> bytes:
    """The whole body. Raises Problem 413 as soon as it is known to be larger than `at_most` bytes."""
    if (whole(request.headers.get("content-length", "")) or 0) > at_most:
        raise _too_large(at_most)
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > at_most:
            raise _too_large(at_most)
        parts.append(part)
    return b"".join(parts)


def media_type(request: Request) -> str:
    """What a request says its body is, such as "application/json"; empty where it says nothing."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def read_media(request: Request, at_most: int, media: str = JSON) -> bytes:
    """The whole body, of one kind. Raises Problem 415 for another, such as a form of another site could send, 413."""
    body = await read_body(request, at_most)
    if body and media_type(request) != media:
        raise Problem(415, "Unsupported content", f"send {media}")
    return body


def _too_large(at_most: int) -> Problem:
    return Problem(413, "The body is too large", f"at most {at_most} bytes are read; send less at once")
