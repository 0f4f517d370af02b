"""ETag and If-Match: who changes something says which version they saw, so that nobody's work is overwritten unseen."""

from __future__ import annotations

from starlette.requests import Request

from app.problem import Problem

IF_MATCH = {"if-match": "The ETag of the version that is to be changed"}


def etag(version: int) -> str:
    """As a header's value."""
    return f'"{version}"'


def require_version(request: Request, version: int, *, named: bool = True) -> None:
    """Raises Problem 412 where the request was made for another version; 428 where it names none but has to."""
    told = request.headers.get("if-match")
    if told is None:
        if named:
            raise Problem(
                428, "Say which version", "send the ETag of what you read as If-Match, so that nothing is overwritten"
            )
        return
    seen = [part.strip().removeprefix("W/") for part in told.split(",")]
    if "*" not in seen and etag(version) not in seen:
        raise Problem(
            412, "Changed meanwhile", f"this is version {version} by now; read it again and repeat your change",
            headers={"etag": etag(version)},
        )  # fmt: skip
