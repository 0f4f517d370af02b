"""How long each kind of data is kept and what becomes of it then: the words of the `retention` hook."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from msgspec import Meta

DataKind = Literal[
    "events", "event ids", "visits", "people", "vault.purchases", "vault.searches", "vault.location", "decisions",
    "requests", "erasures", "moves", "aggregates",
]  # fmt: skip
"""What is kept: the log, the counted ids, visits going on, people and their features, the vault's three categories,
the ledger of decisions, people's requests, the marks of erased people, who is on the way to a new number, and counts
over many people."""
Days = Annotated[float, Meta(gt=0, le=36_500)]
KINDS: tuple[DataKind, ...] = get_args(DataKind)


@dataclass(frozen=True)
class RetentionPolicy:
    """What should become of a kind of data, in days since it came; None = no opinion."""

    keep_days: float | None = None
    """Gone after so long, at the latest."""
    anonymize_days: float | None = None
    """After so long nothing leads from it to a person any more."""
    aggregate_days: float | None = None
    """After so long it is counted; what is counted outlives it."""
    nothing_stays: bool = False
    """It is not counted, whatever other policies say."""


def strictest(policies: Iterable[RetentionPolicy]) -> RetentionPolicy:
    """What all policies together ask for: of each step the earliest, and counting only where nobody objects.

    What is to be counted is counted before its people are cut off or it is gone, however early that is.
    """
    asked = list(policies)
    nothing_stays = any(policy.nothing_stays for policy in asked)
    counted = None if nothing_stays else _least(policy.aggregate_days for policy in asked)
    anonymous = _least(policy.anonymize_days for policy in asked)
    gone = _least(policy.keep_days for policy in asked)
    if gone is not None and anonymous is not None and anonymous >= gone:
        anonymous = None
    return RetentionPolicy(gone, anonymous, counted, nothing_stays)


def _least(days: Iterable[float | None]) -> float | None:
    return min((day for day in days if day is not None), default=None)
