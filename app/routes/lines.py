"""Reads a body of any length line by line, each no longer than its bound."""

from __future__ import annotations

from collections.abc import AsyncIterator

from starlette.requests import Request

from app.problem import Problem


async def read_lines(request: Request, at_most: int) -> AsyncIterator[tuple[int, bytes]]:
    """Numbered lines, from 1. Raises Problem 413 for one of more than `at_most` bytes."""
    number, rest = 0, b""
    async for part in request.stream():
        *lines, rest = (rest + part).split(b"\n") if b"\n" in part else (rest + part,)
        for line in lines:
            number += 1
            _check(number, line, at_most)
            yield number, line
        _check(number + 1, rest, at_most)
    if rest:
        yield number + 1, rest


def _check(number: int, line: bytes, at_most: int) -> None:
    if len(line) > at_most:
        raise Problem(413, "A line is too large", f"line {number}: at most {at_most} bytes are read")
