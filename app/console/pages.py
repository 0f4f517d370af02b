"""Pages: which sections the shop's pages show, in which order, under which banner; arranged, looked at, published."""

from __future__ import annotations

from typing import Any

import msgspec

from app.console.asked import Answer, Asked, Go, Notice, Page, Undo
from app.console.page_form import BannerFields, PageFields, fields_as, fields_of, page_from, problem_words
from app.experiences.book import DamagedPages, NotAPage, PagesChanged, PageWritten, etag_of
from app.experiences.options import ExperienceOptions
from app.experiences.pages import Experience
from app.merchandising.personas import NOBODY, PersonaOnWire, page_of, visitor_of
from app.problem import FieldError, Problem
from app.routes.numbers import whole
from app.routes.pages import PagesAnswer, page_problems, report
from app.rules.schedule import moment

PAGES = "/console/pages"


class SectionLine(msgspec.Struct, frozen=True):
    """One section of a page as drafted."""

    name: str
    title: str
    """Of a list; empty for a section of the page's own."""
    rate: float | None
    """Share of those who saw the list on a day and clicked in it, over four weeks; null while too few did."""


class PageLook(msgspec.Struct, frozen=True):
    """What the page shows the persona: as it is in force, and as it is drafted."""

    before: Experience | None
    after: Experience


class Arranged(msgspec.Struct, frozen=True, kw_only=True):
    """GET /console/pages/page/{name}.json"""

    page: str
    etag: str
    options: ExperienceOptions | None
    sections: list[SectionLine]
    look: PageLook | None


