"""What the rules' screens share: the draft as reported, sets of rules by name, previews and personas."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from app.merchandising.book import Unreadable, name_of, number_of
from app.merchandising.personas import NOBODY, Persona, PersonaOnWire
from app.merchandising.preview import Previewer
from app.merchandising.report import Reporter
from app.merchandising.wire import RulesAnswer
from app.problem import Problem
from app.rules.engine import RuleSet
from app.rules.model import Rule, read_rules
from app.search.search import Searcher
from store.rules import RuleVersion

if TYPE_CHECKING:
    from app.node import Node

VERSIONS = 200
_read_persona = msgspec.json.Decoder(Persona).decode


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
            raise Problem(409, "The draft is damaged", str(damaged)) from None

    async def rules_of(self, name: str) -> list[Rule]:
        """The rules of `draft`, `published`, `none` or a version such as `r41`. Raises NoSuchRule, Unreadable."""
        if name == "draft":
            return (await self.book.draft())[1]
        if name in ("none", ""):
            return []
        if name == "published":
            latest = await self.book.store.latest()
            return [] if latest is None else readable(latest)
        return readable(await self.book.version(number_of(name)))

    async def rule_set(self, name: str, rules: list[Rule] | None = None) -> RuleSet:
        """Made ready for a preview."""
        if name == "published":
            return self.node.rules.published
        found = await self.rules_of(name) if rules is None else rules
        return await asyncio.to_thread(self.node.rules.set_of, name, found)

    async def versions(self) -> list[RuleVersion]:
        return await self.book.store.versions(VERSIONS)

    async def personas(self) -> list[Persona]:
        return [_read_persona(body) for _, body in await self.book.store.personas()]

    async def persona(self, name: str) -> PersonaOnWire:
        """A saved one; a visitor nothing is known of where there is none of that id (any more)."""
        return next((each for each in await self.personas() if each.id == name), NOBODY)


def readable(version: RuleVersion) -> list[Rule]:
    """Raises Unreadable."""
    try:
        return read_rules(version.body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unreadable(f"{name_of(version.number)} cannot be read ({error})") from None
