"""Rules: every rule of the draft with its state, what contradicts what, and what became of it in the last week."""

from __future__ import annotations

import msgspec

from app.console.asked import Answer, Asked, Go, Notice, Page, Undo
from app.console.pinned import write_down
from app.console.rule_desk import RuleDesk
from app.console.rule_words import condition_words, consequence_words
from app.experiments.pinned import PinComparison, pins_in_force
from app.merchandising.book import NotRules, RuleChanged, Unreadable, etag_of
from app.merchandising.exchange import NotToml, from_toml, to_toml
from app.merchandising.wire import RulesAnswer
from app.problem import Problem
from app.routes.experiments import Handlers
from app.routes.numbers import whole
from app.routes.rule_answers import as_problems
from app.rules.model import Rule

RULES = "/console/rules"
STATUSES = ("active", "scheduled", "expired", "disabled", "shadowed", "matches nothing")
_read_rule = msgspec.json.Decoder(Rule).decode


class RulesListed(RulesAnswer, frozen=True):
    """GET /console/rules.json"""

    pins: list[PinComparison]
    """What is known of each pin in force: pinned or automatic, which did better?"""


class DamagedDraft(msgspec.Struct, frozen=True):
    """A draft that cannot be read, on disk: all that is left to do is to begin anew."""

    damage: str
    etag: str


class RuleScreen:
    """The list and what is done from it."""

    def __init__(self, desk: RuleDesk) -> None:
        self._desk = desk
        self._experiments = Handlers(desk.node)

    async def listing(self, asked: Asked) -> Answer:
        try:
            await self._desk.book.draft()
        except Unreadable as damaged:
            stored = await self._desk.book.store.draft()
            return Page("rules_damaged.html", "Rules", DamagedDraft(str(damaged), etag_of(stored.revision)), 409)
        return await self._list(asked)

    async def act(self, asked: Asked) -> Answer:
        """Switch on or off, remove, put back what was removed; each can be taken back."""
        done = {"toggle": self._toggle, "remove": self._remove, "restore": self._restore, "discard": self._discard,
                "import": self._import, "compare": self._compare}  # fmt: skip
        action = done.get(asked.form.get("do"))
        if action is None:
            raise Problem(404, "There is no such action", f"there are {', '.join(done)}")
        try:
            with as_problems():
                return await action(asked)
        except Problem as problem:
            if problem.details.status != 412:
                raise
            told = "Somebody else changed it meanwhile; this is how it is now. Nothing of yours was done."
            return Go(RULES, Notice(told, "warning"))

    async def _list(self, asked: Asked, wrong: str = "", text: str = "") -> Page:
        report = await self._desk.report()
        told = {name: getattr(report, name) for name in report.__struct_fields__}
        data = RulesListed(**told, pins=(await pins_in_force(asked.node)).pins)
        status, query = asked.query("status"), asked.query("q").casefold()
        shown = [
            each
            for each in data.rules
            if (not status or each.status == status) and query in f"{each.rule.name} {each.rule.id}".casefold()
        ]
        at_odds: dict[str, list[str]] = {}
        for conflict in data.conflicts:
            for rule in conflict.rules:
                at_odds.setdefault(rule, []).append(conflict.detail)
        extra = {
            "shown": shown, "at_odds": at_odds, "status": status, "query": asked.query("q"), "wrong": wrong,
            "toml": text, "statuses": [("", "Every state"), *((each, each.capitalize()) for each in STATUSES)],
            "pinned": {each.rule: each for each in data.pins},
            "names": {each.rule.id: each.rule.name for each in data.rules},
            "when_words": condition_words, "then_words": consequence_words, "waiting": waiting(data),
        }  # fmt: skip
        return Page("rules.html", "Rules", data, 422 if wrong else 200, extra)

    async def _compare(self, asked: Asked) -> Answer:
        """Write down the experiment that tells whether a pin is worth its place."""
        return await write_down(asked, await self._desk.book.rule(asked.form.get("id")), self._experiments)

    async def _toggle(self, asked: Asked) -> Answer:
        rule = await self._desk.book.rule(asked.form.get("id"))
        changed = msgspec.structs.replace(rule, enabled=not rule.enabled)
        await self._desk.book.put(changed, asked.form.get("etag"), author=asked.actor, now=asked.node.staff.now())
        await asked.node.staff.note(asked.actor, "rule changed", rule.id)
        told = f"“{rule.name}” is switched {'on' if changed.enabled else 'off'} in the draft."
        return Go(RULES, Notice(told, undo=Undo(RULES, {"do": "toggle", "id": rule.id, "etag": changed.etag})))

    async def _remove(self, asked: Asked) -> Answer:
        rule = await self._desk.book.rule(asked.form.get("id"))
        await self._desk.book.remove(rule.id, asked.form.get("etag"), author=asked.actor, now=asked.node.staff.now())
        await asked.node.staff.note(asked.actor, "rule removed", rule.id)
        kept = msgspec.json.encode(rule).decode()
        undo = Undo(RULES, {"do": "restore", "rule": kept})
        return Go(RULES, Notice(f"“{rule.name}” is out of the draft; what is in force has not changed.", undo=undo))

    async def _restore(self, asked: Asked) -> Answer:
        try:
            rule = _read_rule(asked.form.get("rule"))
        except msgspec.DecodeError:
            raise Problem(400, "Not a rule", "it cannot be put back; write it anew") from None
        made = await self._desk.book.add(rule, author=asked.actor, now=asked.node.staff.now())
        await asked.node.staff.note(asked.actor, "rule added", made.id)
        return Go(RULES, Notice(f"“{made.name}” is back in the draft."))

    async def _discard(self, asked: Asked) -> Answer:
        """Begin the draft anew; what was in it can be put back, if it can be read."""
        try:
            before = await self._desk.book.rules_of("draft")
        except Unreadable:
            before = []
        draft = await self._desk.book.discard(
            revision(asked.form.get("etag")), author=asked.actor, now=asked.node.staff.now()
        )
        await asked.node.staff.note(asked.actor, "rules draft discarded", f"r{draft.based_on}")
        told = "The draft is what is in force again."
        if not 0 < len(before) <= 200:
            return Go(RULES, Notice(told))
        undo = Undo(RULES, {"do": "import", "etag": f'"d{draft.revision}"', "toml": to_toml(before)})
        return Go(RULES, Notice(told, undo=undo))

    async def _import(self, asked: Asked) -> Answer:
        text = asked.form.raw("toml")
        try:
            rules = from_toml(text)
            await self._desk.book.replace(
                rules, revision(asked.form.get("etag")), author=asked.actor, now=asked.node.staff.now()
            )
        except (NotToml, NotRules) as error:
            return await self._list(asked, "; ".join(f"{each.pointer} {each.detail}" for each in error.problems), text)
        await asked.node.staff.note(asked.actor, "rules imported", f"{len(rules)} rules")
        return Go(RULES, Notice(f"The draft holds {len(rules)} rules now. Look at the changes, then publish."))


def waiting(data: RulesAnswer) -> int:
    """How many rules the draft adds or changes; those it leaves out are told by `changed` alone."""
    return sum(1 for each in data.rules if each.published != "same")


def revision(etag: str) -> int:
    """The draft's revision a page has read. Raises RuleChanged for what is none."""
    told = whole(etag.strip('"').removeprefix("d"))
    if told is None:
        raise RuleChanged("")
    return told
