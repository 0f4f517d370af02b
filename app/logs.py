"""Log lines: an allow-list of facts, never a parameter, never an id of a person."""

from __future__ import annotations

import logging
import sys

# These log what they are given (bound SQL parameters, request targets) when turned up: pinned above DEBUG.
TALKATIVE = ("aiosqlite", "asyncio", "hypercorn", "hpack", "h2", "h11")


def set_up_logs(level: int = logging.INFO) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
