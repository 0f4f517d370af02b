"""Holds floods off: of more requests than one network prefix may send the rest is answered 429; no address is kept."""

from __future__ import annotations

import math
from time import perf_counter
from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Receive, Scope, Send

from app.ingest.rate import RateLimit, client_address, packed
from app.problem import Problem
from app.routes.answers import problem_response
from app.routes.bearer import bearer
from app.routes.cross_origin import readable

if TYPE_CHECKING:
    from app.node import Node

WATCHED = ("/livez", "/readyz", "/metrics")
"""Asked by the operator's own machines, which must hear of a flood and not be held off by it."""
_LOOPBACK = bytes(15) + b"\x01"


class Throttle:
    """Pure ASGI, before anything of a request is looked at.

    Not held off: the shop's server (it asks for everyone, with its key), and programs of this very machine, unless
    [ingest] proxies says that they speak for others.
    """

    def __init__(self, app: ASGIApp, node: Node) -> None:
        self._app = app
        self._keys = node.keys
        self._proxies = node.config.ingest.proxies
        self._listed = node.config.server.allowed_origins
        per_minute = node.config.server.requests_per_minute
        self._rate = RateLimit(per_minute=per_minute, prefixes=node.config.ingest.prefixes) if per_minute else None
        self._held_off = node.metrics.counter("requests_held_off", "Requests answered 429 before they were read.")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        wait = self._wait(scope) if scope["type"] == "http" and self._rate else 0.0
        if not wait:
            await self._app(scope, receive, send)
            return
        self._held_off.inc()
        problem = Problem(
            429,
            "Too many requests",
            "this network asks faster than it may",
            headers={"retry-after": str(math.ceil(wait))},
        )
        problem.headers.update(
            (name.decode(), value.decode("latin-1")) for name, value in readable(scope, self._listed)
        )
        await problem_response(problem)(scope, receive, send)

    def _wait(self, scope: Scope) -> float:
        peer = scope["client"][0] if scope.get("client") else ""
        if scope["path"] in WATCHED or (not self._proxies and _own_machine(peer)):
            return 0.0
        forwarded = ""
        for name, value in scope["headers"]:
            if name == b"authorization" and self._of_the_shop(value):
                return 0.0
            if name == b"x-forwarded-for":
                forwarded = f"{forwarded},{value.decode('latin-1')}"
        assert self._rate is not None
        return self._rate.wait(client_address(peer, forwarded, self._proxies), perf_counter())

    def _of_the_shop(self, authorization: bytes) -> bool:
        key = self._keys.check(bearer(authorization.decode("latin-1")))
        return key is not None and key.kind == "server"


def _own_machine(peer: str) -> bool:
    found = packed(peer)
    return found[:1] == b"\x7f" if len(found) == 4 else found == _LOOPBACK
