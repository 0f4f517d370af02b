"""An answer that says what was wrong, where, and what would be right (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec


class FieldError(msgspec.Struct, frozen=True):
    """One thing wrong: a JSON pointer into the request and a sentence."""

    pointer: str
    detail: str


class ProblemDetails(msgspec.Struct, frozen=True, omit_defaults=True):
    """application/problem+json."""

    title: str
    status: int
    detail: str = ""
    type: str = "about:blank"
    errors: tuple[FieldError, ...] = ()


class Problem(Exception):
    """Raise it anywhere below a route: the client gets it as problem+json."""

    def __init__(
        self,
        status: int,
        title: str,
        detail: str = "",
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        kind: str = "about:blank",
    ) -> None:
        super().__init__(f"{status} {title}: {detail}")
        self.details = ProblemDetails(title=title, status=status, detail=detail, type=kind, errors=tuple(errors))
        self.headers = dict(headers or {})
