"""Drafts and versions of the shop's pages: what marketers arrange, publish and take back. Below them lies the
configuration: a page that nobody published here is as [experiences] says. A version is committed before it holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from zoneinfo import ZoneInfo

import msgspec

from app.experiences.options import ExperienceOptions, Name
from app.experiences.pages import Experiences, condition_problems
from app.problem import FieldError
from store.versions import Draft, DraftChanged, Version, VersionStore

PAGES_AT_MOST = 100


class PageWritten(ExperienceOptions, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One page as it was arranged here; the shape of /v1/pages and of the store."""

    page: Name

    def options(self) -> ExperienceOptions:
        """As a configuration would say it."""
        return ExperienceOptions(
            sections=self.sections, fixed=self.fixed, learned=self.learned, when=self.when, banners=self.banners
        )


class NoSuchPage(LookupError):
    """There is no page, or no version, of that name; the message says so."""


class PagesChanged(Exception):
    """Somebody else changed the draft since it was read; `etag` is what it is now."""

    def __init__(self, etag: str) -> None:
        super().__init__(f"it is {etag} now")
        self.etag = etag


class NotAPage(ValueError):
    """A page that cannot be meant, each mistake with its place."""

    def __init__(self, problems: Sequence[FieldError]) -> None:
        super().__init__("; ".join(f"{each.pointer}: {each.detail}" for each in problems))
        self.problems = list(problems)


class DamagedPages(ValueError):
    """What was kept cannot be read; the message says what to do."""


class PageBook:
    """The one that changes the tables of pages, and swaps what is in force each time after its commit."""

    def __init__(
        self, store: VersionStore, experiences: Experiences, base: Mapping[str, ExperienceOptions], zone: ZoneInfo,
        keep: int,
    ) -> None:  # fmt: skip
        """`base`: the pages of the configuration."""
        self.store = store
        self.base = dict(base)
        self.number = 0
        """Of the version in force; 0: the configuration alone."""
        self.problem = ""
        """Why what was published is not in force."""
        self._experiences = experiences
        self._zone = zone
        self._keep = keep

    async def open(self) -> None:
        """Take over what was published; where it cannot be read the configuration holds, and the console says why."""
        latest = await self.store.latest()
        if latest is not None:
            self.number = latest.number
            try:
                self._take_over(readable(latest.body, latest.number))
            except (DamagedPages, NotAPage) as damaged:
                self.problem = str(damaged)

    async def draft(self) -> tuple[Draft, list[PageWritten]]:
        """What is being written, by name. Raises DamagedPages."""
        draft = await self.store.draft()
        return draft, readable(draft.body, draft.based_on)

    async def pages_of(self, name: str) -> dict[str, ExperienceOptions]:
        """Every page under `draft`, `published`, `configuration` or a version such as `p4`. Raises NoSuchPage,
        DamagedPages."""
        if name == "configuration":
            return dict(self.base)
        if name == "draft":
            return self._over((await self.draft())[1])
        if name == "published":
            latest = await self.store.latest()
            return self._over([] if latest is None else readable(latest.body, latest.number))
        version = await self.version(name)
        return self._over(readable(version.body, version.number))

    async def put(self, page: PageWritten, revision: int, *, author: str, now: float) -> Draft:
        """Write a page in the draft that was read. Raises NotAPage, PagesChanged, DamagedPages."""
        problems = problems_of(page, self._zone)
        _, pages = await self.draft()
        others = [each for each in pages if each.page != page.page]
        if len(others) >= PAGES_AT_MOST:
            problems.append(FieldError("/page", f"there are {PAGES_AT_MOST} pages already, as many as may be"))
        if problems:
            raise NotAPage(problems)
        return await self._write([*others, page], revision, author, now)

    async def remove(self, page: str, revision: int, *, author: str, now: float) -> Draft:
        """A page as the configuration has it again, or gone where that does not know it. Raises NoSuchPage,
        PagesChanged, DamagedPages."""
        _, pages = await self.draft()
        left = [each for each in pages if each.page != page]
        if len(left) == len(pages):
            raise NoSuchPage(f"the draft does not change a page '{page[:64]}'")
        return await self._write(left, revision, author, now)

    async def discard(self, revision: int, *, author: str, now: float) -> Draft:
        """Begin anew with what is in force. Raises PagesChanged."""
        latest = await self.store.latest()
        return await self._keep_draft(b"[]" if latest is None else latest.body, revision, author, now)

    async def publish(self, revision: int, *, author: str, now: float, note: str = "") -> Version:
        """The draft that was read is in force with the next request. Raises PagesChanged, NotAPage, DamagedPages."""
        draft, pages = await self.draft()
        if draft.revision != revision:
            raise PagesChanged(etag_of(draft.revision))
        return await self._publish(pages, revision, author, now, note)

    async def roll_back(self, name: str, revision: int, *, author: str, now: float) -> Version:
        """A new version equal to an old one (`p0`: the configuration alone), which the draft becomes as well unless it
        holds something unpublished. Raises NoSuchPage, PagesChanged, NotAPage, DamagedPages."""
        number = number_of(name)
        pages = [] if number == 0 else readable((await self.version(name)).body, number)
        draft, latest = await self.store.draft(), await self.store.latest()
        unpublished = draft.body != (b"[]" if latest is None else latest.body)
        return await self._publish(
            pages, revision, author, now, f"back to {name}", copy_of=number, draft=draft.body if unpublished else None
        )

    async def version(self, name: str) -> Version:
        """Raises NoSuchPage."""
        found = await self.store.version(number_of(name))
        if found is None:
            raise NoSuchPage(f"there is no version {name[:40]} (any more)")
        return found

    async def _publish(
        self, pages: list[PageWritten], revision: int, author: str, now: float, note: str, *, copy_of: int = 0,
        draft: bytes | None = None,
    ) -> Version:  # fmt: skip
        problems = [each for page in pages for each in problems_of(page, self._zone, f"/{page.page}")]
        if problems:
            raise NotAPage(problems)
        try:
            made = await self.store.publish(
                pages_json(pages), revision=revision, author=author, now=now, note=note, count=len(pages),
                copy_of=copy_of, draft=draft, keep=self._keep,
            )  # fmt: skip
        except DraftChanged:
            raise PagesChanged(etag_of((await self.store.draft()).revision)) from None
        self.number, self.problem = made.number, ""
        self._take_over(pages)
        return made

    async def _write(self, pages: list[PageWritten], revision: int, author: str, now: float) -> Draft:
        return await self._keep_draft(pages_json(pages), revision, author, now)

    async def _keep_draft(self, body: bytes, revision: int, author: str, now: float) -> Draft:
        try:
            return await self.store.write_draft(body, revision=revision, based_on=self.number, author=author, now=now)
        except DraftChanged:
            raise PagesChanged(etag_of((await self.store.draft()).revision)) from None

    def _take_over(self, pages: Sequence[PageWritten]) -> None:
        wrong = [each for page in pages for each in problems_of(page, self._zone, f"/{page.page}")]
        if wrong:
            raise NotAPage(wrong)
        self._experiences.replace(self._over(pages))

    def _over(self, pages: Sequence[PageWritten]) -> dict[str, ExperienceOptions]:
        return self.base | {each.page: each.options() for each in pages}


