"""Which items a request may show at all, remembered for the requests that ask the same."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

import numpy as np

from app.filters.masks import FilterCache
from plugins.contract import Allowed, Ruling
from store.catalogue import Catalogue


class AllowedItems:
    """Masks over the catalogue: servable, in the region, passing the filters. The least recently asked is dropped."""

    def __init__(self, catalogue: Catalogue, bound: int) -> None:
        self._catalogue = catalogue
        self._filters = FilterCache(bound)
        self._bound = bound
        self._known: OrderedDict[Hashable, tuple[int, Allowed]] = OrderedDict()

    def of(self, region: str, *filters: str, rules: Ruling | None = None) -> Allowed:
        """What may be shown in a region ("": anywhere) under all these filters ("": none) and the filters of rules.

        Raises FilterError where one cannot be read.
        """
        kept = rules.kept if rules is not None else None
        key = (region, *filters, None if kept is None or rules is None else rules.filter_key)
        version = self._catalogue.version
        known = self._known.get(key)
        if known is not None and known[0] == version:
            self._known.move_to_end(key)
            return known[1]
        mask = self._catalogue.servable.copy()
        if region:
            np.logical_and(mask, self._catalogue.in_region(region), out=mask)
        for text in filters:
            if text:
                np.logical_and(mask, self._filters.get(text, self._catalogue).mask(self._catalogue), out=mask)
        if kept is not None:
            np.logical_and(mask, kept, out=mask)
        allowed = Allowed(mask, servable=True, region=region)
        self._known[key] = (version, allowed)
        self._known.move_to_end(key)
        if len(self._known) > self._bound:
            self._known.popitem(last=False)
        return allowed
