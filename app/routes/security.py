"""Headers every answer carries, whatever it is; a route that says something else about one of them is heard."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"strict-origin-when-cross-origin"),
    # Heeded over TLS only, so a shop on its own machine is not locked out.
    (b"strict-transport-security", b"max-age=31536000"),
    # No answer is a page unless its route says so: nothing in it runs, and nobody frames it.
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    # An answer about someone is never kept by a cache; what may be kept says so.
    (b"cache-control", b"no-store"),
]


class SecureHeaders:
    """Pure ASGI: adds them where the answer does not set its own."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = dict(message["headers"])
                message["headers"] = [*message["headers"], *[pair for pair in HEADERS if pair[0] not in present]]
            await send(message)

        await self.app(scope, receive, send_with_headers)
