"""Show only what may be shown in the visitor's region."""

from __future__ import annotations

from dataclasses import dataclass

from plugins.contract import Candidates, Context, Mask, hookimpl


@dataclass(frozen=True)
class Plugin:
    """Items that name no region may be shown everywhere; a request that names none is shown everything."""

    @hookimpl
    def keep(self, candidates: Candidates, context: Context) -> Mask | None:
        if not context.region or (candidates.passed is not None and candidates.passed.region == context.region):
            return None
        return candidates.catalogue.in_region(context.region).take(candidates.items)
