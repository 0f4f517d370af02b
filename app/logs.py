"""Log lines: an allow-list of facts, never a parameter, never an id of a person."""

from __future__ import annotations

import logging
import sys
import traceback
from types import TracebackType

# These log what they are given (bound SQL parameters, request targets) when turned up: pinned above DEBUG.
TALKATIVE = ("aiosqlite", "asyncio", "hypercorn", "hpack", "h2", "h11")
OURS = ("store.faults", "app.config", "app.node", "app.serve", "plugins.answers", "plugins.loading")
"""Whose errors speak of files, settings and plugins, and never quote a request."""
Raised = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class PlacesOnly(logging.Formatter):
    """A traceback says where in the program and which kind of mistake, not with which words: what libraries say may
    quote what a visitor sent. Those of OURS are written for operators and are told."""

    def formatException(self, ei: Raised) -> str:  # noqa: N802  # logging's name
        error = ei[1]
        return "" if error is None else "\n".join(_places(error, set()))


def _places(error: BaseException, told: set[int]) -> list[str]:
    told.add(id(error))
    lines: list[str] = []
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None and id(before) not in told:
        lines += [*_places(before, told), "which led to:"]
    lines.append("Traceback (most recent call last):")
    lines += [line.rstrip("\n") for line in traceback.format_tb(error.__traceback__)]
    kind = type(error)
    words = f": {error}" if kind.__module__.startswith(OURS) else " (its words are left out: they may name someone)"
    lines.append(f"{kind.__module__}.{kind.__qualname__}{words}")
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            if id(part) not in told:
                lines += ["one of these:", *_places(part, told)]
    return lines


def set_up_logs(level: int = logging.INFO) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(PlacesOnly("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    sys.excepthook = _tell_places


def _tell_places(_: type[BaseException], error: BaseException, __: TracebackType | None) -> None:
    """A crash that ends the process is told alike."""
    sys.stderr.write("\n".join(_places(error, set())) + "\n")
