"""Drafts and versions: what marketers write, publish and take back. A version is committed before it holds."""

from __future__ import annotations

import asyncio
import contextlib
import re
import unicodedata
from collections.abc import Callable, Sequence

import msgspec

from app.merchandising.check import Known, problems_of, problems_of_all
from app.merchandising.personas import Persona
from app.problem import FieldError
from app.rules.engine import Rules, RuleSet
from app.rules.model import Rule, in_order, read_rules, rules_json
from store.faults import StoreFault
from store.rules import RuleStore
from store.versions import Draft, DraftChanged, Version

RETRIES = 20
_read_persona = msgspec.json.Decoder(Persona).decode
ANY = "*"


class NoSuchRule(LookupError):
    """There is no rule, or no version, of that name; the message says so."""


class RuleTaken(ValueError):
    """There is a rule of that id already."""


class RuleChanged(Exception):
    """Somebody else changed it since it was read; `etag` is what it is now."""

    def __init__(self, etag: str) -> None:
        super().__init__(f"it is {etag} now")
        self.etag = etag


class Unreadable(ValueError):
    """What was kept is damaged; the message says what to do."""


class NotRules(ValueError):
    """Rules that cannot be meant, each mistake with its place."""

    def __init__(self, problems: Sequence[FieldError]) -> None:
        super().__init__("; ".join(f"{each.pointer}: {each.detail}" for each in problems))
        self.problems = list(problems)


