"""From draft to publication and back: what would change, what was published, and any version's return."""

from __future__ import annotations

import msgspec

from app.console.asked import Answer, Asked, Go, Notice, Page, Undo
from app.console.rule_desk import RuleDesk
from app.console.rule_words import change_words, condition_words, consequence_words
from app.console.rules import RULES, revision
from app.merchandising.analysis import Conflict, Starving
from app.merchandising.book import name_of, number_of
from app.merchandising.diff import Diff, diff
from app.problem import Problem
from app.routes.rule_answers import as_problems

VERSIONS = f"{RULES}/versions"


class Review(msgspec.Struct, frozen=True, kw_only=True):
    """What publishing would change."""

    version: str
    etag: str
    diff: Diff
    conflicts: list[Conflict]
    starving: list[Starving]


class VersionLine(msgspec.Struct, frozen=True, kw_only=True):
    """One published version."""

    version: str
    author: str
    at: int
    note: str
    copy_of: str
    rules: int
    """-1: it cannot be read."""
    in_force: bool


class Versions(msgspec.Struct, frozen=True):
    """The newest first."""

    versions: list[VersionLine]


class VersionScreenData(msgspec.Struct, frozen=True, kw_only=True):
    """One version and what it changed."""

    version: VersionLine
    diff: Diff
    etag: str


class VersionScreen:
    """Review, publish, look back, roll back."""

    def __init__(self, desk: RuleDesk) -> None:
        self._desk = desk

    async def review(self, asked: Asked) -> Answer:
        with as_problems():
            report = await self._desk.report()
            found = diff(
                await self._desk.book.rules_of("published"),
                await self._desk.book.rules_of("draft"),
                ("published", "draft"),
            )
        data = Review(
            version=report.version, etag=report.etag, diff=found, conflicts=report.conflicts, starving=report.starving
        )
        return Page("rules_review.html", "Publish rules", data, extra=_words())

    async def publish(self, asked: Asked) -> Answer:
        """In force with the next request. The notice takes it back."""
        before = name_of(self._desk.book.number)
        try:
            with as_problems():
                made = await self._desk.book.publish(
                    revision(asked.form.get("etag")), author=asked.actor, now=asked.node.staff.now(),
                    note=asked.form.get("note")[:1000],
                )  # fmt: skip
        except Problem as problem:
            if problem.details.status != 412:
                raise
            told = "Somebody changed the draft while you looked. This is what publishing would change now."
            return Go(f"{RULES}/review", Notice(told, "warning"))
        await asked.node.staff.note(asked.actor, "rules published", name_of(made.number))
        undo = Undo(f"{VERSIONS}/{before}", {"do": "rollback"}, f"Back to {before}") if before else None
        told = f"{name_of(made.number)} is in force: the next request obeys it."
        return Go(RULES, Notice(told, undo=undo))

    async def versions(self, asked: Asked) -> Answer:
        found = await self._lines()
        return Page("rules_versions.html", "Versions of the rules", Versions(found))

    async def version(self, asked: Asked) -> Answer:
        name = asked.path("version")
        with as_problems():
            lines = await self._lines()
            line = next((each for each in lines if each.version == name), None)
            if line is None:
                raise Problem(404, "There is no such version", "the list has those that are kept")
            older = next((each.version for each in lines if number_of(each.version) < number_of(name)), "none")
            against = asked.query("against") or older
            found = diff(await self._desk.book.rules_of(against), await self._desk.book.rules_of(name), (against, name))
            report = await self._desk.report()
        extra = _words() | {
            "against": [(each, each) for each in [*(line.version for line in lines if line.version != name), "draft"]],
        }  # fmt: skip
        return Page(
            "rules_version.html", f"Version {name}", VersionScreenData(version=line, diff=found, etag=report.etag),
            extra=extra,
        )  # fmt: skip

    async def roll_back(self, asked: Asked) -> Answer:
        """The old rules as a new version, whatever is in the draft."""
        to, book = asked.path("version"), self._desk.book
        before = name_of(book.number)
        with as_problems():
            draft, _ = await book.draft()
            made, kept = await book.roll_back(
                number_of(to), draft.revision, author=asked.actor, now=asked.node.staff.now()
            )
        await asked.node.staff.note(asked.actor, f"rules rolled back to {to}", name_of(made.number))
        told = f"{name_of(made.number)} is in force: what {to} said holds again."
        told += " Your draft with its changes was kept." if kept else ""
        return Go(RULES, Notice(told, undo=Undo(f"{VERSIONS}/{before}", {"do": "rollback"}, f"Back to {before}")))

    async def _lines(self) -> list[VersionLine]:
        return [
            VersionLine(
                version=name_of(each.number), author=each.author, at=each.at, note=each.note,
                copy_of=name_of(each.copy_of), rules=each.size, in_force=each.number == self._desk.book.number,
            )
            for each in await self._desk.versions()
        ]  # fmt: skip


def _words() -> dict[str, object]:
    return {"when_words": condition_words, "then_words": consequence_words, "change_words": change_words}
