"""What an operator writes about the pages of the shop: their sections, and banners with conditions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import msgspec
from msgspec import Meta

from app.rules.model import Condition

Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]*\Z", max_length=64)]
Text = Annotated[str, Meta(max_length=500)]
Link = Annotated[str, Meta(max_length=2_000, pattern=r"^(https?://|/(?!/)|\Z)")]
"""An address of the web or of the shop itself, nothing that a browser would run."""


class BannerOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One banner; of those whose condition holds the first is shown."""

    id: Name
    title: Annotated[str, Meta(min_length=1, max_length=200)]
    text: Text = ""
    url: Link = ""
    image: Link = ""
    when: Condition = Condition()


class ExperienceOptions(msgspec.Struct, frozen=True, kw_only=True):
    """[experiences.PAGE]."""

    sections: Annotated[list[Name], Meta(min_length=1, max_length=64)]
    """In this order. A section with the name of a placement is that list; any other is the page's own."""
    fixed: Annotated[int, Meta(ge=0, le=64)] = 0
    """The first so many never move."""
    learned: bool = True
    """The lists after them in the order of how many of those who see them click (published figures, never fewer than
    `people_at_least` people)."""
    when: dict[str, Condition] = {}
    """Section -> when it is shown at all."""
    banners: Annotated[list[BannerOptions], Meta(max_length=200)] = []

    def conditions(self) -> Iterator[tuple[str, Condition]]:
        """Every condition with its place in the table."""
        yield from ((f"when.{name}", condition) for name, condition in self.when.items())
        yield from ((f"banners.{banner.id}.when", banner.when) for banner in self.banners)

    def problems(self) -> list[str]:
        """What cannot be meant, each beginning with its setting."""
        found = [f"sections: {name!r} stands twice" for name in self.sections if self.sections.count(name) > 1]
        found += [
            f"when.{name}: no such section; there are {', '.join(self.sections)}"
            for name in self.when
            if name not in self.sections
        ]
        ids = [banner.id for banner in self.banners]
        found += [f"banners.{name}: there are two of this id" for name in sorted(set(ids)) if ids.count(name) > 1]
        for path, condition in self.conditions():
            if condition.placements or condition.queries or condition.exact:
                found.append(f"{path}: placements and queries are of lists; a page has regions, segments, devices,"
                             " arms, a schedule, and what the page and the cart hold")  # fmt: skip
        return list(dict.fromkeys(found))
