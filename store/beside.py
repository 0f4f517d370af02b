"""Long work in a thread beside the event loop: in small pieces, with rests between them that belong to the requests.

A thread that works on without a rest takes half of a server's one core: requests then take twice as long, queue up, and
each waits for those before it. A piece is short enough for nobody to notice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from threading import Event
from time import perf_counter, process_time, thread_time
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")
Rest = Callable[[], None]
"""Called after every piece of work."""

PIECE = 1 << 18
"""Bytes, or numbers, that are handled without asking for a rest: a fraction of a millisecond."""
_WORK_SECONDS = 0.0005
_IDLE_RESTS, _BUSY_RESTS = 2.0, 32.0
"""Times as long as the work before; the first where the process does nothing else, the second where it is busy."""
_LONGEST_REST = 0.1


class Stopped(Exception):
    """The server stops: what was begun is left."""


async def in_thread(work: Callable[[Rest], T]) -> T:
    """Do it beside the event loop, with rests; given up at the next rest where the task is cancelled."""
    rests = Rests()
    try:
        return await asyncio.to_thread(work, rests)
    except asyncio.CancelledError:
        rests.stop()
        raise


def at_once() -> None:
    """No rest: nobody else is waiting for the processor."""


class Rests:
    """A rest is the longer the busier the rest of the process is. For one thread; another one may call `stop`."""

    def __init__(self) -> None:
        self._stop = Event()
        self._worked: float | None = None
        self._times = _BUSY_RESTS

    def stop(self) -> None:
        """The next rest ends the work."""
        self._stop.set()

    def __call__(self) -> None:
        """Raises Stopped."""
        now = thread_time()
        if self._worked is None:
            self._worked = now
        worked = now - self._worked
        if worked < _WORK_SECONDS and not self._stop.is_set():
            return
        began, others = perf_counter(), process_time()
        if self._stop.wait(min(self._times * worked, _LONGEST_REST)):
            raise Stopped
        busy = (process_time() - others) / max(perf_counter() - began, 1e-6)
        self._times = _IDLE_RESTS + (_BUSY_RESTS - _IDLE_RESTS) * min(busy, 1.0)
        self._worked = thread_time()


def pieces(size: int, piece: int = 0) -> Iterator[slice]:
    """What `size` bytes or numbers are handled in, PIECE of them at once; rows, `piece` of them."""
    piece = piece or PIECE
    return (slice(start, min(start + piece, size)) for start in range(0, size, piece))


def all_finite(array: NDArray[np.floating], rest: Rest = at_once) -> bool:
    """Whether no number is nan or infinite; never a pass over the whole array, and the memory it would take."""
    flat = array.reshape(-1)
    for piece in pieces(len(flat)):
        if not np.isfinite(flat[piece]).all():
            return False
        rest()
    return True
