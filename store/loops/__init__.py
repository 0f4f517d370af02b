"""The inner loops of an answer: compiled where they were (`make` does it), else in numpy, with the same results.

A list is made of some ninety look-ups in tables far larger than any cache. In numpy each is a pass over arrays of its
own, and between two requests of different people the cache has forgotten code and data alike; one compiled loop does
the work of five to twenty such passes (docs/decisions/recommend-path.md).
"""

from __future__ import annotations

import logging

from store.loops import plain
from store.loops.plain import Boards, Word

try:
    from store.loops import compiled as fastest
except ImportError as reason:  # slower, and the same answers
    logging.getLogger("personalize").warning(
        "answers take longer: the inner loops were not compiled, `make setup` does it (%s)", reason
    )
    fastest = plain  # type: ignore[misc]  # two modules with the same functions (tests/test_loops.py)

COMPILED = fastest is not plain
"""Whether the compiled loops are used."""

als_rows = fastest.als_rows
any_of = fastest.any_of
best_places = fastest.best_places
faded = fastest.faded
first_shown = fastest.first_shown
folded = fastest.folded
followed = fastest.followed
fondness = fastest.fondness
in_turns = fastest.in_turns
matched = fastest.matched
products = fastest.products
ridge_rows = fastest.ridge_rows
rows = fastest.rows
scaled = fastest.scaled
shares = fastest.shares
spaced = fastest.spaced
spread = fastest.spread
squares_by_row = fastest.squares_by_row
strongest = fastest.strongest
summed_best = fastest.summed_best
those_allowed = fastest.those_allowed
weighed = fastest.weighed
went_on = fastest.went_on
within = fastest.within

__all__ = [
    "COMPILED",
    "Boards",
    "Word",
    "als_rows",
    "any_of",
    "best_places",
    "faded",
    "first_shown",
    "folded",
    "followed",
    "fondness",
    "in_turns",
    "matched",
    "products",
    "ridge_rows",
    "rows",
    "scaled",
    "shares",
    "spaced",
    "spread",
    "squares_by_row",
    "strongest",
    "summed_best",
    "those_allowed",
    "weighed",
    "went_on",
    "within",
]
