"""The console's door: who is asking, from which page, whether the same form came twice; nothing filled in gets lost.

A form that comes without a session is answered with the sign-in page, which carries along what was filled in: signing
in sends the form again. The same way the password is asked for before what a screen left open must not do.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.admin.sessions import Session, same_csrf
from app.admin.staff import TryLater
from app.console.asked import Answer, Asked, Go, Notice, View
from app.console.forms import NOTHING, Form, read_form
from app.console.frame import Frame
from app.ingest.rate import client_address
from app.problem import Problem
from app.routes.admin import CONFIRM, COOKIE, CSRF_HEADER, require_own_page
from app.routes.answers import json_response, problem_response
from store.accounts import Role, names_of

if TYPE_CHECKING:
    from app.node import Node

_SET = f"{COOKIE}={{token}}; Path=/; Secure; HttpOnly; SameSite=Strict"
_REMEMBERED = 1_000
"""Forms sent lately, and people who have something to be told."""


class Gate:
    """One per node; the loop's thread only."""

    def __init__(self, node: Node, frame: Frame) -> None:
        self._node = node
        self._staff = node.staff
        self._frame = frame
        self._proxies = node.config.ingest.proxies
        self._sent: OrderedDict[tuple[str, str], asyncio.Future[str]] = OrderedDict()
        self._notices: OrderedDict[str, list[Notice]] = OrderedDict()

    async def answer(self, request: Request, view: View, roles: Role) -> Response:
        """What a view says to somebody who may ask it; to everyone else what is missing."""
        posted = request.method == "POST"
        form, cookie = NOTHING, ""
        try:
            if posted:
                require_own_page(request)
                form = await read_form(request)
            session = self._session(request)
            if posted and form.raw("staff_password"):
                session, cookie = await self._by_password(request, session, form)
            if session is None:
                raise Problem(401, "Not signed in", "sign in first: POST /v1/admin/login")
            asked = Asked(self._node, request, session, form)
            if posted and not cookie:
                self._own_form(request, session, form)
            if not session.roles & roles:
                raise Problem(403, "Not for your role", f"this needs the role {' or '.join(names_of(roles))}")
            response = await (self._once(asked, view) if posted else self._plain(asked, view))
        except Problem as problem:
            response = self._problem(request, form, problem)
        if cookie:
            response.headers.append("set-cookie", cookie)
        return response

    async def sign_in(self, request: Request) -> Response:
        """The sign-in page's own form, where nothing else was to be sent."""
        form = NOTHING
        try:
            require_own_page(request)
            form = await read_form(request)
            if not (form.get("staff_name") and form.raw("staff_password")):
                raise Problem(400, "Name and password are both needed")
            _, cookie = await self._by_password(request, None, form)
        except Problem as problem:
            return self._problem(request, form, problem)
        return RedirectResponse(_local(form.get("next")), 303, headers={"set-cookie": cookie})

    def sign_in_page(self, request: Request) -> Response:
        session = self._session(request)
        if session is not None:
            return RedirectResponse("/console/", 303)
        return self._frame.sign_in(request, next_url=_local(request.query_params.get("next", "")))

    def sign_out(self, session: Session, request: Request) -> Response:
        self._staff.sign_out(request.cookies.get(COOKIE, ""))
        self._notices.pop(session.csrf, None)
        gone = _SET.format(token="") + "; Max-Age=0"
        headers = {"set-cookie": gone, "clear-site-data": '"cache", "storage"'}
        return RedirectResponse("/console/sign-in", 303, headers=headers)

    # ---- who is asking

    def _session(self, request: Request) -> Session | None:
        return self._staff.session(request.cookies.get(COOKIE, ""))

    def _own_form(self, request: Request, session: Session, form: Form) -> None:
        if not same_csrf(session, request.headers.get(CSRF_HEADER, "") or form.raw("csrf")):
            raise Problem(403, "Not from a page of ours", "this form is of an earlier sign-in; open the page again")

    async def _by_password(self, request: Request, session: Session | None, form: Form) -> tuple[Session | None, str]:
        """The session a form's password opens or confirms, and the cookie of a new one. Raises Problem."""
        peer = request.client.host if request.client else ""
        address = client_address(peer, request.headers.get("x-forwarded-for", ""), self._proxies)
        try:
            if session is not None:
                self._own_form(request, session, form)
                if not await self._staff.confirm(session, form.raw("staff_password"), address):
                    raise Problem(403, "This is not your password", kind=CONFIRM)
                return session, ""
            found = await self._staff.sign_in(form.get("staff_name"), form.raw("staff_password"), address)
        except TryLater as later:
            told = f"wait {later.seconds:.0f} seconds before the next try"
            raise Problem(429, "Too many passwords tried", told) from None
        if found is None:
            raise Problem(401, "There is no account with this name and password")
        return found[1], _SET.format(token=found[0])

    # ---- what is answered

    async def _plain(self, asked: Asked, view: View) -> Response:
        return self._rendered(asked, await view(asked))

    async def _once(self, asked: Asked, view: View) -> Response:
        """A form sent twice is carried out once; the second hears where the first one went."""
        token = asked.form.raw("once")
        key = (asked.session.csrf, token)
        if token and (before := self._sent.get(key)):
            url = await asyncio.shield(before)
            if url:
                return RedirectResponse(url, 303)
        going: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        if token:
            self._sent[key] = going
            while len(self._sent) > _REMEMBERED:
                self._sent.popitem(last=False)
        url = ""
        try:
            answer = await view(asked)
            url = answer.url if isinstance(answer, Go) else ""
            return self._rendered(asked, answer)
        finally:
            going.set_result(url)
            if not url:
                self._sent.pop(key, None)

    def _rendered(self, asked: Asked, answer: Answer) -> Response:
        if isinstance(answer, Response):
            return answer
        csrf = asked.session.csrf
        if isinstance(answer, Go):
            if answer.notice:
                self._notices.setdefault(csrf, []).append(answer.notice)
                while len(self._notices) > _REMEMBERED:
                    self._notices.popitem(last=False)
            return RedirectResponse(answer.url, 303)
        if _wants_json(asked.request):
            return json_response(answer.data, answer.status, {"cache-control": "private, no-store"})
        return self._frame.page(asked, answer, self._notices.pop(csrf, []))

    def _problem(self, request: Request, form: Form, problem: Problem) -> Response:
        if _wants_json(request) or "text/html" not in request.headers.get("accept", ""):
            return problem_response(problem)
        session = self._session(request)
        signing_in = request.url.path.endswith("/sign-in")
        if session is None and (signing_in or problem.details.status in (401, 429)):
            return self._ask_to_sign_in(request, form, problem)
        if session is None:
            return self._frame.outside(request, problem)
        asked = Asked(self._node, request, session, form)
        if problem.details.type == CONFIRM or (problem.details.status == 429 and "staff_password" in form):
            return self._frame.password(asked, problem)
        return self._frame.problem(asked, problem)

    def _ask_to_sign_in(self, request: Request, form: Form, problem: Problem) -> Response:
        """The sign-in page; a form that came in vain goes along, a page that was asked for comes afterwards."""
        here = request.url.path
        kept = request.method == "POST" and not here.endswith("/sign-in")
        back = form.get("next") if here.endswith("/sign-in") else here
        if request.url.query and request.method != "POST":
            back += f"?{request.url.query}"
        details = problem.details
        wrong = f"{details.title}: {details.detail}" if details.detail else details.title
        return self._frame.sign_in(
            request, next_url=_local(back), action=here if kept else "/console/sign-in",
            kept=form.filled_in() if kept else [], wrong=wrong if "staff_password" in form else "",
            status=details.status,
        )  # fmt: skip


def _wants_json(request: Request) -> bool:
    return request.url.path.endswith(".json") or request.headers.get("accept", "").startswith("application/json")


def _local(url: str) -> str:
    """Where to go after signing in: a page of the console, whatever a link says."""
    inside = url.startswith("/console/") and "\\" not in url and "//" not in url.partition("?")[0]
    return url if inside and not url.startswith("/console/sign-in") else "/console/"
