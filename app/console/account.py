"""One's own account: the password, and the colours of the console."""

from __future__ import annotations

import msgspec
from starlette.responses import RedirectResponse

from app.console.asked import Answer, Asked, Page
from app.console.frame import THEME_COOKIE, THEMES
from app.problem import Problem
from app.routes.admin import COOKIE
from app.routes.sign_in import change_password as change_own_password


class Account(msgspec.Struct, frozen=True):
    """GET /console/account.json"""

    name: str
    roles: list[str]
    least_letters: int


async def account(asked: Asked) -> Answer:
    return _page(asked)


async def change_password(asked: Asked) -> Answer:
    """The old one opens this; every session of the account is over then."""
    asked.require_password()
    new = asked.form.raw("new")
    if new != asked.form.raw("again"):
        return _page(asked, {"again": "the two are not the same"})
    try:
        await change_own_password(asked.node.staff, asked.actor, new)
    except Problem as problem:
        return _page(asked, {"new": problem.details.errors[0].detail})
    answer = RedirectResponse("/console/sign-in", 303)
    answer.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="strict")
    return answer


async def theme(asked: Asked) -> Answer:
    """Light, dark, or as the system has it; kept in a cookie of the browser, so that no page flashes."""
    told, back = asked.form.get("theme"), asked.form.get("next")
    inside = back.startswith("/console/") and "//" not in back and "\\" not in back
    answer = RedirectResponse(back if inside else "/console/", 303)
    if told in THEMES:
        answer.set_cookie(
            THEME_COOKIE, told, max_age=365 * 86_400, path="/console", secure=True, httponly=True, samesite="strict"
        )
    return answer


def _page(asked: Asked, errors: dict[str, str] | None = None) -> Page:
    data = Account(asked.actor, asked.roles, asked.node.staff.options.password_letters)
    return Page("account.html", "Your account", data, 422 if errors else 200, {"errors": errors or {}})
