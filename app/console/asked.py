"""What a screen is given and what it answers: a page to show, or where to go next."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from app.admin.sessions import Session
from app.console.forms import NOTHING, Form
from app.problem import Problem
from app.routes.admin import CONFIRM
from app.routes.numbers import whole
from store.accounts import ROLE_NAMES, Role, names_of

if TYPE_CHECKING:
    from app.node import Node


@dataclass(frozen=True)
class Undo:
    """A button that takes back what was just done: a form of its own."""

    action: str
    fields: Mapping[str, str] = field(default_factory=dict)
    label: str = "Undo"


@dataclass(frozen=True)
class Notice:
    """Said once, on the next page. `shown_once`: a text that is never told again, such as a new key."""

    text: str
    kind: str = "done"
    """`done`, `warning` or `wrong`."""
    undo: Undo | None = None
    shown_once: str = ""


@dataclass(frozen=True)
class Go:
    """After a form: go there and say this."""

    url: str
    notice: Notice | None = None


@dataclass(frozen=True)
class Page:
    """A screen filled in. `data` is the JSON twin; the template finds its fields as `d`."""

    template: str
    title: str
    data: object
    status: int = 200
    extra: Mapping[str, object] = field(default_factory=dict)
    """What only the HTML needs, such as how a form was filled in."""


Answer = Page | Go | Response


@dataclass(frozen=True)
class Asked:
    """One request of somebody who is signed in and may make it."""

    node: Node
    request: Request
    session: Session
    form: Form = NOTHING

    @property
    def actor(self) -> str:
        return self.session.name

    def path(self, name: str) -> str:
        return str(self.request.path_params[name])

    def query(self, name: str, default: str = "") -> str:
        return self.request.query_params.get(name, default).strip()

    def number(self, name: str, default: int, most: int) -> int:
        """A number in the URL, within bounds whatever was typed."""
        told = whole(self.query(name))
        return default if told is None else min(told, most)

    def may(self, *names: str) -> bool:
        wanted = Role.NONE
        for name in names:
            wanted |= ROLE_NAMES[name]
        return bool(self.session.roles & wanted)

    def require(self, *names: str) -> None:
        """Raises Problem 403 without one of the roles."""
        if not self.may(*names):
            raise Problem(403, "Not for your role", f"this needs the role {' or '.join(names)}")

    def require_password(self) -> None:
        """Raises Problem 403 unless the password was entered within minutes; the gate then asks for it."""
        if not self.node.staff.confirmed(self.session):
            raise Problem(403, "Enter your password again", "POST /v1/admin/confirm, then repeat this", kind=CONFIRM)

    @property
    def roles(self) -> list[str]:
        return names_of(self.session.roles)


View = Callable[[Asked], Awaitable[Answer]]
