"""From the draft of the pages to publication and back."""

from __future__ import annotations

import msgspec

from app.console.asked import Answer, Asked, Go, Notice, Page, Undo
from app.console.page_words import changes_of
from app.console.pages import PAGES, revision
from app.experiences.book import name_of
from app.merchandising.wire import VersionTold
from app.problem import Problem
from app.routes.pages import PagesAnswer, page_problems, report, version_told

VERSIONS = f"{PAGES}/versions"
SHOWN = 200


class PageVersions(msgspec.Struct, frozen=True):
    """The newest first."""

    versions: list[VersionTold]
    in_force: str


class VersionScreen:
    """Review, publish, look back, roll back."""

    async def review(self, asked: Asked) -> Answer:
        with page_problems():
            data: PagesAnswer = await report(asked.node)
            found = changes_of(asked.node.experiences.pages, await asked.node.page_book.pages_of("draft"))
        extra = {"changes": found, "may": asked.may("marketer")}
        return Page("pages_review.html", "Publish pages", data, extra=extra)

    async def publish(self, asked: Asked) -> Answer:
        """In force with the next request. The notice takes it back."""
        book, before = asked.node.page_book, name_of(asked.node.page_book.number)
        try:
            with page_problems():
                made = await book.publish(
                    revision(asked.form.get("etag")), author=asked.actor, now=asked.node.staff.now(),
                    note=asked.form.get("note")[:1000],
                )  # fmt: skip
        except Problem as problem:
            if problem.details.status != 412:
                raise
            told = "Somebody changed the draft while you looked. This is what publishing would change now."
            return Go(f"{PAGES}/review", Notice(told, "warning"))
        await asked.node.staff.note(asked.actor, "pages published", name_of(made.number))
        undo = Undo(f"{VERSIONS}/{before}", {"do": "rollback"}, f"Back to {before}")
        return Go(PAGES, Notice(f"{name_of(made.number)} is in force: the next request sees it.", undo=undo))

    async def versions(self, asked: Asked) -> Answer:
        found = [version_told(each) for each in await asked.node.page_book.store.versions(SHOWN)]
        data = PageVersions(found, name_of(asked.node.page_book.number))
        return Page("pages_versions.html", "Versions of the pages", data, extra={"may": asked.may("marketer")})

    async def roll_back(self, asked: Asked) -> Answer:
        """The old pages as a new version; a draft with something unpublished stays."""
        to, book = asked.path("version"), asked.node.page_book
        before = name_of(book.number)
        with page_problems():
            draft = await book.store.draft()
            made = await book.roll_back(to, draft.revision, author=asked.actor, now=asked.node.staff.now())
        await asked.node.staff.note(asked.actor, f"pages rolled back to {to}", name_of(made.number))
        undo = Undo(f"{VERSIONS}/{before}", {"do": "rollback"}, f"Back to {before}")
        return Go(PAGES, Notice(f"{name_of(made.number)} is in force: what {to} said holds again.", undo=undo))
