"""Speaks to a node's HTTP surface inside the process: a proof needs no port and no other program."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
from starlette.types import ASGIApp, Message


class Said(NamedTuple):
    """An answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:  # noqa: ANN401  whatever the route answers
        return msgspec.json.decode(self.body)


async def ask(
    app: ASGIApp, method: str, target: str, *, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> Said:
    """One request over ASGI 3."""
    path, _, query = target.partition("?")
    sent = {"host": "localhost", "content-length": str(len(body)), **(headers or {})}
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "https",
        "path": path, "raw_path": path.encode(), "query_string": query.encode(), "root_path": "",
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in sent.items()],
        "client": ("127.0.0.1", 9), "server": ("localhost", 443), "state": {},
    }  # fmt: skip
    waiting = [{"type": "http.request", "body": body, "more_body": False}]
    answers: list[Message] = []

    async def receive() -> Message:
        return waiting.pop() if waiting else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        answers.append(message)

    await app(scope, receive, send)
    start = next(message for message in answers if message["type"] == "http.response.start")
    content = b"".join(message.get("body", b"") for message in answers)
    return Said(start["status"], {name.decode(): value.decode("latin-1") for name, value in start["headers"]}, content)
