"""Waits for what becomes true by itself: the state of another task, of another process."""

import asyncio
from collections.abc import Callable


async def until(true: Callable[[], object], seconds: float = 30) -> None:
    """Return as soon as it is; TimeoutError when it takes longer than could be right on any machine."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110  nobody tells when it happens
            await asyncio.sleep(0.005)
