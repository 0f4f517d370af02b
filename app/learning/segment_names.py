"""Names segments by what distinguishes them: their categories, price and brands, in words a marketer would use."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

TERMS = 12
"""So many of the most distinguishing keys a segment is named by."""
OF_A_BRAND = 0.3
"""From this share of a segment on a brand is in its name."""
DEAR, CHEAP = frozenset({"7", "8", "9"}), frozenset({"0", "1", "2"})


def distinguishing(keys: Sequence[str], mine: NDArray[np.float64], everyone: NDArray[np.float64]) -> list[str]:
    """The affinity keys that are more frequent here than anywhere, most distinguishing first.

    `mine`, `everyone`: weight of the products with each key, [keys]. By p·ln(p/q), within each kind of key.
    """
    kinds = np.array([key.partition(":")[0] for key in keys])
    gain = np.zeros(len(keys))
    for kind in set(kinds.tolist()):
        rows = kinds == kind
        here = mine[rows] / max(mine[rows].sum(), 1e-9)
        usual = everyone[rows] / max(everyone[rows].sum(), 1e-9)
        gain[rows] = here * np.log(np.maximum(here, 1e-12) / np.maximum(usual, 1e-12))
        if kind == "brand":  # of many small ones none is a name
            gain[rows] = np.where(here >= OF_A_BRAND, gain[rows], 0)
    order = np.argsort(-gain, kind="stable")
    return [keys[place] for place in order[:TERMS].tolist() if gain[place] > 0]


def name_of(terms: Sequence[str], taken: Collection[str]) -> str:
    """A name that is not taken: the first categories, dear or cheap, a brand."""
    categories = [_last_step(term) for term in terms if term.startswith("category:")]
    bands = [term.removeprefix("band:") for term in terms if term.startswith("band:")]
    brands = [term.removeprefix("brand:") for term in terms if term.startswith("brand:")]
    price = ""
    if bands and bands[0] in DEAR | CHEAP:
        price = ", high-priced" if bands[0] in DEAR else ", low-priced"
    distinct = list(dict.fromkeys(categories))
    name = ""
    for many in (2, 3, 4):
        parts = distinct[:many] or brands[:1] or ["Mixed"]
        name = f"{' & '.join(parts)}{price}{f' ({brands[0]})' if brands and distinct else ''}"
        if name not in taken:
            return name
    number = 2
    while f"{name} {number}" in taken:
        number += 1
    return f"{name} {number}"


def key_of(name: str, taken: Collection[str]) -> str:
    """A key for rules and requests: letters, digits and hyphens, at most 48, not taken."""
    plain = unicodedata.normalize("NFKD", name.lower())
    slug = re.sub(r"[^a-z0-9]+", "-", plain.encode("ascii", "ignore").decode()).strip("-")[:40].strip("-") or "segment"
    key, number = slug, 2
    while key in taken:
        key, number = f"{slug}-{number}", number + 1
    return key


def _last_step(term: str) -> str:
    step = term.removeprefix("category:").rpartition("/")[2].strip()
    return step[:1].upper() + step[1:]