class RuleBook:
    """The one that changes the rule tables, and swaps what is in force each time after its commit."""

    def __init__(self, store: RuleStore, rules: Rules, placements: Sequence[str]) -> None:
        self.store = store
        self._rules = rules
        self._placements = placements
        self.number = 0
        """Of the version in force; 0 before the first."""

    def known(self) -> Known:
        """What names in rules may mean at this moment."""
        rules = self._rules
        attributes = list(rules.catalogue.attributes) if rules.catalogue.size else None
        return Known(self._placements, attributes, rules.zone, rules.options)

    # ---- what is in force

    async def open(self) -> None:
        """Take over what was published. What cannot be read is said by /readyz, and no list is shown."""
        await self.follow()

    async def follow(self) -> None:
        """Take over a version that another process published (`personalize rules import --publish`)."""
        if await self.store.latest_number() > self.number:
            latest = await self.store.latest()
            if latest is None:
                return
            name = name_of(latest.number)
            made = await asyncio.to_thread(self._rules.read, name, latest.body)
            if latest.number > self.number:
                self.number = latest.number
                self._rules.swap_or_close(name, made)

    async def watch(self, every_seconds: float = 0.5) -> None:
        """Beside the server: follow what is published elsewhere."""
        while True:
            await asyncio.sleep(every_seconds)
            with contextlib.suppress(StoreFault):
                await self.follow()

    # ---- the draft

    async def draft(self) -> tuple[Draft, list[Rule]]:
        """What is being written, in the order in which it has its way. Raises Unreadable."""
        draft = await self.store.draft()
        try:
            return draft, in_order(read_rules(draft.body))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Unreadable(f"the draft cannot be read ({error}); discard it") from None

    async def rule(self, rule_id: str) -> Rule:
        """A rule of the draft. Raises NoSuchRule."""
        _, rules = await self.draft()
        return _find(rules, rule_id)

    async def add(self, rule: Rule, *, author: str, now: float) -> Rule:
        """A new rule; without an id of its own it is called after its name. Raises RuleTaken, NotRules."""

        def change(rules: list[Rule]) -> list[Rule]:
            nonlocal rule
            taken = {each.id for each in rules}
            if not rule.id:
                rule = msgspec.structs.replace(rule, id=_id_from(rule.name, taken))
            if rule.id in taken:
                raise RuleTaken(f"there is a rule '{rule.id}' already")
            return [*rules, rule]

        self._must(problems_of(rule, self.known()))
        await self._change(change, author, now)
        return rule

    async def put(self, rule: Rule, etag: str, *, author: str, now: float) -> Rule:
        """Replace a rule that is still what was read. Raises NoSuchRule, RuleChanged, NotRules."""

        def change(rules: list[Rule]) -> list[Rule]:
            _same(_find(rules, rule.id), etag)
            return [rule if each.id == rule.id else each for each in rules]

        self._must(problems_of(rule, self.known()))
        await self._change(change, author, now)
        return rule

    async def remove(self, rule_id: str, etag: str, *, author: str, now: float) -> None:
        """Take a rule that is still what was read out of the draft. Raises NoSuchRule, RuleChanged."""

        def change(rules: list[Rule]) -> list[Rule]:
            _same(_find(rules, rule_id), etag)
            return [each for each in rules if each.id != rule_id]

        await self._change(change, author, now)

    async def replace(self, rules: Sequence[Rule], revision: int, *, author: str, now: float) -> Draft:
        """Write a whole draft, over the revision that was read. Raises NotRules, RuleChanged."""
        self._must(problems_of_all(rules, self.known(), "/rules"))
        return await self._write(rules_json(list(rules)), revision, self.number, author, now)

    async def discard(self, revision: int, *, author: str, now: float) -> Draft:
        """Begin anew with what is published. Raises RuleChanged, Unreadable."""
        latest = await self.store.latest()
        body = b"[]" if latest is None else latest.body
        readable(body, self.number)
        return await self._write(body, revision, self.number, author, now)

    # ---- versions

    async def publish(self, revision: int, *, author: str, now: float, note: str = "") -> Version:
        """The draft that was read is in force with the next request. Raises RuleChanged, NotRules."""
        draft, rules = await self.draft()
        if draft.revision != revision:
            raise RuleChanged(etag_of(draft.revision))
        self._must(problems_of_all(rules, self.known(), "/rules"))
        return await self._publish(rules, revision, author, now, note)

    async def roll_back(self, number: int, revision: int, *, author: str, now: float) -> tuple[Version, bool]:
        """A new version equal to an old one, and whether a draft with unpublished changes was kept beside it.

        Raises NoSuchRule, RuleChanged, Unreadable.
        """
        old, draft = await self.version(number), await self.store.draft()
        latest = await self.store.latest()
        changed = latest is not None and draft.body != latest.body
        rules = readable(old.body, number)
        made = await self._publish(
            rules, revision, author, now, f"back to {name_of(number)}", copy_of=number,
            draft=draft.body if changed else None,
        )  # fmt: skip
        return made, changed

    async def version(self, number: int) -> Version:
        """Raises NoSuchRule."""
        found = await self.store.version(number)
        if found is None:
            raise NoSuchRule(f"there is no version {name_of(number)} (any more)")
        return found

    async def rules_of(self, name: str) -> list[Rule]:
        """The rules of `draft`, `published`, `none` or a version such as `r41`. Raises NoSuchRule, Unreadable."""
        if name == "draft":
            return (await self.draft())[1]
        if name in ("none", ""):
            return []
        if name == "published":
            latest = await self.store.latest()
            return [] if latest is None else readable(latest.body, latest.number)
        number = number_of(name)
        return readable((await self.version(number)).body, number)

    async def rule_set(self, name: str, rules: Sequence[Rule] | None = None) -> RuleSet:
        """The same, or other `rules` under that name, made ready to be asked. Raises NoSuchRule, Unreadable."""
        if name == "published":
            return self._rules.published
        found = await self.rules_of(name) if rules is None else rules
        return await asyncio.to_thread(self._rules.set_of, name, found)

    async def personas(self) -> list[Persona]:
        """The saved ones, by id."""
        return [_read_persona(body) for _, body in await self.store.personas()]

    async def _publish(
        self, rules: list[Rule], revision: int, author: str, now: float, note: str, *, copy_of: int = 0,
        draft: bytes | None = None,
    ) -> Version:  # fmt: skip
        made_ready: RuleSet = await asyncio.to_thread(self._rules.set_of, "", rules)
        keep = self._rules.options.versions_kept
        try:
            made = await self.store.publish(
                rules_json(rules), revision=revision, author=author, now=now, note=note, count=len(rules),
                copy_of=copy_of, draft=draft, keep=keep,
            )  # fmt: skip
        except DraftChanged:
            raise RuleChanged(etag_of((await self.store.draft()).revision)) from None
        made_ready.version = name_of(made.number)
        if made.number > self.number:
            self.number = made.number
            self._rules.swap(made_ready)
        return made

    async def _write(self, body: bytes, revision: int, based_on: int, author: str, now: float) -> Draft:
        try:
            return await self.store.write_draft(body, revision=revision, based_on=based_on, author=author, now=now)
        except DraftChanged:
            raise RuleChanged(etag_of((await self.store.draft()).revision)) from None

    async def _change(self, change: Callable[[list[Rule]], list[Rule]], author: str, now: float) -> None:
        """Change the draft; where somebody changed another rule meanwhile, do it again on theirs."""
        for _ in range(RETRIES):
            draft, rules = await self.draft()
            changed = change(rules)
            if len(changed) > self._rules.options.at_most:
                most = self._rules.options.at_most
                raise NotRules([FieldError("", f"there are {most} rules already, as many as may be ([rules] at_most)")])
            try:
                await self.store.write_draft(
                    rules_json(in_order(changed)), revision=draft.revision, based_on=draft.based_on, author=author,
                    now=now,
                )  # fmt: skip
            except DraftChanged:
                continue
            return
        raise RuleChanged("")

    def _must(self, problems: Sequence[FieldError]) -> None:
        if problems:
            raise NotRules(problems)


def name_of(number: int) -> str:
    """ "r42"; empty before anything was published."""
    return f"r{number}" if number else ""


def number_of(name: str) -> int:
    """The number of "r42". Raises NoSuchRule."""
    found = re.fullmatch(r"r(\d{1,9})", name)
    if found is None:
        raise NoSuchRule(f"there is no version '{name[:40]}'; they are called r1, r2 …")
    return int(found[1])


def etag_of(revision: int) -> str:
    """Of the draft as a whole."""
    return f'"d{revision}"'


def readable(body: bytes, number: int) -> list[Rule]:
    """The rules of a version. Raises Unreadable."""
    try:
        return read_rules(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        told = f"{name_of(number)} cannot be read ({error}); go back to another version, or import rules"
        raise Unreadable(told) from None


def _find(rules: Sequence[Rule], rule_id: str) -> Rule:
    found = next((rule for rule in rules if rule.id == rule_id), None)
    if found is None:
        raise NoSuchRule(f"there is no rule '{rule_id[:64]}' in the draft")
    return found


def _same(rule: Rule, etag: str) -> None:
    if etag not in (ANY, rule.etag):
        raise RuleChanged(rule.etag)


def _id_from(name: str, taken: set[str]) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    base = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:56] or "rule"
    return next(each for each in (base, *(f"{base}-{nth}" for nth in range(2, len(taken) + 3))) if each not in taken)