class PageScreen:
    """The list of pages and the page of one."""

    async def listing(self, asked: Asked) -> Answer:
        try:
            data = await report(asked.node)
        except DamagedPages as damaged:
            etag = etag_of((await asked.node.page_book.store.draft()).revision)
            empty = PagesAnswer("", etag, True, "", 0, [], str(damaged))
            return Page("pages.html", "Pages", empty, 409, {"damage": str(damaged), "may": asked.may("marketer")})
        extra = {"damage": "", "may": asked.may("marketer"), "waiting": _waiting(data)}
        return Page("pages.html", "Pages", data, extra=extra)

    async def act(self, asked: Asked) -> Answer:
        """Add a page, take one back to the configuration, discard the draft."""
        form, book, now = asked.form, asked.node.page_book, asked.node.staff.now()
        name, action = form.get("page"), form.get("do")
        if action == "add":
            return Go(f"{PAGES}/page/{name}") if _is_name(name) else Go(
                PAGES, Notice("A page is called with small letters, digits, - and _, such as home.", "wrong")
            )  # fmt: skip
        try:
            with page_problems():
                if action == "discard":
                    draft = await book.discard(revision(form.get("etag")), author=asked.actor, now=now)
                    await asked.node.staff.note(asked.actor, "pages draft discarded", "")
                    return Go(PAGES, Notice("The draft is what is in force again."))
                if action == "remove":
                    before = next((each for each in (await book.draft())[1] if each.page == name), None)
                    draft = await book.remove(name, revision(form.get("etag")), author=asked.actor, now=now)
                    await asked.node.staff.note(asked.actor, "page as configured", name)
                    kept = msgspec.json.encode(before).decode()
                    undo = Undo(PAGES, {"do": "restore", "kept": kept, "etag": etag_of(draft.revision)})
                    return Go(PAGES, Notice(f"“{name}” is as configured again, in the draft.", undo=undo))
                if action == "restore":
                    page = msgspec.json.decode(form.get("kept"), type=PageWritten)
                    await book.put(page, revision(form.get("etag")), author=asked.actor, now=now)
                    await asked.node.staff.note(asked.actor, "page arranged", page.page)
                    return Go(PAGES, Notice(f"“{page.page}” is back in the draft."))
        except msgspec.DecodeError:
            raise Problem(400, "Not a page", "it cannot be put back; arrange it anew") from None
        except Problem as problem:
            if problem.details.status != 412:
                raise
            return Go(PAGES, Notice("Somebody else changed the draft meanwhile; this is how it is now.", "warning"))
        raise Problem(404, "There is no such action", "there are add, remove and discard")

    async def one(self, asked: Asked) -> Answer:
        name = asked.path("name")
        options = await self._drafted(asked, name)
        return await self._page(asked, name, fields_of(options), options)

    async def change(self, asked: Asked) -> Answer:
        """Save, move, or look at what it would show."""
        name, fields = asked.path("name"), fields_as(asked.form)
        kept = await self._drafted(asked, name)
        page, problems = page_from(name, fields, kept)
        saves = not asked.form.get("move") and asked.form.get("do_what") != "preview"
        if page is None or not saves:
            status = 422 if page is None and saves else 200
            return await self._page(asked, name, fields, kept, page, problems, status=status)
        book, staff = asked.node.page_book, asked.node.staff
        try:
            told = asked.form.get("etag")
            await book.put(page, revision(told), author=asked.actor, now=staff.now())
        except NotAPage as wrong:
            return await self._page(asked, name, fields, kept, None, wrong.problems, status=422)
        except PagesChanged:
            return await self._page(asked, name, fields, kept, page, meanwhile=True, status=412)
        await staff.note(asked.actor, "page arranged", name)
        return Go(f"{PAGES}/page/{name}", Notice("Saved in the draft. Shoppers see it once the draft is published."))

    async def _drafted(self, asked: Asked, name: str) -> ExperienceOptions | None:
        if not _is_name(name):
            raise Problem(404, "There is no such page", "a page is called with small letters, digits, - and _")
        with page_problems():
            return (await asked.node.page_book.pages_of("draft")).get(name)

    async def _page(
        self, asked: Asked, name: str, fields: PageFields, kept: ExperienceOptions | None,
        page: PageWritten | None = None, problems: list[FieldError] | None = None, *, meanwhile: bool = False,
        status: int = 200,
    ) -> Page:  # fmt: skip
        node = asked.node
        with page_problems():
            draft, written = await node.page_book.draft()
        placements, rates = node.recommender.placements, node.experiences.rates()
        lines = [
            SectionLine(each, (placements[each].title or each) if each in placements else "", rates.get(each))
            for each in fields.sections
        ]
        personas = await node.rule_book.personas()
        look, problem = self._look(asked, name, page.options() if page else kept, personas)
        extra: dict[str, Any] = {
            "f": fields, "may": asked.may("marketer"), "meanwhile": meanwhile, "problem": problem,
            "wrong": [problem_words(each, fields) for each in problems or []],
            "banners": [*fields.banners, BannerFields()], "known": [each for each in sorted(placements)
                                                                   if each not in fields.sections],
            "personas": [("", "A new visitor"), *((each.id, each.name) for each in personas)],
            "look_at": {each: _asked(asked, each) for each in ("persona", "region", "at")},
            "regions": sorted(node.catalogue.region_names), "timezone": str(node.rules.zone),
            "own": any(each.page == name for each in written), "configured": name in node.page_book.base,
            "pending": node.experiences.pages.get(name) != kept,
            "segments": [str(each["key"]) for each in node.generations.serving.segment_list],
        }  # fmt: skip
        data = Arranged(page=name, etag=etag_of(draft.revision), options=kept, sections=lines, look=look)
        return Page("page.html", name, data, status, extra)

    def _look(
        self, asked: Asked, name: str, options: ExperienceOptions | None, personas: list[Any]
    ) -> tuple[PageLook | None, str]:
        """The page in force beside the one that is written, or why there is none to see."""
        node, told = asked.node, _asked(asked, "at")
        if options is None:
            return None, ""
        try:
            now = moment(told, node.rules.zone, end_of_day=False) if told else node.clock.now()
        except (ValueError, OverflowError) as error:
            return None, str(error)
        found: PersonaOnWire = next((each for each in personas if each.id == _asked(asked, "persona")), NOBODY)
        if region := _asked(asked, "region"):
            found = msgspec.structs.replace(found, region=region[:64])
        visitor = visitor_of(found, node.catalogue)
        facts, known = page_of(found, node.catalogue).facts(visitor, now), visitor.known or len(visitor.bought) > 0
        try:
            after = node.experiences.instead({name: options}).show(name, facts, known=known)
        except ValueError as wrong:  # NotARule: said by the save
            return None, str(wrong)
        there = name in node.experiences.pages
        return PageLook(node.experiences.show(name, facts, known=known) if there else None, after), ""


def revision(etag: str) -> int:
    """The draft's revision a page has read. Raises PagesChanged for what is none."""
    told = whole(etag.strip('"').removeprefix("d"))
    if told is None:
        raise PagesChanged("")
    return told


def _asked(asked: Asked, name: str) -> str:
    return asked.form.get(f"p_{name}") or asked.query(f"p_{name}")


def _is_name(name: str) -> bool:
    signs = name.replace("-", "a").replace("_", "a")
    return bool(name) and len(name) <= 64 and name[0] not in "-_" and signs.isascii() and signs.isalnum() and (
        name == name.lower()
    )  # fmt: skip


def _waiting(data: PagesAnswer) -> int:
    return sum(1 for each in data.pages if each.published != "same")
