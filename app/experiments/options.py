"""How experiments run and when their results may be read, as the operator writes it."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

Positive = Annotated[int, Meta(ge=1)]


class ExperimentOptions(msgspec.Struct, frozen=True):
    """[experiments]."""

    holdout: Annotated[float, Meta(ge=0, le=50)] = 0.0
    """Percent of the visitors who always get the static lists, so that what personalization brings can be measured."""
    running_at_most: Annotated[int, Meta(ge=1, le=100)] = 20
    """At the same time."""
    kept_at_most: Positive = 500
    """Experiments in all: drafts, running and stopped ones."""
    counted_at_most: Annotated[int, Meta(ge=1, le=1_000)] = 50
    """Lists, clicks, carts or orders of one person in one experiment; more are not counted."""
    confidence: Annotated[float, Meta(ge=0.5, le=0.999)] = 0.95
    """Of the intervals, however often one looks."""
    people_before_reading: Annotated[int, Meta(ge=50)] = 100
    """In each arm, before a result is read at all."""
    planned_people: Annotated[int, Meta(ge=200)] = 10_000
    """Around so many people in all the intervals are narrowest."""
