"""Every artefact a generation may hold, and what each is made of: an artefact that is not listed is not published.

Under `dp` and `threshold` all but the catalogue's own are made of releases, each of which has its debit.
"""

from __future__ import annotations

from collections.abc import Iterable

from app.learning.memory import Memory
from app.learning.release import Door
from store.budget import BudgetReader

CATALOGUE: frozenset[str] = frozenset()
COUNTS = frozenset({"people.all", "counts.items", "counts.regions"})
PAIRS = frozenset({"pairs.near.groups", "pairs.near.items", "pairs.together.groups", "pairs.together.items"})
CLICKS = frozenset({"ranking.clicks"})
VECTORS = frozenset({"vectors.people", "vectors.left", "vectors.right"})

MADE_OF: dict[str, frozenset[str]] = {
    "content": CATALOGUE,
    "popularity": COUNTS,
    "selling_now": COUNTS,
    "trending": COUNTS,
    "neighbours": COUNTS | PAIRS,
    "together": COUNTS | PAIRS,
    "item_vectors": VECTORS,
    "taste": VECTORS,
    "ranking": CLICKS,  # weights of placements; they are in the card
    "segments": CATALOGUE,  # found among what was released and the catalogue; their sizes are in the card, released
}
"""Artefact (the name up to "." or "@") -> the releases it may be made of, in `dp` and `threshold`."""
EXACT_ONLY = frozenset({"sessions", "click_rates"})
"""What holds what people did as it was, and so is only ever made in `exact`."""


class Unpaid(Exception):
    """An artefact nobody listed, or made of a release that is not in the ledger: it must not be published."""


def artefact(name: str) -> str:
    """What an array or file of a generation belongs to: "popularity@FR" and "content.hnsw" to popularity, content."""
    return name.partition(".")[0].partition("@")[0]


def check_paid(names: Iterable[str], door: Door, memory: Memory) -> None:
    """Every artefact is listed, and was made of releases that are in the ledger. Raises Unpaid."""
    for name in sorted({artefact(name) for name in names}):
        made_of = MADE_OF.get(name)
        if made_of is None:
            told = "is only for 'exact'" if name in EXACT_ONLY else "is not listed in app/learning/artefacts.py"
            raise Unpaid(f"{name!r} {told}: it is not published under [privacy] learned = {door.mode!r}")
        if made_of and not any(_in_ledger(door.ledger, memory.paid_by(release), release) for release in made_of):
            raise Unpaid(f"{name!r} is made of {', '.join(sorted(made_of))}, none of which is in {door.ledger.path}")


def _in_ledger(ledger: BudgetReader, run: int, release: str) -> bool:
    return any(debit.name == release for debit in ledger.debits_of(run))
