"""Never show what is sold out, hidden or gone."""

from __future__ import annotations

from dataclasses import dataclass

from plugins.contract import Candidates, Mask, hookimpl


@dataclass(frozen=True)
class Plugin:
    """Reads the live catalogue: an item marked sold out is out of the next answer."""

    @hookimpl
    def keep(self, candidates: Candidates) -> Mask | None:
        if candidates.passed is not None and candidates.passed.servable:
            return None
        return candidates.catalogue.servable.take(candidates.items)
