"""The generations that are kept, as an operator sees them: which serves, which is pinned, which was refused and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import msgspec

from app.learning.pin import NoSuchGeneration, pin
from store.faults import GenerationUnreadable
from store.generation import aside, current, generations, read_card, refused

Status = Literal["published", "pinned", "kept", "refused"]


class ModelEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One generation with its model card."""

    id: str
    status: Status
    card: dict[str, Any]

    def summary(self) -> str:
        """The line that says most."""
        if "unreadable" in self.card:
            return str(self.card["unreadable"])
        if self.card.get("refused"):
            return str(self.card["refused"])
        judged = self.card.get("judged") or {}
        told = f"learned: {self.card.get('learned', '?')}, {self.card.get('items', 0)} items"
        if not judged.get("people"):
            return f"{told}, not judged"
        before = "" if judged["serving"] is None else f", before {judged['serving']:.4f}"
        return f"{told}, {judged['metric']} {judged['new']:.4f} (popularity {judged['popularity']:.4f}{before})"


def models(home: Path) -> list[ModelEntry]:
    """The newest first, those that serve or served before those that were refused."""
    published, pinned = _published(home), pin(home)
    found = []
    for name in reversed(generations(home)):
        status: Status = "kept" if name != published else "published" if pinned is None else "pinned"
        found.append(ModelEntry(id=name, status=status, card=_card(home, name)))
    return found + [
        ModelEntry(id=name, status="refused", card=_card(aside(home), name)) for name in reversed(refused(home))
    ]


def model(home: Path, id: str) -> ModelEntry:  # noqa: A002
    """One of them. Raises NoSuchGeneration."""
    every = models(home)
    for each in every:
        if each.id == id:
            return each
    known = ", ".join(each.id for each in every) or "none yet"
    raise NoSuchGeneration(f"there is no generation {id!r}; there are: {known}")


def _published(home: Path) -> str | None:
    try:
        return current(home)
    except GenerationUnreadable:
        return None


def _card(folder: Path, name: str) -> dict[str, Any]:
    try:
        return read_card(folder, name)
    except GenerationUnreadable as damaged:
        return {"id": name, "unreadable": str(damaged)}
