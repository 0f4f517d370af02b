"""Fills the console's templates: the frame around every screen, signing in, what is said when something is wrong."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

import web
from app.console import words
from app.console.asked import Asked, Notice, Page
from app.console.screens import BY_NAME, seen_by
from app.problem import Problem
from app.storefront.assets import Assets
from app.templates import templates_in

if TYPE_CHECKING:
    from app.node import Node

TEMPLATES: Final = Path(web.__file__).parent / "console" / "templates"
THEMES: Final = ("auto", "light", "dark")
THEME_COOKIE: Final = "console_theme"
HEADERS: Final = {
    # Pictures are the shop's own, wherever it keeps them; everything else comes from here.
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' https:; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "referrer-policy": "same-origin",
    "permissions-policy": "geolocation=(), camera=(), microphone=()",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "private, no-store",
}


class Frame:
    """The console's templates with what is the same on every page."""

    def __init__(self, node: Node, assets: Assets) -> None:
        self._node = node
        self._environment = templates_in(TEMPLATES)
        self._environment.filters.update(words.FILTERS)
        self._environment.globals.update(
            shop=node.config.shop.name, asset=assets.url, once=lambda: secrets.token_urlsafe(12), themes=THEMES,
            currency=node.config.shop.currency,
        )  # fmt: skip

    def page(self, asked: Asked, page: Page, notices: Sequence[Notice] = ()) -> Response:
        """A screen in its frame."""
        values = {
            "title": page.title, "d": page.data, "notices": notices, "asked": asked, "session": asked.session,
            "screen": BY_NAME.get(_name(asked.request)), "groups": seen_by(asked.session.roles),
            "twin": _twin(asked.request) if page.status == 200 and asked.request.method == "GET" else "",
            **page.extra,
        }  # fmt: skip
        return self._html(asked.request, page.template, page.status, values)

    def problem(self, asked: Asked, problem: Problem) -> Response:
        """What went wrong, where, and what would be right, with the way back."""
        told = problem.details
        screen = BY_NAME.get(_name(asked.request))
        seen = screen and screen.roles & asked.session.roles and told.status != 404
        extra = {"way_back": screen if seen else BY_NAME[""]}
        return self.page(asked, Page("problem.html", told.title, told, told.status, extra))

    def password(self, asked: Asked, problem: Problem) -> Response:
        """Ask for the password again; what was to be sent is sent with it."""
        wrong = "" if problem.details.title.startswith("Enter") else problem.details.title
        extra = {"kept": asked.form.filled_in(), "wrong": wrong, "once_again": asked.form.raw("once")}
        return self.page(asked, Page("password.html", "Enter your password again", None, 403, extra))

    def sign_in(
        self, request: Request, *, next_url: str, action: str = "/console/sign-in",
        kept: Sequence[tuple[str, str]] = (), wrong: str = "", status: int = 200,
    ) -> Response:  # fmt: skip
        """The sign-in page. `kept`: a form that came without a session, to be sent again to `action`."""
        first = bool(self._node.staff.first_password)
        values = {"next_url": next_url, "action": action, "kept": kept, "wrong": wrong, "first": first}
        return self._html(request, "sign_in.html", status, values)

    def outside(self, request: Request, problem: Problem) -> Response:
        """Something went wrong for somebody who is not signed in."""
        return self._html(request, "outside.html", problem.details.status, {"problem": problem.details})

    def _html(self, request: Request, template: str, status: int, values: dict[str, object]) -> Response:
        theme = request.cookies.get(THEME_COOKIE, "auto")
        found = self._environment.get_template(template)
        told = found.render(
            theme=theme if theme in THEMES else "auto", path=request.url.path, here=_here(request),
            now=self._node.clock.now(), wall=self._node.staff.now(), **values,
        )  # fmt: skip
        return HTMLResponse(told, status, HEADERS)


def _name(request: Request) -> str:
    return request.url.path.removeprefix("/console/").partition("/")[0]


def _here(request: Request) -> str:
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def _twin(request: Request) -> str:
    """The same screen as JSON."""
    path = request.url.path.rstrip("/")
    path = "/console/today" if path == "/console" else path
    return f"{path}.json" + (f"?{request.url.query}" if request.url.query else "")
