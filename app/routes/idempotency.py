"""A request that is sent twice is done once: `Idempotency-Key` on what staff POST.

The answers of the last requests are kept in memory, by account and key; a restart forgets them.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response

from app.problem import Problem

HEADER = "idempotency-key"
LONGEST = 128
TOLD = {HEADER: "A text of your own choice; the same request sent again with it is answered as the first time"}


@dataclass(eq=False)
class _Done:
    digest: bytes
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    answer: Response | None = None


class Once:
    """The last answers, at most `bound`."""

    def __init__(self, bound: int = 1000) -> None:
        self._bound = bound
        self._done: OrderedDict[tuple[str, str], _Done] = OrderedDict()

    async def answer(
        self, request: Request, account: str, body: bytes, work: Callable[[], Awaitable[Response]]
    ) -> Response:
        """What `work` answers, or answered the last time. What failed is done again.

        Raises Problem 422 where the key came with another request before.
        """
        key = request.headers.get(HEADER, "")
        if not key:
            return await work()
        if len(key) > LONGEST:
            raise Problem(400, "Not a valid Idempotency-Key", f"at most {LONGEST} characters")
        digest = hashlib.sha256(f"{request.method} {request.url.path}\n".encode() + body).digest()
        done = self._done.setdefault((account, key), _Done(digest))
        self._done.move_to_end((account, key))
        if len(self._done) > self._bound:
            self._done.popitem(last=False)
        if done.digest != digest:
            raise Problem(422, "This Idempotency-Key was used before", "for another request; choose a new one")
        async with done.turn:
            if done.answer is None:
                done.answer = await work()
            return done.answer
