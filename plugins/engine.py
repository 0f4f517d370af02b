"""Where a training's sums over people are computed: one port, `map_merge`, whatever the machines behind it.

The people are cut into shards, a person in one shard only; a function turns each shard into sums, and sums of two
shards merge into sums of both. What is learned, and what noise is added, is decided outside: an engine only adds up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Arrays: TypeAlias = Mapping[str, NDArray[Any]]
"""What travels: arrays of numbers by name."""

Mapped: TypeAlias = Callable[[Arrays], Arrays]
"""A function at the top level of a module, so that another process can find it; it may be called again for a shard."""

Merged: TypeAlias = Callable[[Arrays, Arrays], Arrays]
"""Associative; may write into its first argument. The order of the shards is kept."""


class EngineFailed(Exception):
    """A shard could not be computed; the message says why. The training ends, what serves stays."""


class TrainingEngine(Protocol):
    """What `training_engine` answers."""

    def map_merge(self, mapped: Mapped, shards: Iterable[Arrays], merged: Merged) -> Arrays:
        """`merged` over `mapped` of every shard, of which there is at least one. Raises EngineFailed."""
        ...

    def close(self) -> None:
        """End what was started; may be called twice."""
        ...


@dataclass(frozen=True)
class EngineSetup:
    """What an engine may need to know of the program it works for."""

    program: tuple[str, ...]
    """The command that runs this very program; `map-worker` makes it a worker."""


class InProcess:
    """One shard after the other, here."""

    def map_merge(self, mapped: Mapped, shards: Iterable[Arrays], merged: Merged) -> Arrays:
        return merge_in_order(map(mapped, shards), merged)

    def close(self) -> None:
        pass


def merge_in_order(results: Iterable[Arrays], merged: Merged) -> Arrays:
    """All results merged from the first to the last; raises EngineFailed where there are none."""
    total: Arrays | None = None
    for result in results:
        total = result if total is None else merged(total, result)
    if total is None:
        raise EngineFailed("map_merge: there are no shards; a training needs at least one person")
    return total


def added(first: Arrays, second: Arrays) -> Arrays:
    """Sums of both, in the arrays of the first where they can be written to."""
    return {name: np.add(total, second[name], out=total if total.flags.writeable else None)
            for name, total in first.items()}  # fmt: skip
