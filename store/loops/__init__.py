"""The inner loops of an answer: compiled where they were (`make` does it), else in numpy, with the same results.

A list is made of some ninety look-ups in tables far larger than any cache. In numpy each is a pass over arrays of its
own, and between two requests of different people the cache has forgotten code and data alike; one compiled loop does
the work of five to twenty such passes (docs/decisions/recommend-path.md).
"""

from __future__ import annotations

from store.loops import plain

try:
    from store.loops import compiled as fastest
except ImportError:  # not built: slower, and the same answers
    fastest = plain  # type: ignore[misc]  # two modules with the same functions (tests/test_loops.py)

COMPILED = fastest is not plain
"""Whether the compiled loops are used."""

alike = fastest.alike
best_places = fastest.best_places
fondness = fastest.fondness
followed = fastest.followed
in_turns = fastest.in_turns
products = fastest.products
shares = fastest.shares
spread = fastest.spread
strongest = fastest.strongest
summed_best = fastest.summed_best
those_allowed = fastest.those_allowed
voted = fastest.voted
weighed = fastest.weighed

__all__ = [
    "COMPILED",
    "alike",
    "best_places",
    "followed",
    "fondness",
    "in_turns",
    "products",
    "shares",
    "spread",
    "strongest",
    "summed_best",
    "those_allowed",
    "voted",
    "weighed",
]  # fmt: skip
