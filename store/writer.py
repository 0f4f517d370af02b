"""One writer per database: takes all work that waits, commits it as one group, and only then says "kept"."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar, cast

from store.database import Database, Transaction
from store.faults import StoreFault

_MUCH_AHEAD = 0.003
"""Processor seconds of commits after which they are folded into the file: some six hundred pages."""
Work = TypeVar("Work")
Result = TypeVar("Result")
T = TypeVar("T")


class QueueFull(Exception):
    """As much work waits as is allowed: answer "try again later"."""


class WriterClosed(Exception):
    """The node is stopping and takes no more work; what was taken before is still finished."""


Apply = Callable[[Transaction, Sequence[Work]], Awaitable[Sequence[Result | Exception]]]


@dataclass(eq=False)
class _Waiting(Generic[Work]):
    work: Work | None
    size: int
    action: Callable[[Transaction], Awaitable[object]] | None = None
    done: asyncio.Future[object] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def answer(self, result: object) -> None:
        if self.done.done():  # whoever asked went away
            return
        if isinstance(result, Exception):
            self.done.set_exception(result)
        else:
            self.done.set_result(result)


class GroupWriter(Generic[Work, Result]):
    """Group commit. `apply(transaction, works)` returns one result or exception per work, in order.

    `apply` must be repeatable (memory changes only after the commit): when it raises something other than a
    `StoreFault`, the group is tried again one by one, so that one poisonous work fails alone. `bound` and `group_max`
    count `size(work)`, 1 each by default.
    """

    def __init__(
        self,
        database: Database,
        apply: Apply[Work, Result],
        *,
        bound: int,
        group_max: int = 4_096,
        size: Callable[[Work], int] = lambda _work: 1,
    ) -> None:
        self._database = database
        self._apply = apply
        self._bound = bound
        self._group_max = group_max
        self._size = size
        self._queue: deque[_Waiting[Work]] = deque()
        self._wake = asyncio.Event()
        self._closing = False
        self.waiting = 0
        """Total size of the work that waits."""

    async def submit(self, work: Work) -> Result:
        """Returns `apply`'s result for this work after the COMMIT. Raises QueueFull, WriterClosed, a StoreFault
        (nothing was kept) or the exception `apply` gave for this work."""
        size = self._size(work)
        if self.waiting and self.waiting + size > self._bound:
            raise QueueFull(f"{self.waiting} of {self._bound} wait for the disk")
        return cast(Result, await self._enqueue(_Waiting(work, size)))

    async def exclusive(self, action: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run `action` in a transaction of its own, in turn; for maintenance, so not refused by the bound."""
        return cast(T, await self._enqueue(_Waiting(None, 0, action)))

    async def _enqueue(self, entry: _Waiting[Work]) -> object:
        if self._closing:
            raise WriterClosed("the node is stopping")
        self._queue.append(entry)
        self.waiting += entry.size
        self._wake.set()
        return await entry.done

    def close(self) -> None:
        """Take no more work; `run` returns when what waits is done."""
        self._closing = True
        self._wake.set()

    async def run(self) -> None:
        """The writing task, in the node's task group; returns after `close`."""
        taken: list[_Waiting[Work]] = []
        try:
            async with asyncio.TaskGroup() as beside:
                while True:
                    while not self._queue:
                        if self._closing:
                            return
                        self._wake.clear()
                        await self._wake.wait()
                    taken = self._take()
                    if taken and taken[0].action is not None:
                        await self._run_action(taken[0])
                    elif taken:
                        await self._run_group(taken)
                        if self._database.ahead > _MUCH_AHEAD:  # nobody waits for it: the next group is made meanwhile
                            beside.create_task(self._database.checkpoint_beside())
        finally:
            self._closing = True
            for entry in (*taken, *self._queue):
                entry.answer(WriterClosed("the node stopped before this was written"))
            self._queue.clear()

    def _take(self) -> list[_Waiting[Work]]:
        """What can go into one transaction: one action, or all works up to the next action or `group_max`."""
        taken: list[_Waiting[Work]] = []
        size = 0
        while self._queue:
            entry = self._queue[0]
            if taken and (entry.action is not None or size + entry.size > self._group_max):
                break
            self._queue.popleft()
            self.waiting -= entry.size
            if entry.done.cancelled():
                continue
            taken.append(entry)
            size += entry.size
            if entry.action is not None:
                break
        return taken

    async def _run_action(self, entry: _Waiting[Work]) -> None:
        assert entry.action is not None
        try:
            async with self._database.transaction() as transaction:
                result = await entry.action(transaction)
        except Exception as error:
            entry.answer(error)
        else:
            entry.answer(result)

    async def _run_group(self, group: list[_Waiting[Work]]) -> None:
        works = [entry.work for entry in group if entry.work is not None]
        try:
            async with self._database.transaction() as transaction:
                results = await self._apply(transaction, works)
                if len(results) != len(group):
                    raise RuntimeError(f"apply answered {len(results)} of {len(group)} works")
        except StoreFault as fault:
            results = [fault] * len(group)
        except Exception as error:
            if len(group) > 1:
                for entry in group:
                    await self._run_group([entry])
                return
            results = [error]
        for entry, result in zip(group, results, strict=True):
            entry.answer(result)
