"""A page of the shop as a form, and back: its sections in order, its banners, and when each of them is shown."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

import msgspec

from app.console.forms import Form
from app.experiences.book import PageWritten
from app.experiences.options import BannerOptions, ExperienceOptions
from app.problem import FieldError, field_error
from app.rules.model import Condition

LISTS = ("regions", "segments", "devices")
TIMES = ("starts", "ends")
TEXTS = ("id", "title", "text", "url", "image")
BANNERS_AT_MOST = 200


class Conditional(msgspec.Struct):
    """The fields of a condition that the form has; `rest` is what it has not and keeps."""

    regions: str = ""
    segments: str = ""
    devices: str = ""
    starts: str = ""
    ends: str = ""

    @property
    def said(self) -> bool:
        return any(getattr(self, name) for name in (*LISTS, *TIMES))


class BannerFields(Conditional):
    """One banner as it is filled in."""

    id: str = ""
    title: str = ""
    text: str = ""
    url: str = ""
    image: str = ""


class PageFields(msgspec.Struct, kw_only=True):
    """The form as it stands."""

    sections: list[str]
    when: dict[str, Conditional]
    fixed: str = "0"
    learned: bool = True
    banners: list[BannerFields]
    add: str = ""


def fields_of(options: ExperienceOptions | None) -> PageFields:
    """The form of a page as it is; of none, an empty one."""
    if options is None:
        return PageFields(sections=[], when={}, banners=[])
    return PageFields(
        sections=list(options.sections), fixed=str(options.fixed), learned=options.learned,
        when={name: Conditional(**_said(options.when.get(name, Condition()))) for name in options.sections},
        banners=[_banner(each) for each in options.banners],
    )  # fmt: skip


def fields_as(form: Form) -> PageFields:
    """The form as somebody filled it in, what is moved, dropped and added carried out."""
    dropped, sections = set(form.all("drop")), [name for name in form.all("section") if name]
    sections = [name for name in sections if name not in dropped]
    sections += [name for name in _listed(form.get("add")) if name not in sections]
    keys = [key for key in form.all("banner")[: BANNERS_AT_MOST + 1] if key not in set(form.all("drop_banner"))]
    kind, _, rest = form.get("move").partition(":")
    which, _, name = rest.partition(":")
    if which in ("section", "banner"):
        _move(sections if which == "section" else keys, name, -1 if kind == "up" else 1)
    banners = [
        BannerFields(**{field: form.get(f"{key}_{field}") for field in (*TEXTS, *LISTS, *TIMES)}) for key in keys
    ]
    return PageFields(
        sections=sections, fixed=form.get("fixed") or "0", learned=form.get("learned") == "yes",
        when={
            name: Conditional(**{field: form.get(f"s_{name}_{field}") for field in (*LISTS, *TIMES)})
            for name in sections
        },
        banners=[each for each in banners if each.title or each.text or each.url or each.image],
    )  # fmt: skip


def page_from(
    page: str, fields: PageFields, before: ExperienceOptions | None
) -> tuple[PageWritten | None, list[FieldError]]:
    """The page, or what is wrong with it. What the form has no field for stays as it was `before`."""
    old_when = before.when if before is not None else {}
    old_banners = {each.id: each for each in before.banners} if before is not None else {}
    when = {name: _condition(told, old_when.get(name)) for name, told in fields.when.items()}
    taken: set[str] = set()
    banners = []
    for each in fields.banners:
        banner_id = each.id or _id_from(each.title, taken | set(old_banners))
        each.id = banner_id
        taken.add(banner_id)
        old = old_banners.get(banner_id)
        told = {name: getattr(each, name) for name in TEXTS} | {"id": banner_id}
        banners.append(told | {"when": _condition(each, old.when if old is not None else None)})
    told = {
        "page": page, "sections": fields.sections, "fixed": fields.fixed, "learned": fields.learned,
        "when": {name: condition for name, condition in when.items() if condition}, "banners": banners,
    }  # fmt: skip
    try:
        return msgspec.convert({**told, "fixed": int(fields.fixed)}, PageWritten), []
    except ValueError as error:
        if isinstance(error, msgspec.ValidationError):
            return None, [field_error(error)]
        return None, [FieldError("/fixed", f"'{fields.fixed[:20]}' is not a number")]


def problem_words(problem: FieldError, fields: PageFields) -> str:
    """`Banner “The first frost” › when › schedule: it ends before it begins`."""
    parts = [part for part in problem.pointer.split("/") if part]
    if parts[:1] == ["banners"] and len(parts) > 1:
        place = int(parts[1]) if parts[1].isdigit() else None
        found = next((each for nth, each in enumerate(fields.banners) if nth == place or each.id == parts[1]), None)
        parts = [f"Banner “{found.title if found else parts[1]}”", *parts[2:]]
    elif parts[:1] == ["when"] and len(parts) > 1:
        parts = [f"Section “{parts[1]}”", *parts[2:]]
    where = " › ".join(part.replace("_", " ") for part in parts)
    return f"{where[:1].upper()}{where[1:]}: {problem.detail}" if where else problem.detail


def _banner(banner: BannerOptions) -> BannerFields:
    return BannerFields(**{name: getattr(banner, name) for name in TEXTS}, **_said(banner.when))


def _said(condition: Condition) -> dict[str, str]:
    lists = {name: ", ".join(getattr(condition, name)) for name in LISTS}
    return {**lists, "starts": condition.schedule.starts, "ends": condition.schedule.ends}


def _condition(fields: Conditional, before: Condition | None) -> dict[str, Any]:
    """As it is written; empty for one that always holds."""
    told: dict[str, Any] = msgspec.to_builtins(before) if before is not None else {}
    told |= {name: _listed(getattr(fields, name)) for name in LISTS}
    schedule = told.get("schedule", {}) | {name: getattr(fields, name) for name in TIMES}
    told["schedule"] = {name: value for name, value in schedule.items() if value}
    return {name: value for name, value in told.items() if value}


def _move(names: list[str], name: str, by: int) -> None:
    if name in names:
        place = names.index(name)
        other = min(max(place + by, 0), len(names) - 1)
        names[place], names[other] = names[other], names[place]


def _id_from(title: str, taken: set[str]) -> str:
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    base = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:56] or "banner"
    return next(each for each in (base, *(f"{base}-{nth}" for nth in range(2, len(taken) + 3))) if each not in taken)


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.replace("\n", ",").split(",") if part.strip()]
