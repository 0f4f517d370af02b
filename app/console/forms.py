"""Reads what a page's form sends: bounded, every name with all its values."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qsl

from starlette.requests import Request

from app.problem import Problem
from app.routes.body import media_type, read_body

FORM_BYTES = 512 * 1024
"""Room for a rule whose expression is far too long, so that its form can come back with what is wrong."""
FIELDS = 2_000
HIDDEN = frozenset({"csrf", "once", "staff_name", "staff_password"})
"""What belongs to sending a form and not to what was filled in."""


class Form:
    """The fields of a form; of one that was left out the default."""

    def __init__(self, fields: list[tuple[str, str]]) -> None:
        self._fields = fields

    def get(self, name: str, default: str = "") -> str:
        """The last value of that name, without blanks around it."""
        return next((value.strip() for told, value in reversed(self._fields) if told == name), default)

    def raw(self, name: str) -> str:
        """As it was typed: a password may begin with a blank."""
        return next((value for told, value in reversed(self._fields) if told == name), "")

    def all(self, name: str) -> list[str]:
        return [value.strip() for told, value in self._fields if told == name]

    def filled_in(self) -> list[tuple[str, str]]:
        """What a person entered, to be sent again later."""
        return [(name, value) for name, value in self._fields if name not in HIDDEN]

    def __contains__(self, name: str) -> bool:
        return any(told == name for told, _ in self._fields)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._fields)


NOTHING = Form([])


async def read_form(request: Request) -> Form:
    """The form in a body. Raises Problem 400 and 413."""
    body = await read_body(request, FORM_BYTES)
    if body and media_type(request) != "application/x-www-form-urlencoded":
        raise Problem(415, "Unsupported content", "the console's forms are application/x-www-form-urlencoded")
    try:
        return Form(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=FIELDS))
    except ValueError:
        raise Problem(400, "Not a form of the console", f"a form has at most {FIELDS} fields") from None
