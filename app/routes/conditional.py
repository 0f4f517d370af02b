"""If-Match: nobody overwrites what somebody else changed since it was read."""

from __future__ import annotations

from starlette.requests import Request

from app.problem import Problem

TOLD = {"if-match": "The ETag of what is being changed, as it was read"}


def if_match(request: Request) -> str:
    """The ETag a request names. Raises Problem 428 where it names none."""
    told = request.headers.get("if-match", "").strip()
    if not told:
        raise Problem(428, "Say what you have read", "send its ETag as If-Match, so that nobody's change is lost")
    return told.removeprefix("W/")


def changed_since(etag: str) -> Problem:
    """The answer where it is not what was read any more."""
    detail = "somebody else changed it since you read it; read it again"
    return Problem(412, "Changed meanwhile", detail, headers={"etag": etag} if etag else {})