def problems_of(page: PageWritten, zone: ZoneInfo, base: str = "") -> list[FieldError]:
    """What cannot be meant, all of it."""
    found = []
    for said in condition_problems({page.page: page}, zone):
        path, _, detail = said.removeprefix(f"experiences.{page.page}.").partition(": ")
        found.append(FieldError(f"{base}/{path.replace('.', '/')}", detail))
    return found


def pages_json(pages: Sequence[PageWritten]) -> bytes:
    """A version as it is kept."""
    return msgspec.json.encode(sorted(pages, key=lambda each: each.page))


def readable(body: bytes, number: int) -> list[PageWritten]:
    """A version as it was kept. Raises DamagedPages."""
    try:
        return _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        told = f"{name_of(number)} cannot be read ({error}); discard the draft, or go back to another version"
        raise DamagedPages(told) from None


def name_of(number: int) -> str:
    """ "p4"; "p0" is the configuration alone."""
    return f"p{number}"


def number_of(name: str) -> int:
    """The number of "p4". Raises NoSuchPage."""
    digits = name[1:]
    if not name.startswith("p") or not (digits.isascii() and digits.isdigit()) or len(digits) > 9:
        raise NoSuchPage(f"there is no version '{name[:40]}'; they are called p1, p2 …, and p0 the configuration")
    return int(digits)


def etag_of(revision: int) -> str:
    """Of the draft."""
    return f'"d{revision}"'


_decode = msgspec.json.Decoder(list[PageWritten]).decode
