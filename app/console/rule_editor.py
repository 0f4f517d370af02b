"""The rule editor: condition and consequence on one side, the list before and after on the other."""

from __future__ import annotations

from typing import Any

import msgspec

from app.console.asked import Answer, Asked, Go, Notice, Page
from app.console.items import picture
from app.console.pinned import of_rule
from app.console.rule_desk import RuleDesk
from app.console.rule_form import Filled, errors_of, filled_as, filled_from, rule_from
from app.console.rule_words import DAYS, DO, change_words, condition_words, consequence_words
from app.console.rules import RULES
from app.experiments.pinned import PinComparison
from app.merchandising.book import NotRules, RuleChanged
from app.merchandising.check import problems_of
from app.merchandising.diff import diff
from app.merchandising.wire import PreviewAnswer, PreviewOnWire, RuleTold
from app.problem import FieldError, Problem
from app.routes.rule_answers import as_problems
from app.rules.compiled import NotARule
from app.rules.model import Rule
from app.rules.schedule import moment
from app.serving.recommend import UnknownPlacement

DEVICES = ("phone", "tablet", "desktop")
SHOWN = 8
WITHOUT = "without"
"""Beside the draft as it is but for this rule: what the rule does by itself."""


class Editor(msgspec.Struct, frozen=True, kw_only=True):
    """One rule of the draft with what there is to know of it; null for one that is being written."""

    rule: RuleTold | None
    conflicts: list[str]
    pinned: PinComparison | None
    """Of a pin: did its places earn more by it?"""
    preview: PreviewAnswer | None


