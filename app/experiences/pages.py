"""The pages of the shop, and what one of them shows a visitor now. Pure but for its own memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import msgspec

from app.experiences.options import BannerOptions, ExperienceOptions
from app.rules.columns import Columns
from app.rules.compiled import NotARule, Ready, make_ready
from app.rules.index import Facts, Index, places
from app.rules.model import Condition, Consequence, Rule
from app.serving.placements import Placement
from app.serving.trials import ExperimentOnWire, Trial
from store.catalogue import Catalogue

_NOTHING = Consequence(do="pin", items=["-"])
"""A page's condition is a rule's, asked the same way; only nothing follows from it in lists."""


class Banner(msgspec.Struct, frozen=True, omit_defaults=True):
    """What stands above a page."""

    id: str
    title: str
    text: str = ""
    url: str = ""
    image: str = ""


class Section(msgspec.Struct, frozen=True, omit_defaults=True):
    """One section; `placement` where it is a list, to be asked for."""

    id: str
    placement: str = ""
    title: str = ""


class Experience(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a page shows."""

    page: str
    sections: list[Section]
    banner: Banner | None = None
    experiment: ExperimentOnWire | None = None


class UnknownPage(LookupError):
    """Nobody arranged a page of that name; the message names those there are."""


@dataclass(frozen=True)
class _Page:
    options: ExperienceOptions
    index: Index
    sections: Mapping[str, int]
    """Section with a condition -> its bit's place."""
    banners: Sequence[tuple[BannerOptions, int]]


class Experiences:
    """Every page of the shop; the loop's thread only."""

    def __init__(
        self, options: Mapping[str, ExperienceOptions], *, placements: Mapping[str, Placement], catalogue: Catalogue,
        columns: Columns, zone: ZoneInfo, rates: Callable[[], Mapping[str, float]],
        lists: dict[str, list[str]] | None = None,
    ) -> None:  # fmt: skip
        """The options have to be without `condition_problems`."""
        self._placements = placements
        self._catalogue, self._columns, self._zone = catalogue, columns, zone
        self.rates = rates
        """Placement -> share of those who saw it that clicked, as far as it may be told."""
        self.lists: dict[str, list[str]] = {} if lists is None else lists
        """Page -> those of its sections that are lists; the same mapping for good, for whoever looks into it."""
        self._pages: dict[str, _Page] = {}
        self.replace(options)

    @property
    def pages(self) -> dict[str, ExperienceOptions]:
        """Every page as it is in force."""
        return {name: page.options for name, page in self._pages.items()}

    def replace(self, options: Mapping[str, ExperienceOptions]) -> None:
        """The next request sees these pages; options as for a new object."""
        self._pages = {name: _page(told, self._catalogue, self._columns, self._zone) for name, told in options.items()}
        self.lists.clear()
        self.lists |= {
            name: [section for section in told.sections if section in self._placements]
            for name, told in options.items()
        }

    def instead(self, options: Mapping[str, ExperienceOptions]) -> Experiences:
        """Other pages beside these, to look at."""
        return Experiences(
            options, placements=self._placements, catalogue=self._catalogue, columns=self._columns, zone=self._zone,
            rates=self.rates,
        )  # fmt: skip

    def show(self, name: str, facts: Facts, trial: Trial | None = None, *, known: bool = False) -> Experience:
        """The page for whom these facts are true. `known`: something is known of the visitor, so that lists of what
        one has viewed or bought say something. Raises UnknownPage."""
        page = self._pages.get(name)
        if page is None:
            there = f"there are {', '.join(self._pages)}" if self._pages else "none is arranged"
            raise UnknownPage(f"there is no page {name!r}; {there} ([experiences.NAME], or the console)")
        static = trial is not None and trial.arm.static
        held = set(places(page.index.select(facts)))
        arm = trial.arm.sections if trial is not None else None
        order = page.options.sections if arm is None else arm
        shown = [
            section for section in order
            if page.sections.get(section, -1) in held | {-1} and (known or not self._personal(section))
        ]  # fmt: skip
        if page.options.learned and arm is None and not static:
            shown = by_rate(shown, page.options.sections[: page.options.fixed], self.rates())
        banner = next((each for each, place in page.banners if place in held), None)
        return Experience(
            name, [self._section(each) for each in shown],
            Banner(banner.id, banner.title, banner.text, banner.url, banner.image) if banner else None,
            trial.told if trial else None,
        )  # fmt: skip

    def _personal(self, section: str) -> bool:
        """A list that nothing fills up says nothing of a stranger."""
        placement = self._placements.get(section)
        return placement is not None and not placement.fill

    def _section(self, name: str) -> Section:
        placement = self._placements.get(name)
        return Section(name) if placement is None else Section(name, name, placement.title)


def by_rate(sections: Sequence[str], fixed: Sequence[str], rates: Mapping[str, float]) -> list[str]:
    """The sections that have a rate, best first, on the places they had among themselves; the others stay."""
    moving = [name for name in sections if name in rates and name not in fixed]
    best = iter(sorted(moving, key=lambda name: -rates[name]))
    return [next(best) if name in moving else name for name in sections]


def condition_problems(options: Mapping[str, ExperienceOptions], zone: ZoneInfo) -> list[str]:
    """What is wrong with pages, each with its TOML path."""
    found = []
    for name, told in options.items():
        found += [f"experiences.{name}.{problem}" for problem in told.problems()]
        for path, condition in told.conditions():
            try:
                times = _ready(condition, zone, 0).times
                if times is not None and times.ends <= times.starts:
                    found.append(f"experiences.{name}.{path}.schedule.ends: it ends before it begins")
            except NotARule as wrong:
                found.append(f"experiences.{name}.{path}{wrong.pointer.removeprefix('/when').replace('/', '.')}:"
                             f" {wrong.detail}")  # fmt: skip
    return found


def _page(options: ExperienceOptions, catalogue: Catalogue, columns: Columns, zone: ZoneInfo) -> _Page:
    ready: list[Ready] = []

    def placed(condition: Condition) -> int:
        ready.append(_ready(condition, zone, len(ready)))
        return len(ready) - 1

    sections = {name: placed(condition) for name, condition in options.when.items()}
    banners = [(banner, placed(banner.when)) for banner in options.banners]
    return _Page(options, Index(ready, catalogue, columns), sections, banners)


def _ready(condition: Condition, zone: ZoneInfo, place: int) -> Ready:
    return make_ready(Rule(id=f"part-{place}", name="part of a page", when=condition, then=_NOTHING), zone, place)
