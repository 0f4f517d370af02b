"""A generation somebody went back to stays: no training takes its place until somebody says so.

Otherwise the next scheduled training would silently undo a roll back, and in `dp` pay for it. While a generation is
pinned no training begins.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from app.config import Config
from app.learning.model import LearnedModel
from store.beside import Rest, at_once
from store.catalogue import Catalogue
from store.faults import GenerationUnreadable
from store.generation import aside, current, generations, load_generation, publish, refused


class Pin(msgspec.Struct, frozen=True):
    """Who went back to what, when (epoch seconds)."""

    generation: str
    by: str
    at: float

    def sentence(self) -> str:
        at = f"{datetime.fromtimestamp(self.at, UTC):%Y-%m-%d %H:%M} UTC"
        return f"generation {self.generation} is pinned since {at}, when {self.by} went back to it"


class NoSuchGeneration(LookupError):
    """The message names those there are."""


def pin(home: Path) -> Pin | None:
    """What is pinned. A pin counts only while its generation is the published one."""
    try:
        found = msgspec.json.decode((home / "pinned").read_bytes(), type=Pin)
        return found if current(home) == found.generation else None
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, GenerationUnreadable):
        return None


def promote(
    home: Path,
    id: str,  # noqa: A002
    by: str,
    at: float,
    catalogue: Catalogue,
    config: Config,
    rest: Rest = at_once,
) -> Pin | None:
    """Publish a generation that is kept, also one that was refused; a running server takes it over within seconds.

    Unless it is the newest of those that were ever published, it is pinned. Raises NoSuchGeneration, and
    GenerationUnreadable for one that does not answer: then nothing changes.
    """
    kept, others = generations(home), refused(home)
    if id not in (*kept, *others):
        known = ", ".join((*kept, *others)) or "none yet"
        raise NoSuchGeneration(f"there is no generation {id!r}; there are: {known}")
    LearnedModel.load(load_generation(home if id in kept else aside(home), id, rest), catalogue, config, rest)
    newest = bool(kept) and id == kept[-1]
    made = None if newest else Pin(id, by, at)
    if made is None:
        unpin(home)
    else:  # first: published but not pinned, the next training would undo it
        temporary = home / f".pinned.{os.getpid()}"
        temporary.write_bytes(msgspec.json.encode(made))
        temporary.replace(home / "pinned")
    if id not in kept:
        (aside(home) / id).rename(home / id)
    publish(home, id)
    return made


def unpin(home: Path) -> Pin | None:
    """Let trainings publish again; what was pinned."""
    found = pin(home)
    (home / "pinned").unlink(missing_ok=True)
    return found
