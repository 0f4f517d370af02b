"""Lets pages of the shop's storefronts read answers: the wrapper of routes that browsers ask directly."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.routes.cors import PREFLIGHT_SECONDS, origin_allowed

Headers = list[tuple[bytes, bytes]]


class CrossOrigin:
    """Pure ASGI: adds what a browser wants to see on answers and problems alike, and answers its question before.

    Never with credentials. Where `[server] allowed_origins` is empty every origin may read, so that caches can share.
    """

    def __init__(self, app: ASGIApp, allowed_origins: Sequence[str]) -> None:
        self._app = app
        self._listed = tuple(allowed_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        extra = readable(scope, self._listed)
        if scope["method"] == "OPTIONS":
            asked = b"GET, POST, DELETE"
            extra += [
                (b"access-control-allow-methods", asked),
                (b"access-control-allow-headers", b"content-type, authorization, personalize-visitor"),
                (b"access-control-max-age", b"%d" % PREFLIGHT_SECONDS),
            ] if extra else [(b"allow", asked)]  # fmt: skip
            await send({"type": "http.response.start", "status": 204, "headers": extra})
            await send({"type": "http.response.body", "body": b""})
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *extra]
            await send(message)

        await self._app(scope, receive, send_with_headers if extra else send)


def readable(scope: Scope, listed: Sequence[str]) -> Headers:
    """Headers that let the page that asked read the answer; `listed` is `[server] allowed_origins`."""
    origin = next((value for name, value in scope["headers"] if name == b"origin"), b"")
    if not listed:
        return [(b"access-control-allow-origin", b"*")] if origin else []
    # Also without an origin: a cache must not hand such an answer to a page that may not read it.
    vary = [(b"vary", b"origin")]
    if not origin or not origin_allowed(origin.decode("latin-1"), None, listed):
        return vary
    return [(b"access-control-allow-origin", origin), *vary]
