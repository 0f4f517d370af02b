"""What a training tells of a new generation before it serves: how good its lists are beside those that serve."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Judgement:
    """A new generation, measured on what people did last, which it was not learned from. Means over people, 0..1."""

    generation: str
    """Its id."""
    learned: str
    """`[privacy] learned` as it was trained with."""
    metric: str
    """What was measured, such as "NDCG@12"."""
    people: int
    """How many were asked about."""
    new: float
    popularity: float
    """Of the items most people bought, the same for everyone."""
    serving: float | None = None
    """Of the generation that serves; None where none does, or it cannot be read."""
    error: float = 0.0
    """Standard error of `new` against the better of the others; with noise added to the figures, that too."""
