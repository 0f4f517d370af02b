"""Personas: made-up visitors to look at the shop with their eyes. No real visitor can be saved as one."""

from __future__ import annotations

import re

import msgspec

from app.console.asked import Answer, Asked, Go, Notice, Page, Undo
from app.console.rule_desk import RuleDesk
from app.merchandising.personas import Persona, unknown_ids
from app.problem import Problem

PERSONAS = "/console/rules/personas"


class Personas(msgspec.Struct, frozen=True):
    """Every saved one."""

    personas: list[Persona]


class PersonaScreen:
    """The list, and a form for a new one."""

    def __init__(self, desk: RuleDesk) -> None:
        self._desk = desk

    async def listing(self, asked: Asked) -> Answer:
        return await self._page(asked)

    async def act(self, asked: Asked) -> Answer:
        """Save or remove; what was removed can be put back."""
        node, store = asked.node, self._desk.book.store
        if asked.form.get("do") == "remove":
            name = asked.form.get("id")
            gone = next((each for each in await self._desk.book.personas() if each.id == name), None)
            if gone is None or not await store.remove_persona(name):
                raise Problem(404, "There is no such persona", "the list has those there are")
            await node.staff.note(asked.actor, "persona removed", name)
            undo = Undo(PERSONAS, {"do": "restore", "persona": msgspec.json.encode(gone).decode()})
            return Go(PERSONAS, Notice(f"{gone.name} is gone.", undo=undo))
        errors: dict[str, str] = {}
        made = _restored(asked) if asked.form.get("do") == "restore" else _filled_in(asked, errors)
        if made is not None and (unknown := unknown_ids(made, node.catalogue)):
            errors["viewed"] = f"the catalogue does not know {', '.join(unknown[:5])}"
        known = {each.id for each in await self._desk.book.personas()}
        most = node.config.rules.personas_at_most
        if made is not None and made.id not in known and len(known) >= most:
            errors["name"] = f"there are {most} already ([rules] personas_at_most); remove some"
        if made is None or errors:
            return await self._page(asked, errors)
        await store.put_persona(made.id, msgspec.json.encode(made))
        await node.staff.note(asked.actor, "persona saved", made.id)
        return Go(PERSONAS, Notice(f"{made.name} can be chosen in previews."))

    async def _page(self, asked: Asked, errors: dict[str, str] | None = None) -> Page:
        extra = {
            "errors": errors or {}, "form": asked.form, "categories": sorted(asked.node.catalogue.category_names)[:500],
            "regions": sorted(asked.node.catalogue.region_names),
        }  # fmt: skip
        return Page(
            "personas.html", "Personas", Personas(await self._desk.book.personas()), 422 if errors else 200, extra
        )


def _filled_in(asked: Asked, errors: dict[str, str]) -> Persona | None:
    form = asked.form
    name = form.get("name")
    ident = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60] or "persona"
    likes = {f"category:{path}": 1.0 for path in _listed(form.get("likes"))}
    told = {
        "id": ident, "name": name, "viewed": _listed(form.get("viewed")), "bought": _listed(form.get("bought")),
        "likes": likes, "segments": _listed(form.get("segments")), "region": form.get("region"),
        "device": form.get("device"), "cart": _listed(form.get("cart")),
    }  # fmt: skip
    try:
        return msgspec.convert(told, Persona)
    except msgspec.ValidationError as error:
        errors["name"] = str(error)
        return None


def _restored(asked: Asked) -> Persona | None:
    try:
        return msgspec.json.decode(asked.form.get("persona"), type=Persona)
    except msgspec.DecodeError:
        return None


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.replace("\n", ",").split(",") if part.strip()]