class RuleEditor:
    """The page of one rule."""

    def __init__(self, desk: RuleDesk) -> None:
        self._desk = desk

    async def new(self, asked: Asked) -> Answer:
        filled = filled_from(None)
        return await self._page(asked, Filled({**filled.values, "segments": asked.query("segment")[:128]}))

    async def one(self, asked: Asked) -> Answer:
        with as_problems():
            rule = await self._desk.book.rule(asked.path("id"))
        return await self._page(asked, filled_from(rule), rule)

    async def act(self, asked: Asked) -> Answer:
        """Save, or look at what it would do."""
        filled = filled_as(asked.form)
        rule_id = "" if "id" not in asked.request.path_params else asked.path("id")
        kept = None
        if rule_id:
            with as_problems():
                kept = await self._desk.book.rule(rule_id)
        rule, errors = rule_from(filled, rule_id, kept)
        filled = Filled(filled.values, errors)
        if asked.form.get("do_what") == "preview":
            return await self._page(asked, filled, kept, rule, status=200)
        if rule is None:
            return await self._page(asked, filled, kept, status=422)
        return await self._save(asked, filled, rule, kept)

    async def _save(self, asked: Asked, filled: Filled, rule: Rule, kept: Rule | None) -> Answer:
        book, staff = self._desk.book, asked.node.staff
        try:
            if kept is None:
                rule = msgspec.structs.replace(rule, id="")
                made = await book.add(rule, author=asked.actor, now=staff.now())
            else:
                made = await book.put(rule, asked.form.get("etag"), author=asked.actor, now=staff.now())
        except NotRules as wrong:
            told = Filled(filled.values, errors_of(wrong.problems, filled))
            return await self._page(asked, told, kept, status=422)
        except RuleChanged:
            assert kept is not None
            return await self._page(asked, filled, kept, rule, meanwhile=True, status=412)
        await staff.note(asked.actor, "rule added" if kept is None else "rule changed", made.id)
        return Go(
            f"{RULES}/rule/{made.id}",
            Notice(f"“{made.name}” is in the draft. Shoppers see it once the draft is published."),
        )

    async def _page(
        self, asked: Asked, filled: Filled, kept: Rule | None = None, instead: Rule | None = None, *,
        meanwhile: bool = False, status: int = 200,
    ) -> Page:  # fmt: skip
        report = await self._desk.report()
        told = next((each for each in report.rules if kept is not None and each.rule.id == kept.id), None)
        conflicts = [each.detail for each in report.conflicts if kept is not None and kept.id in each.rules]
        looked = _look_of(asked)
        preview, problem = await self._preview(asked, looked, kept, instead or kept)
        theirs = []
        if meanwhile and kept is not None and instead is not None:
            changes = diff([kept], [instead]).changed
            theirs = [change_words(change) for change in changes[0].changes] if changes else []
        node = asked.node
        extra: dict[str, Any] = {
            "f": filled, "p_region": _told(asked, "region"),
            "kept": kept, "etag": kept.etag if kept else "", "looked": looked, "meanwhile": meanwhile,
            "theirs": theirs, "problem": problem, "kinds": DO, "days": DAYS, "devices": DEVICES,
            "placements": [*sorted(node.recommender.placements), "search"],
            "places": [(name, node.recommender.placements[name].title or name)
                       for name in sorted(node.recommender.placements)] + [("search", "Search")],
            "personas": [("", "A new visitor"), *((each.id, each.name) for each in await self._desk.book.personas())],
            "timezone": report.timezone, "in_force": report.version,
            "pictures": {} if preview is None else {item.id: picture(item.image)
                                                    for side in (preview.before, preview.after)
                                                    for item in side.items},
            "regions": sorted(node.catalogue.region_names), "brands": sorted(node.catalogue.brand_names)[:500],
            "categories": sorted(node.catalogue.category_names)[:500],
            "attributes": sorted(node.catalogue.attributes)[:40],
            "words": f"{consequence_words(kept.then)} — {condition_words(kept.when)}" if kept else "",
        }  # fmt: skip
        pinned = None if kept is None else await of_rule(asked, kept)
        data = Editor(rule=told, conflicts=conflicts, pinned=pinned, preview=preview)
        return Page("rule.html", kept.name if kept else "New rule", data, status, extra)

    async def _preview(
        self, asked: Asked, looked: PreviewOnWire, kept: Rule | None, rule: Rule | None
    ) -> tuple[PreviewAnswer | None, str]:
        """Before and after, or why there is none."""
        node, desk = asked.node, self._desk
        if rule is not None and (wrong := problems_of(rule, desk.book.known())):
            return None, wrong[0].detail
        draft = [each for each in await desk.book.rules_of("draft") if kept is None or each.id != kept.id]
        if rule is not None:
            draft.append(msgspec.structs.replace(rule, id=kept.id if kept else "this-new-rule"))
        try:
            now = moment(looked.at, node.rules.zone, end_of_day=False) if looked.at else node.clock.now()
            after = await desk.book.rule_set("draft", draft)
            others = (
                await desk.book.rules_of("draft") if kept is None else [each for each in draft if each.id != kept.id]
            )
            before = await desk.book.rule_set(looked.before, others if looked.before == WITHOUT else None)
            persona = await desk.persona(looked.persona or "")
            if region := _told(asked, "region"):
                persona = msgspec.structs.replace(persona, region=region[:64])
            return desk.previewer.preview(looked, persona, before, after, now), ""
        except (ValueError, OverflowError, NotARule, UnknownPlacement) as error:
            return None, str(error)


def _told(asked: Asked, name: str, default: str = "") -> str:
    """A field of the preview, from the form or the address."""
    return asked.form.get(f"p_{name}") or asked.query(f"p_{name}") or default


def _look_of(asked: Asked) -> PreviewOnWire:
    """What the preview is asked for; a page's fields begin with `p_`."""

    first = next((name for name in asked.form.all("placements") if name), "home")
    try:
        return msgspec.convert(
            {
                "persona": _told(asked, "persona") or None, "placement": _told(asked, "placement", first),
                "query": _told(asked, "query"),
                "limit": SHOWN, "before": _told(asked, "before", WITHOUT), "at": _told(asked, "at"),
            },
            PreviewOnWire,
        )  # fmt: skip
    except msgspec.ValidationError as error:
        raise Problem(400, "Not a valid preview", errors=[FieldError("", str(error))]) from None
