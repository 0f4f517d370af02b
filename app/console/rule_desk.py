"""What the rules' screens share: the draft as reported, sets of rules by name, previews and personas."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.merchandising.book import Unreadable
from app.merchandising.personas import NOBODY, PersonaOnWire
from app.merchandising.preview import Previewer
from app.merchandising.report import Reporter
from app.merchandising.wire import RulesAnswer
from app.problem import Problem
from app.search.search import Searcher
from store.versions import Version

if TYPE_CHECKING:
    from app.node import Node

VERSIONS = 200


class RuleDesk:
    """One per node; remembers the last look at the draft while nothing changes."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.book = node.rule_book
        self._reporter = Reporter(node)
        searcher = Searcher(node.search, node.recommender, lambda: node.model, node.config.search)
        self.previewer = Previewer(node.recommender, searcher)

    async def report(self) -> RulesAnswer:
        """The draft with everything there is to say about it. Raises Problem 409 where it cannot be read."""
        try:
            return await self._reporter.report()
        except Unreadable as damaged:
            raise Problem(409, "The draft of the rules is damaged", str(damaged)) from None

    async def versions(self) -> list[Version]:
        return await self.book.store.versions(VERSIONS)

    async def persona(self, name: str) -> PersonaOnWire:
        """A saved one; a visitor nothing is known of where there is none of that id (any more)."""
        return next((each for each in await self.book.personas() if each.id == name), NOBODY)
