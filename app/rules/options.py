"""What an operator can set about rules: bounds of what marketers write and of what is kept in memory for it."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

Count = Annotated[int, Meta(ge=1)]


class RulesOptions(msgspec.Struct, frozen=True):
    """[rules]: /v1/rules."""

    at_most: Annotated[int, Meta(ge=1, le=10_000)] = 2_000
    """Rules of one version."""
    items_at_most: Annotated[int, Meta(ge=1, le=10_000)] = 200
    """Item ids that one rule may name; for more write an expression."""
    versions_kept: Count = 200
    body_bytes: Count = 1_048_576
    """A larger request is answered with 413."""
    cache_mb: Count = 64
    """Which items each expression names, kept in memory; what is not used longest is computed again."""
    personas_at_most: Count = 200
    impact_days: Annotated[int, Meta(ge=1, le=3_660)] = 90
    """How long it is kept how often a rule was applied; nobody is named in it."""
