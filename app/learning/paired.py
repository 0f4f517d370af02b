"""What goes together, released: pairs of product groups and of the most wanted products, and the neighbours they make.

Few people leave few traces in a table of all pairs of products; their groups (categories of the public catalogue) are
few enough to be seen through the noise. So a pair of products is expected to go together as far as their groups do and
both are wanted, and what was released about the very pair corrects that as far as it stands out from the noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.special import ndtri

from app.learning.bounding import Pairs, basket_pairs, bounded, near_pairs
from app.learning.counted import group_names, groups_of, spans
from app.learning.memory import Memory
from app.learning.rates import DAY, Doubles, Rate
from app.learning.release import Door
from store.generation import matrix_arrays
from store.records import Floats, Ints, Mask

if TYPE_CHECKING:
    from app.learning.train import Draft

KINDS = {"near": ("neighbours", near_pairs, 0.6), "together": ("together", basket_pairs, 0.4)}
"""Kind -> the artefact, how its pairs are found, its part of what pairs may spend."""
GROUPS, DOMAIN = "pairs.names of groups", "pairs.items"
_OF_GROUPS = 0.5
_FOR_GROUPS_ALONE = 30
"""Neighbours kept of a product about which only its group says anything."""


def release_pairs(draft: Draft, door: Door, memory: Memory) -> None:
    """Which groups, and which of the most wanted products, meet in a visit or in an order.

    A person counts with at most `pairs_per_person` distinct pairs of each table, 1 each: their root is the sensitivity.
    """
    most = draft.config.privacy.pairs_per_person
    days = sum(spans(draft))
    data = draft.dataset.select(draft.dataset.at > draft.now - days * DAY)
    groups, names = groups_of(draft.catalogue), group_names(draft.catalogue)
    _name_groups(memory, names)
    domain = _most_wanted(draft, door, memory)
    place = np.full(draft.catalogue.size, -1, np.int32)
    place[domain] = np.arange(len(domain))
    for kind, (_, find, share) in KINDS.items():
        found = find(data)
        for level, code, size, part in (
            ("groups", groups, len(names), share * _OF_GROUPS),
            ("items", place, len(domain), share * (1 - _OF_GROUPS)),
        ):
            if size:
                rate = _release(door, memory, f"pairs.{kind}.{level}", _coded(found, code), size, most, part, draft)
                memory.keep(f"{kind}.{level}", rate)


def neighbours_of(draft: Draft, memory: Memory) -> None:
    """Neighbours in a visit and in an order, of what was released so far about pairs and popularity."""
    popular = draft.arrays.get("popularity")
    if popular is None:
        return
    names = [str(name) for name in memory.arrays.get(GROUPS, np.zeros(0, "U1"))]
    place = {name: number for number, name in enumerate(names)}
    codes = np.array([*(place.get(name, -1) for name in group_names(draft.catalogue)), -1])
    groups = codes[groups_of(draft.catalogue)]
    domain = memory.arrays.get(DOMAIN, np.zeros(0, np.int64))
    for kind, (artefact, _, _) in KINDS.items():
        of_groups = memory.rate(f"{kind}.groups", len(names), len(names))
        of_items = memory.rate(f"{kind}.items", len(domain), len(domain))
        certain = kind == "together"  # shoppers are told that others bought both: it has to be so
        if certain:
            of_groups = _beyond_chance(of_groups)
        if of_groups.weight or of_items.weight:
            keep = draft.config.training.neighbours_per_item
            matrix, trust = _matrix(
                of_groups, of_items, domain, groups, popular, draft.catalogue.servable, keep, certain=certain
            )  # fmt: skip
            draft.arrays |= matrix_arrays(artefact, matrix)
            draft.card.setdefault("trust", {})[artefact] = round(trust, 4)


def _beyond_chance(rate: Rate) -> Rate:
    """Only what the noise of so many pairs would hardly show by itself: less than one of them all by chance."""
    pairs = len(rate.total) * (len(rate.total) + 1) // 2
    if not pairs or not rate.error:
        return rate
    least = -float(ndtri(min(1 / pairs, 0.5))) * rate.error
    return replace(rate, total=np.where(rate.per_day > least, rate.total, 0.0))


def _release(
    door: Door, memory: Memory, name: str, pairs: Pairs, size: int, most: int, share: float, draft: Draft
) -> Rate:
    kept = bounded(pairs, most)
    table = np.bincount(kept.first.astype(np.int64) * size + kept.second, minlength=size * size).reshape(size, size)
    upper = np.triu_indices(size)
    multiplier, bound = door.multiplier("pairs", share), sqrt(most)
    counts = table[upper]
    released = door.release(
        counts.astype(np.float64), name=name, sensitivity=bound, noise_multiplier=multiplier, subjects=counts
    )
    both = np.zeros((size, size))
    both[upper] = released
    both = both + both.T - np.diag(both.diagonal())
    rate = memory.rate(name.removeprefix("pairs."), size, size)
    rate.add(
        both, exposure=sum(spans(draft)), sigma=multiplier * bound, at=draft.now,
        half_life_days=draft.config.training.static_days,
    )  # fmt: skip
    memory.note_run(name, door.run.id)
    return rate


def _coded(pairs: Pairs, code: Ints) -> Pairs:
    """Pairs of products as pairs of what they are coded by; -1 is left out."""
    first, second = code[pairs.first], code[pairs.second]
    known = (first >= 0) & (second >= 0)
    return Pairs(pairs.person[known], first[known], second[known])


def _name_groups(memory: Memory, names: list[str]) -> None:
    """Let what is remembered of pairs of groups follow the catalogue, whose codes may have changed."""
    before = [str(name) for name in memory.arrays.get(GROUPS, np.zeros(0, "U1"))]
    if before != names:
        _reorder(memory, "groups", before, names)
        memory.arrays[GROUPS] = np.array(names, dtype=np.str_)


def _most_wanted(draft: Draft, door: Door, memory: Memory) -> Ints:
    """The products whose pairs are counted: the most wanted ones as released, chosen anew with each window."""
    window = np.asarray(door.run.window or 0)
    before = memory.arrays.get(DOMAIN)
    if before is not None and np.array_equal(memory.arrays["pairs.window"], window):
        return before.astype(np.int32)
    popular = draft.arrays.get("popularity", np.zeros(draft.catalogue.size, np.float32))
    best = np.argsort(-popular, kind="stable")[: draft.config.privacy.pair_items]
    domain = np.sort(best[popular[best] > 0]).astype(np.int32)
    _reorder(memory, "items", [] if before is None else before.tolist(), domain.tolist())
    memory.arrays |= {DOMAIN: domain, "pairs.window": window}
    return domain


def _reorder(memory: Memory, level: str, before: Sequence[object], after: Sequence[object]) -> None:
    places = {name: number for number, name in enumerate(before)}
    source = np.array([places.get(name, -1) for name in after], np.int64)
    known = np.flatnonzero(source >= 0)
    for kind in KINDS:
        rate = memory.rate(f"{kind}.{level}", len(before), len(before))
        moved = np.zeros((len(after), len(after)))
        moved[np.ix_(known, known)] = rate.total[np.ix_(source[known], source[known])]
        rate.total = moved
        memory.keep(f"{kind}.{level}", rate)


def _matrix(
    of_groups: Rate,
    of_items: Rate,
    domain: Ints,
    groups: Ints,
    popular: Floats,
    servable: Mask,
    keep: int,
    *,
    certain: bool,
) -> tuple[csr_matrix, float]:
    """Rows of neighbours [items, items], best first, each row's weights summing to 1; and how far, 0..1, they are more
    than noise.

    A pair's weight is its count (expected from the groups, corrected by the pair's own) over the roots of what either
    product has in all (neighbours.py: source and target power ½). `certain`: a pair's own count only where no noise
    makes it, in spite of how many pairs there are.
    """
    items = len(popular)
    lift, share = _of_groups(of_groups, groups, popular)
    rows: list[tuple[Ints, Floats]] = [(np.zeros(0, np.int32), np.zeros(0, np.float32))] * items
    wanted: Doubles = np.sqrt(share) * servable[:items]
    for group in range(len(lift)):
        scores = np.append(lift[group], 0.0)[groups] * wanted
        best = _best(scores, min(keep, _FOR_GROUPS_ALONE) + 1)
        for item in np.flatnonzero(groups == group):
            rows[item] = _row(best, scores[best], int(item), min(keep, _FOR_GROUPS_ALONE))
    trust = 1.0
    if len(domain) and of_items.weight:
        corrected, trust = _corrected(of_items, of_groups, domain, groups, share, certain)
        degree = np.maximum(corrected.sum(axis=1), 1e-9)
        for place, item in enumerate(domain.tolist()):
            scores = np.zeros(items)
            if groups[item] >= 0:
                scores = np.append(lift[groups[item]], 0.0)[groups] * wanted
            own = corrected[place] / np.sqrt(degree[place] * degree) * servable[domain]
            scores[domain] = own * (1 / np.sqrt(max(share[item], 1e-9)) if groups[item] >= 0 else 1.0)
            best = _best(scores, keep + 1)
            rows[item] = _row(best, scores[best], item, keep)
    starts = np.concatenate([[0], np.cumsum([len(numbers) for numbers, _ in rows])]).astype(np.int64)
    numbers, scores = (np.concatenate(part) for part in zip(*rows, strict=True))
    return csr_matrix((scores, numbers, starts), shape=(items, items)), trust


def _of_groups(of_groups: Rate, groups: Ints, popular: Floats) -> tuple[Doubles, Doubles]:
    """How much more often two groups meet than they are wanted, [groups, groups], and what part of its group's wants
    each product has, [items]."""
    size = len(of_groups.total)
    clear = np.where(of_groups.per_day > 2 * of_groups.error, of_groups.per_day, 0)
    degree = np.maximum(clear.sum(axis=1), 1e-12)
    lift = clear / np.sqrt(degree[:, None] * degree[None, :])
    in_group = np.bincount(groups + 1, weights=popular, minlength=size + 1)
    share = np.where(groups >= 0, popular / np.maximum(in_group[groups + 1], 1e-9), 0.0)
    return lift, share.astype(np.float64)


def _corrected(
    of_items: Rate, of_groups: Rate, domain: Ints, groups: Ints, share: Doubles, certain: bool
) -> tuple[Doubles, float]:
    """Counts per day of pairs of the most wanted products: as their groups have it, moved towards what was released
    about the very pair as far as pairs differ by more than the noise. And what part of them all is no noise: the
    groups' as far as it is told, and of each pair's own as much as it was moved by."""
    seen, error = of_items.per_day, of_items.error
    expected = np.zeros_like(seen)
    if len(of_groups.total):
        padded = np.pad(np.maximum(of_groups.per_day, 0), (0, 1))
        known = groups[domain]
        own = np.where(known >= 0, share[domain], 0)
        expected = padded[known[:, None], known[None, :]] * own[:, None] * own[None, :]
        # A person counts once for two groups, several times for their products: how much, all pairs say together.
        squares = float((expected**2).sum())
        expected *= max(float((seen * expected).sum()) / squares, 0.0) if squares else 0.0
    apart = float(((seen - expected) ** 2).mean()) - error**2
    scale = float((expected**2).mean())
    spread = np.maximum(apart, 0) * (expected**2 / scale if scale else np.ones_like(expected))
    trust = np.divide(spread, spread + error**2, out=np.zeros_like(spread), where=spread + error**2 > 0)
    sure = seen > 4.5 * error
    trust = np.where(sure, np.maximum(trust, 0.9), 0.0 if certain and error else trust)
    corrected: Doubles = np.maximum(expected + trust * (seen - expected), 0)
    np.fill_diagonal(corrected, 0)
    from_groups, own = (1 - trust) * expected, trust * np.maximum(seen, 0)
    for part in (from_groups, own):
        np.fill_diagonal(part, 0)
    whole = float((from_groups + own).sum())
    surely = float((_told(of_groups) * from_groups + trust * own).sum())
    return corrected, surely / whole if whole else 1.0


def _told(rate: Rate) -> float:
    """What part of a released table's squares is no noise, 0..1."""
    squares = float((rate.per_day**2).mean()) if rate.total.size else 0.0
    return max(1 - rate.error**2 / squares, 0.0) if squares else 0.0


def _best(scores: NDArray[np.floating], most: int) -> Ints:
    most = min(most, len(scores))
    best = np.argpartition(-scores, most - 1)[:most] if most else np.zeros(0, np.int64)
    best = best[np.argsort(-scores[best], kind="stable")]
    return best[scores[best] > 0].astype(np.int32)


def _row(best: Ints, scores: NDArray[np.floating], item: int, keep: int) -> tuple[Ints, Floats]:
    others = np.flatnonzero(best != item)[:keep]
    total = float(scores[others].sum())
    weights = scores[others] / total if total else scores[others]
    return best[others], weights.astype(np.float32)
