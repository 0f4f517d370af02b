"""Do not offer again what the visitor has waved away."""

from __future__ import annotations

from dataclasses import dataclass

from plugins.contract import Candidates, Context, Mask, hookimpl


@dataclass(frozen=True)
class Plugin:
    """Whoever searches for a dismissed item still finds it."""

    @hookimpl
    def keep(self, candidates: Candidates, context: Context) -> Mask | None:
        if context.searching or not len(context.visitor.dismissed):
            return None
        return ~candidates.contains(context.visitor.dismissed)
