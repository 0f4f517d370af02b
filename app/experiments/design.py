"""Whether a design makes sense: what is wrong with it, where, and what would be right; and what stands in its way."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from app.problem import FieldError
from app.suggestion import suggest
from plugins.loading import shipped_names
from plugins.manager import Plugins
from store.experiments import HOLDOUT, SLOTS, Arm, Design, Experiment

SEARCH = "search"
_HOOKS: Mapping[str, str] = {"weights": "score", "retrieve": "retrieve", "arrange": "arrange"}


def problems_of(
    design: Design, *, placements: Collection[str], pages: Mapping[str, Collection[str]], plugins: Plugins
) -> list[FieldError]:
    """Everything wrong at once. `pages`: page -> its sections."""
    found: list[FieldError] = []
    if design.key == HOLDOUT:
        found.append(FieldError("/key", "'holdout' is the share kept out of personalization ([experiments] holdout)"))
    known = [*placements, SEARCH]
    for place, name in enumerate(design.placements):
        if name not in known:
            found.append(FieldError(f"/placements/{place}", f"there is no placement {name!r}{suggest(name, known)}"))
    for place, name in enumerate(design.pages):
        if name not in pages:
            found.append(FieldError(f"/pages/{place}", f"there is no page {name!r}{suggest(name, pages)}"))
    found += _of_weights(design.arms)
    keys = [arm.key for arm in design.arms]
    for place, arm in enumerate(design.arms):
        if arm.key in keys[:place]:
            found.append(FieldError(f"/arms/{place}/key", f"there are two arms {arm.key!r}; give one another name"))
        found += _of_arm(design, arm, f"/arms/{place}", pages, plugins)
    return found


def conflict_of(design: Design, running: Sequence[Experiment], pages: Mapping[str, Collection[str]]) -> str:
    """Why it cannot start beside what runs; empty: it can. `pages`: page -> the lists among its sections."""
    for other in running:
        shared = _shared(design, other.design, pages)
        if shared and not (design.layer and design.layer == other.design.layer):
            return (
                f"experiment {other.key!r} runs on {shared} too, and nobody could tell which of them moved the numbers;"
                " stop it, or put both into one layer, where they never share a visitor"
            )
    return ""


def free_slots(design: Design, running: Sequence[Experiment]) -> tuple[int, int] | str:
    """The slots of its layer that an experiment gets, or why there are not enough."""
    width = max(1, round(design.traffic * SLOTS / 100))
    if not design.layer:
        return 0, width
    taken = sorted((each.first_slot, each.last_slot) for each in running if each.design.layer == design.layer)
    first, widest = 0, 0
    for begins, ends in [*taken, (SLOTS, SLOTS)]:
        if begins - first >= width:
            return first, first + width
        widest = max(widest, begins - first)
        first = max(first, ends)
    return (
        f"layer {design.layer!r} has {widest * 100 / SLOTS:g} % of the visitors left in one piece, and this experiment"
        f" asks for {design.traffic:g} %; lower its traffic, or stop one of the layer"
    )


def _shared(one: Design, other: Design, pages: Mapping[str, Collection[str]]) -> str:
    """What both concern, in words; empty for nothing."""
    both = sorted(set(one.pages) & set(other.pages))
    if both:
        return f"page {both[0]!r}"
    for design, beside in ((one, other), (other, one)):
        for placement in (*design.placements, *(name for page in design.pages for name in pages.get(page, ()))):
            if beside.concerns(placement, pages):
                return f"placement {placement!r}"
    return "every placement" if one.concerns("", pages) and other.concerns("", pages) else ""


def _of_weights(arms: Sequence[Arm]) -> list[FieldError]:
    total = sum(arm.weight for arm in arms)
    if abs(total - 100) <= 0.01:
        return []
    parts = " + ".join(f"{arm.weight:g}" for arm in arms)
    return [FieldError("/arms", f"the weights of the arms add up to {total:g} ({parts}); they have to add up to 100")]


def _of_arm(
    design: Design, arm: Arm, path: str, pages: Mapping[str, Collection[str]], plugins: Plugins
) -> list[FieldError]:
    found: list[FieldError] = []
    lays_over = [name for name in ("weights", "off", "retrieve", "arrange") if getattr(arm, name)]
    if arm.static and lays_over:
        found.append(
            FieldError(f"{path}/{lays_over[0]}", "a static arm is the same for everyone: it changes nothing else")
        )
    on = {each.name for each in plugins.found}
    for setting, hook in _HOOKS.items():
        for name in getattr(arm, setting) or ():
            wrong = _of_plugin(name, hook, on, plugins)
            if wrong:
                found.append(FieldError(f"{path}/{setting}", wrong))
    found += [
        FieldError(f"{path}/off", f"plugin {name!r} is not on{suggest(name, on)}") for name in arm.off if name not in on
    ]
    return found + _of_sections(design, arm, f"{path}/sections", pages)


def _of_plugin(name: str, hook: str, on: Collection[str], plugins: Plugins) -> str:
    able = plugins.names(hook)
    if name in able or (name not in on and name in shipped_names()):
        return ""  # what ships and is off is no mistake: the list does without it
    if name in on:
        return f"plugin {name!r} has no {hook} hook; these have: {', '.join(able)}"
    return f"there is no plugin {name!r}{suggest(name, able)}"


def _of_sections(design: Design, arm: Arm, path: str, pages: Mapping[str, Collection[str]]) -> list[FieldError]:
    if arm.sections is None:
        return []
    if not design.pages:
        return [FieldError(path, "sections are of a page: name it in `pages`")]
    return [
        FieldError(path, f"page {page!r} has no section {name!r}{suggest(name, pages[page])}")
        for page in design.pages
        for name in arm.sections
        if page in pages and name not in pages[page]
    ]
