"""The shapes of /v1/rules and /v1/personas."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from app.merchandising.analysis import Conflict, Starving, Status
from app.merchandising.personas import PersonaOnWire
from app.rules.model import Condition, Consequence, LocalTime, Rule, Word
from app.serving.rules_fired import PinTold, RuleFired

Priority = Annotated[int, Meta(ge=-1000, le=1000)]
Note = Annotated[str, Meta(max_length=1000)]


class RuleOnWire(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A rule as it is sent; `PUT` takes its id from the path, `POST` makes one from the name where none is told."""

    id: Annotated[str, Meta(pattern=r"^([a-z0-9][a-z0-9-]{0,63})?\Z")] = ""
    name: Annotated[str, Meta(min_length=1, max_length=200)]
    enabled: bool = True
    priority: Priority = 0
    note: Note = ""
    when: Condition = Condition()
    then: Consequence

    def rule(self, rule_id: str = "") -> Rule:
        return Rule(
            id=rule_id or self.id, name=self.name, enabled=self.enabled, priority=self.priority, note=self.note,
            when=self.when, then=self.then,
        )  # fmt: skip


class RuleImpact(msgspec.Struct, frozen=True):
    """What became of a rule in the last 7 days. Nobody is in it: lists, items of them, and clicks on those, rounded
    down to a multiple of [retention] people_at_least."""

    lists: int
    items: int
    clicks: int


class RuleTold(msgspec.Struct, frozen=True):
    """A rule of the draft with what there is to know about it."""

    rule: Rule
    etag: str
    """To be sent as If-Match with a change."""
    status: Status
    because: str
    warnings: list[str]
    impact: RuleImpact
    published: Literal["same", "changed", "not yet"]
    """Beside the version in force."""


class RulesAnswer(msgspec.Struct, frozen=True):
    """The draft, looked at as a whole."""

    version: str
    """In force, such as "r42"; empty before anything was published."""
    etag: str
    """Of the draft, to be sent as If-Match with :publish, :rollback, :discard and :import."""
    changed: bool
    """Whether the draft differs from what is in force."""
    author: str
    """Who wrote in the draft last, and when (epoch seconds)."""
    at: int
    timezone: str
    rules: list[RuleTold]
    conflicts: list[Conflict]
    starving: list[Starving]
    problems: list[str]
    """What keeps rules from being obeyed at all."""


class VersionTold(msgspec.Struct, frozen=True):
    """A published version."""

    version: str
    author: str
    at: int
    note: str
    copy_of: str
    """The version that was rolled back to; empty for one written anew."""
    rules: int


class VersionsAnswer(msgspec.Struct, frozen=True):
    """The newest first."""

    versions: list[VersionTold]


class VersionAnswer(msgspec.Struct, frozen=True):
    """One version with its rules."""

    version: VersionTold
    rules: list[Rule]


class PublishOnWire(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """POST /v1/rules:publish."""

    note: Note = ""


class RollbackOnWire(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """POST /v1/rules:rollback."""

    to: Word
    """Such as "r41"."""


class Published(msgspec.Struct, frozen=True):
    """What is in force from now on."""

    version: str
    etag: str
    """Of the draft."""
    draft_kept: bool = False
    """Rolled back, and a draft with unpublished changes was kept beside it."""
    conflicts: list[Conflict] = []
    starving: list[Starving] = []


class ImportedAnswer(msgspec.Struct, frozen=True):
    """The draft after an import."""

    etag: str
    rules: int


class PreviewOnWire(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /v1/rules:preview: a list before | after, for a persona or for any visitor one can imagine."""

    persona: Word | None = None
    """Id of a saved one."""
    visitor: PersonaOnWire | None = None
    """Instead of a saved one; neither: a visitor of whom nothing is known."""
    placement: Word = "home"
    query: Annotated[str, Meta(max_length=200)] = ""
    """Of a search, where the placement is "search"."""
    limit: Annotated[int, Meta(ge=1, le=50)] = 10
    before: Word = "published"
    """"published", "none", "draft" or a version such as "r41"."""
    after: Word = "draft"
    at: LocalTime = ""
    """A day or time of the shop's clock; empty: now."""


class PreviewItem(msgspec.Struct, frozen=True):
    """An item in its place."""

    id: str
    title: str
    image: str
    url: str
    price: float | None
    index: int
    moved_by: int | None
    """Places it moved up (below 0: down) from before to after; null where it is in one of them only."""
    rules: list[str]
    """Ids of the rules that promote, bury or pin it."""


class PreviewList(msgspec.Struct, frozen=True):
    """One of the two lists."""

    rules: str
    strategy: str
    items: list[PreviewItem]
    fired: list[RuleFired]
    pins: list[PinTold]
    filled: int
    """How many of its items only fill it up, because too little was left."""


class PreviewAnswer(msgspec.Struct, frozen=True):
    """Before and after."""

    before: PreviewList
    after: PreviewList
    gone: list[str]
    """Ids that are in the first list and not in the second."""
    warnings: list[str]
