"""What a search says about taste, so that its words need not be kept: "red running shoes" → shoes, a brand, a price.

The affinities of the best matches, each kind summing to at most one.
"""

from __future__ import annotations

import numpy as np

from app.search.options import SearchOptions
from store.affinities import AFFINITY_KINDS
from store.records import Floats, Ints
from store.search_index import SearchIndex

_KIND_SHARES = (1.0, 0.6, 0.4, 0.6)
"""How much a query can say about category, brand, price band and price band within a category."""
_LEAST_SHARE = 0.1
"""A kind of which the matches show no tendency says nothing: a brand in one of fifty matches is chance."""


def query_affinities(text: str, search: SearchIndex, options: SearchOptions | None = None) -> dict[str, float]:
    """Affinity key -> weight in (0, 1], the strongest first, at most `meaning_keys`; empty where nothing matches.

    Only complete matches count, the relevant ones more. The text itself goes nowhere.
    """
    bounds = options or SearchOptions()
    matches = search.matches(text[: bounds.query_characters], partly=False)
    complete = np.flatnonzero(matches.tier == matches.tier.max(initial=1))
    if len(complete) > bounds.meaning_matches:
        best = np.argpartition(-matches.relevance[complete], bounds.meaning_matches)
        complete = complete[best[: bounds.meaning_matches]]
    items, relevance = matches.items[complete], matches.relevance[complete]
    if not len(items):
        return {}
    catalogue = search.catalogue
    weights: dict[str, float] = {}
    for kind, codes, share in zip(AFFINITY_KINDS, catalogue.affinity_codes(items), _KIND_SHARES, strict=True):
        for code, part in _tendencies(codes, relevance):
            weights[catalogue.affinity_key(kind, code)] = share * part
    strongest = sorted(weights.items(), key=lambda entry: (-entry[1], entry[0]))[: bounds.meaning_keys]
    return {key: round(weight, 4) for key, weight in strongest}


def _tendencies(codes: Ints, relevance: Floats) -> list[tuple[int, float]]:
    """Codes with at least _LEAST_SHARE of the relevance, and their shares."""
    shares = np.bincount(codes + 1, relevance)[1:] / relevance.sum()
    found = np.flatnonzero(shares >= _LEAST_SHARE)
    return list(zip(found.tolist(), shares[found].tolist(), strict=True))
