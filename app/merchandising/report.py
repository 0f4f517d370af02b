"""The draft as marketers see it: every rule with its state, what contradicts what, and what became of it lately."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from app.experiments.assignment import EVERYONE, HELD_OUT
from app.merchandising.analysis import Analysis, World, analyse
from app.merchandising.book import etag_of, name_of
from app.merchandising.wire import RuleImpact, RulesAnswer, RuleTold
from app.rules.model import Rule
from plugins.ruling import RULES_LAST, RULES_PROPOSE
from store.experiments import HOLDOUT

if TYPE_CHECKING:
    from app.node import Node

WEEK = 7
NEEDED = ("rule_filters", *RULES_PROPOSE, RULES_LAST)
NOTHING = (0, 0, 0)
ARMS = (HELD_OUT.key, EVERYONE.key)


class Reporter:
    """Looks at rules in a thread, and remembers the last look while nothing changed."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._book = node.rule_book
        self._rules = node.rules
        self._impact = node.impact
        self._recommender = node.recommender
        self._clock = node.clock
        self._experiments = node.experiments
        self._people = node.config.retention.people_at_least
        on = {found.name for found in node.plugins.found}
        self._missing = [name for name in NEEDED if name not in on]
        self._last: tuple[object, Analysis] | None = None

    async def report(self) -> RulesAnswer:
        """The whole draft. Raises Unreadable."""
        draft, rules = await self._book.draft()
        latest = await self._book.store.latest()
        in_force = {rule.id: rule for rule in self._rules.published.written}
        look = await self.look(rules)
        counts = await self._impact.of_days(WEEK)

        def told(rule: Rule) -> RuleTold:
            state, beside = look.states[rule.id], in_force.get(rule.id)
            published = "not yet" if beside is None else ("same" if beside == rule else "changed")
            lists, items, clicks = counts.get(rule.id, NOTHING)
            impact = RuleImpact(lists, items, clicks - clicks % self._people)
            return RuleTold(
                rule, rule.etag, state.status, state.because, state.warnings, impact, published  # type: ignore[arg-type]
            )  # fmt: skip

        return RulesAnswer(
            version=name_of(self._book.number), etag=etag_of(draft.revision),
            changed=draft.body != (latest.body if latest else b"[]"), author=draft.author, at=draft.at,
            timezone=str(self._rules.zone), rules=[told(rule) for rule in rules], conflicts=look.conflicts,
            starving=look.starving, problems=self._problems(),
        )  # fmt: skip

    async def look(self, rules: Sequence[Rule]) -> Analysis:
        """Everything there is to say about some rules at this moment."""
        now, catalogue = self._clock.now(), self._rules.catalogue
        regions = frozenset(self._rules.seen["region"])
        segments = frozenset(str(each["key"]) for each in self._node.generations.serving.segment_list)
        experiments = {each.key: [arm.key for arm in each.design.arms] for each in self._experiments.all()}
        written = tuple(rule.etag for rule in rules)
        key = (written, catalogue.version, int(now // 60), regions, str(experiments), segments)
        if self._last is None or self._last[0] != key:
            limits = {name: placement.limit for name, placement in self._recommender.placements.items()}
            known = {*catalogue.region_names, *regions} if regions else ()
            world = World(catalogue, self._rules.zone, now, limits, known, {HOLDOUT: ARMS, **experiments}, segments)
            self._last = (key, await asyncio.to_thread(analyse, rules, world))
        return self._last[1]

    def _problems(self) -> list[str]:
        found = [self._rules.problem] if self._rules.problem else []
        if self._missing:
            names = ", ".join(f"[plugins.{name}]" for name in self._missing)
            found.append(f"rules are not obeyed in full: {names} is missing in the configuration")
        return found
