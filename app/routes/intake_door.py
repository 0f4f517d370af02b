"""What holds for everyone who hands in events: which key, how often, from which page, and what a full disk answers."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Sequence
from time import perf_counter
from typing import TYPE_CHECKING

import msgspec
from starlette.requests import Request

from app.dialects.segment import Group
from app.ingest.rate import RateLimit, client_address
from app.ingest.wire import BatchOnWire, BatchResult, DropReason, EventResult, Refused, read_batch
from app.privacy.gatekeeper import gpc_signal
from app.problem import FieldError, Problem
from app.routes.bearer import bearer
from app.routes.cors import origin_allowed
from store.api_keys import ApiKey
from store.faults import StoreFault
from store.writer import QueueFull, WriterClosed

if TYPE_CHECKING:
    from app.node import Node

log = logging.getLogger("personalize.ingest")


class IntakeDoor:
    """Shared by all routes that take events, with the one thing they remember: how much each network prefix sent."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.limits = node.config.ingest
        self._listed = node.config.server.allowed_origins
        self._rate = RateLimit(per_minute=self.limits.batches_per_minute, prefixes=self.limits.prefixes)

    def bearer(self, request: Request) -> ApiKey | None:
        """The key of the Authorization header; None without one. Raises Problem for one that is unknown."""
        told = request.headers.get("authorization", "")
        if not told:
            return None
        key = self._node.keys.check(bearer(told))
        if key is None:
            raise Problem(401, "Not allowed", "unknown key", headers={"www-authenticate": "Bearer"})
        return key

    def check_origin(self, origin: str, key: ApiKey) -> None:
        """Raises Problem 403 for a page that may not use this key."""
        if not origin_allowed(origin, key, self._listed):
            raise Problem(403, "Not allowed", "this key is not for this origin")

    def hold_off_floods(self, request: Request) -> None:
        """Raises Problem 429."""
        peer = request.client.host if request.client else ""
        address = client_address(peer, request.headers.get("x-forwarded-for", ""), self.limits.proxies)
        wait = self._rate.wait(address, perf_counter())
        if wait:
            retry = {"retry-after": str(math.ceil(wait))}
            raise Problem(429, "Too many requests", "this network sends faster than it may", headers=retry)

    def read(self, body: bytes) -> BatchOnWire:
        """A batch of ours. Raises Problem 400."""
        try:
            return read_batch(body, self.limits.events_per_batch)
        except Refused as refused:
            error = FieldError(refused.pointer, refused.detail)
            raise Problem(400, "Not a batch of events", refused.detail, errors=[error]) from None

    async def take(self, request: Request, batch: BatchOnWire, key: ApiKey) -> BatchResult:
        """Returns when the batch is on disk. Raises Problem 503 where it is not, and may be tried again."""
        incoming = self._node.intake.prepare(batch, key, gpc=gpc_signal(request.headers.getlist("sec-gpc")))
        try:
            answer = await self._node.intake.submit(incoming)
            self._node.watches.note(request, batch, answer.results, self._node.clock.now())
            return answer
        except (QueueFull, WriterClosed, StoreFault) as error:
            raise self.later(error) from error

    async def take_groups(
        self, request: Request, groups: Sequence[Group], key: ApiKey, results: list[EventResult | None]
    ) -> None:
        """Batches of several visitors, written together; what became of each message is put at its place."""
        batches = [self._batch_of(group, results) for group in groups]
        wanted = [(group, batch) for group, batch in zip(groups, batches, strict=True) if batch is not None]
        answers = await asyncio.gather(*(self.take(request, batch, key) for _, batch in wanted))
        for (group, _), answer in zip(wanted, answers, strict=True):
            for place, result in zip(group.places, answer.results, strict=True):
                results[place] = result

    def _batch_of(self, group: Group, results: list[EventResult | None]) -> BatchOnWire | None:
        """None where the envelope cannot be read: its events are answered, those of other visitors go on."""
        try:
            return read_batch(msgspec.json.encode({**group.envelope, "events": group.events}), len(group.events))
        except Refused as refused:
            for place, event in zip(group.places, group.events, strict=True):
                said = f"{refused.pointer} {refused.detail}".strip()
                results[place] = EventResult(str(event.get("id", "")), "dropped", DropReason.MALFORMED, said)
            return None

    def later(self, error: Exception) -> Problem:
        """Nothing was kept, and the sender may try again. What is wrong with a file is for the operator."""
        said = {
            QueueFull: "more events wait for the disk than may",
            WriterClosed: "the server is stopping",
        }.get(type(error), "the disk does not take events")
        if isinstance(error, StoreFault):
            log.error("events are refused: %s", error)
        return Problem(503, "Try again later", said, headers={"retry-after": str(self.limits.retry_after_seconds)})
