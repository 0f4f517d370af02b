"""/v1/imports: the shop's server hands in its catalogue as a feed, or has a configured one pulled."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.feeds.options import FeedOptions, Format
from app.feeds.take import Busy, Taken
from app.problem import FieldError, Problem
from app.routes.answers import json_response
from app.routes.items import PRIVATE
from app.routes.openapi import Operation
from app.routes.server_key import require_server_key
from store.faults import DatabaseFull

if TYPE_CHECKING:
    from app.node import Node

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LATEST = 50


class PastImport(msgspec.Struct, frozen=True):
    """One import that was."""

    id: int
    at: int
    """Epoch seconds."""
    result: Taken


class ImportsAnswer(msgspec.Struct, frozen=True):
    """The latest imports, newest first, and the feeds that are configured."""

    imports: list[PastImport]
    feeds: list[str]


QUERY = {
    "feed": "Its name; what this feed brought before and names no more is taken out. `upload` where it has none",
    "format": "auto, google-xml, google-tsv, shopify, woocommerce, json-ld, ndjson, csv or yaml",
    "preview": "1: say what would change, and change nothing",
    "shrink": "1: take it however much is gone from it",
}
OPERATIONS = [
    Operation("get", "/v1/imports", "The latest catalogue imports", answer=ImportsAnswer, key="server",
              problems=(401, 403)),
    Operation("post", "/v1/imports", "Take over a catalogue feed: the body in any format we read, or, without a body,"
              " the configured feed of that name", answer=Taken, query=QUERY, key="server",
              problems=(400, 401, 403, 404, 409, 413, 503)),
]  # fmt: skip


def routes(node: Node) -> list[Route]:
    handlers = Handlers(node)
    return [
        Route("/v1/imports", handlers.page, methods=["GET"]),
        Route("/v1/imports", handlers.take, methods=["POST"]),
    ]


class Handlers:
    """The handlers with what they share."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def page(self, request: Request) -> Response:
        require_server_key(request, self._node.keys)
        rows = await self._node.shop.feeds.imports(_LATEST)
        past = [PastImport(number, at, msgspec.json.decode(result, type=Taken)) for number, _, at, result in rows]
        return json_response(ImportsAnswer(past, sorted(self._node.config.feeds)), 200, PRIVATE)

    async def take(self, request: Request) -> Response:
        """200 when it was taken or would be; 409 where it was not, with what is wrong row by row."""
        require_server_key(request, self._node.keys)
        told = request.query_params
        name = told.get("feed", "upload")
        if not _NAME.fullmatch(name):
            raise _wrong("feed", "letters, digits, dots, dashes and underscores, at most 64")
        options = self._node.config.feeds.get(name, FeedOptions())
        if "format" in told:
            options = msgspec.structs.replace(options, format=_format(told["format"]))
        intake = self._node.feeds
        path = intake.folder / f"upload-{id(request):x}"
        try:
            size = await self._receive(request, path)
            if not size and not (options.url or options.file):
                raise Problem(
                    404, "No such feed", f"there is no [feeds.{name}]; send the feed as the body, or configure it"
                )
            source: Path | None = path
            if size:
                options = msgspec.structs.replace(options, url="")
            else:
                source = self._node.config_path.parent / options.file if options.file else None
            taken = await intake.take(name, options, source, preview=_yes(told, "preview"), shrink=_yes(told, "shrink"))
        except Busy:
            raise Problem(
                503, "Another feed is being read", "try again when it is done", headers={"retry-after": "10"}
            ) from None
        finally:
            path.unlink(missing_ok=True)
        if taken.status in ("refused", "failed"):
            rows = [
                FieldError(f"/{row.place}{wrong.pointer}", wrong.detail) for row in taken.errors for wrong in row.errors
            ]
            raise Problem(409, "The feed was not taken", taken.detail, errors=rows)
        return json_response(taken, 200, PRIVATE)

    async def _receive(self, request: Request, path: Path) -> int:
        """The body as a file; returns its bytes. Raises Problem 413, DatabaseFull."""
        try:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            with path.open("wb") as file:
                return await self._copy(request, file)
        except OSError as error:
            told = f"cannot be written ({error.strerror}); make room on the disk, then send the feed again"
            raise DatabaseFull(path, told) from None

    async def _copy(self, request: Request, file: BinaryIO) -> int:
        most = self._node.config.catalogue.feed_bytes
        size = 0
        async for part in request.stream():
            size += len(part)
            if size > most:
                raise Problem(413, "The feed is too large", f"at most {most:,} bytes are read ([catalogue] feed_bytes)")
            file.write(part)
        return size


def _format(text: str) -> Format:
    try:
        return cast("Format", msgspec.convert(text, Format))
    except msgspec.ValidationError:
        raise _wrong("format", f"one of {QUERY['format']}") from None


def _yes(told: Mapping[str, str], name: str) -> bool:
    return told.get(name, "").lower() in ("1", "true", "yes")


def _wrong(name: str, right: str) -> Problem:
    return Problem(400, "Not a valid request", f"{name}: {right}", errors=[FieldError(f"?{name}", right)])
