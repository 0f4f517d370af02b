"""A node that knows two people and dies while it forgets one of them.

Run: python tests/erasure_killed.py FOLDER STEP
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from tests.open_shop import ANON, open_shop
from tests.people import OTHER, shop_for


async def main(folder: Path, last: str) -> None:
    def reached(step: str) -> None:
        if step == last:
            os.kill(os.getpid(), signal.SIGKILL)

    async with open_shop(folder) as node:
        await shop_for(node, ANON)
        await shop_for(node, OTHER)
        node.erasures.reached = reached
        await node.erasures.erase([("anon", ANON)])
        await node.erasures.finish()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
