"""The training's step that finds segments, and says how many people are in each, as far as that may be known."""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from app.learning import segments
from app.learning.membership import Membership
from app.learning.release import BudgetSpent
from app.learning.segments import Known, Segments
from store.affinities import AFFINITY_KINDS

if TYPE_CHECKING:
    from app.learning.train import Draft

SIZES = "segments.sizes"
SHOWN = 6
"""Terms of a segment that are told."""


def learn_segments(draft: Draft) -> None:
    """From what this generation knows by now: vectors and popularity that may be known, and the catalogue."""
    options = draft.config.training
    if not options.segments:
        return
    before = _before(draft)
    vectors = draft.arrays.get("item_vectors")
    if vectors is not None and draft.config.privacy.learned == "dp":
        vectors = segments.by_category(draft.catalogue, vectors)
    found = segments.learn(
        draft.catalogue,
        (vectors, draft.arrays.get("content.vectors")),
        draft.arrays.get("popularity"),
        most=options.segments,
        seed=options.seed,
        before=before,
    )
    if found is None:
        return
    draft.arrays |= {
        "segments.labels": found.labels,
        "segments.table": found.table,
        "segments.keys": np.array(found.keys, dtype=np.str_),
    }
    people = sizes(draft, found)
    draft.card["segments"] = [
        {
            "key": known.key,
            "name": known.name,
            "people": people.get(known.key),
            "items": int((found.labels == number).sum()),
            "terms": found.terms[number][:SHOWN],
        }
        for number, known in enumerate(found.known)
    ]


def sizes(draft: Draft, found: Segments) -> dict[str, int]:
    """How many people belong to each, rounded down; those of too few people, or that may not be known, are absent.

    A size that this training may not tell anew is the last one told.
    """
    counts = _released(draft, _people_in(draft, found))
    if counts is None:
        kept = {known.key for known in found.known}
        return {each["key"]: each["people"] for each in _told_before(draft) if each["key"] in kept and each["people"]}
    least = draft.config.retention.people_at_least
    return {
        known.key: int(count) // least * least
        for known, count in zip(found.known, counts.tolist(), strict=True)
        if count >= least
    }


def _people_in(draft: Draft, found: Segments) -> NDArray[np.int64]:
    """People of the dataset per segment; one person is in as many as `segment_share` leaves room for."""
    data = draft.dataset
    items = np.arange(draft.catalogue.size, dtype=np.int32)
    places = {key: place for place, key in enumerate(found.keys)}
    shares = np.zeros((draft.catalogue.size, len(found.known)), np.float32)
    for kind, codes in zip(AFFINITY_KINDS, draft.catalogue.affinity_codes(items), strict=True):
        said = np.flatnonzero(codes >= 0)
        distinct, where = np.unique(codes[said], return_inverse=True)
        rows = np.array([places.get(draft.catalogue.affinity_key(kind, code), -1) for code in distinct.tolist()], int)
        known = rows[where] >= 0
        shares[said[known]] += found.table[rows[where][known]]
    taste = np.zeros((data.people, len(found.known)))
    np.add.at(taste, data.person, data.weight[:, None] * shares[data.item])
    total = np.maximum(taste.sum(axis=1, keepdims=True), 1e-12)
    counts: NDArray[np.int64] = (taste / total >= draft.config.training.segment_share).sum(axis=0)
    return counts


def _released(draft: Draft, counts: NDArray[np.int64]) -> NDArray[np.float64] | None:
    """The counts as they may be known; None where nothing may be told in this training."""
    door = draft.door
    if door is None or door.mode == "exact":
        return counts.astype(np.float64) if draft.config.privacy.learned == "exact" else None
    if not door.open or draft.card.get("too_few"):
        return None
    try:
        multiplier = door.multiplier("segments")
        bound = belongs_at_most(draft.config.training.segment_share)
        return door.release(
            counts.astype(np.float64), name=SIZES, sensitivity=bound, noise_multiplier=multiplier, subjects=counts
        )
    except BudgetSpent:
        return None


def belongs_at_most(share: float) -> float:
    """How far one person moves all sizes together (L2): in at most 1 / share segments."""
    return sqrt(max(int(1 / share), 1))


def membership(card: dict[str, Any], arrays: dict[str, NDArray[Any]], share: float) -> Membership | None:
    """What a stored generation knows of segments. Raises ValueError where its parts do not fit together."""
    if "segments.table" not in arrays:
        return None
    keys, table, told = arrays["segments.keys"], arrays["segments.table"], card["segments"]
    if table.shape != (len(keys), len(told)):
        raise ValueError(f"the table of segments is {table.shape} for {len(keys)} keys and {len(told)} segments")
    return Membership(keys.tolist(), table, [each["key"] for each in told], share=share)


def _told_before(draft: Draft) -> list[dict[str, Any]]:
    return draft.before.card.get("segments", []) if draft.before is not None else []


def _before(draft: Draft) -> tuple[NDArray[np.int16], list[Known]] | None:
    told = _told_before(draft)
    if not told or draft.before is None or "segments.labels" not in draft.before.arrays:
        return None
    return draft.before.arrays["segments.labels"], [Known(each["key"], each["name"]) for each in told]
