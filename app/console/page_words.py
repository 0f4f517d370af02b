"""What changed on the shop's pages, in words."""

from __future__ import annotations

from collections.abc import Mapping

from app.console.rule_words import condition_words
from app.experiences.options import ExperienceOptions


def changes_of(
    before: Mapping[str, ExperienceOptions], after: Mapping[str, ExperienceOptions]
) -> list[tuple[str, str, list[tuple[str, str, str]]]]:
    """Page, what happened to it, and each change: where, what it was, what it is."""
    found = []
    for name in sorted({*before, *after}):
        was, now = before.get(name), after.get(name)
        if was != now:
            kind = "added" if was is None else "removed" if now is None else "changed"
            found.append((name, kind, list(_changes(was, now))))
    return found


def _changes(was: ExperienceOptions | None, now: ExperienceOptions | None) -> list[tuple[str, str, str]]:
    told = [_told(was), _told(now)]
    names = dict.fromkeys([*told[0], *told[1]])
    return [(n, told[0].get(n, ""), told[1].get(n, "")) for n in names if told[0].get(n, "") != told[1].get(n, "")]


def _told(options: ExperienceOptions | None) -> dict[str, str]:
    """A page in words, by what the words are about."""
    if options is None:
        return {}
    found = {"sections": " → ".join(options.sections), "never move": f"the first {options.fixed}"}
    found["order"] = "learned" if options.learned else "as written"
    found |= {f"section {name}": condition_words(condition) for name, condition in options.when.items()}
    found["banners"] = " → ".join(each.id for each in options.banners)
    for each in options.banners:
        parts = [each.title, each.text, each.url, each.image, condition_words(each.when)]
        found[f"banner {each.id}"] = " · ".join(part for part in parts if part)
    return found
