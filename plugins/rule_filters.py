"""Obey the rules that say what may be shown; where the rules cannot be read, nothing may."""

from __future__ import annotations

from dataclasses import dataclass

from plugins.contract import Candidates, Context, Mask, hookimpl


class RulesUnreadable(RuntimeError):
    """The published rules cannot be asked; the message says why."""


@dataclass(frozen=True)
class Plugin:
    """A filter holds for everything that is shown, what fills a list up and what a rule pins included."""

    @hookimpl
    def keep(self, candidates: Candidates, context: Context) -> Mask | None:
        if context.rules.problem:
            raise RulesUnreadable(context.rules.problem)
        return None if context.rules.kept is None else context.rules.kept.take(candidates.items)
