"""Some doors open only to the shop's own server."""

from __future__ import annotations

from starlette.requests import Request

from app.problem import Problem
from app.routes.bearer import bearer
from store.keys import KeyRing


def require_server_key(request: Request, keys: KeyRing) -> None:
    """Raises Problem 401 without a key that is ours, 403 for one that browsers know."""
    key = keys.check(bearer(request.headers.get("authorization", "")))
    if key is None:
        raise Problem(
            401,
            "A server key is needed",
            "send it as `Authorization: Bearer sk_…`",
            headers={"www-authenticate": "Bearer"},
        )
    if key.kind != "server":
        raise Problem(403, "A server key is needed", "this one stands in every page of the shop and opens less")
