"""/v1/admin: staff sign in and out, enter their password again, and change it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.admin.passwords import objection
from app.admin.sessions import Session
from app.admin.staff import TryLater
from app.ingest.rate import client_address
from app.problem import FieldError, Problem, read_json
from app.routes.admin import COOKIE, require, require_own_page
from app.routes.answers import json_response
from app.routes.body import read_media
from app.routes.openapi import Operation
from store.accounts import names_of

if TYPE_CHECKING:
    from app.admin.staff import Staff
    from app.node import Node

MOST_BYTES = 4_096
_SET = f"{COOKIE}={{token}}; Path=/; Secure; HttpOnly; SameSite=Strict"
T = TypeVar("T")


class SignIn(msgspec.Struct, frozen=True):
    """POST /v1/admin/login."""

    name: str
    password: str


class Password(msgspec.Struct, frozen=True):
    """POST /v1/admin/confirm."""

    password: str


class NewPassword(msgspec.Struct, frozen=True):
    """POST /v1/admin/password."""

    password: str
    new: str


class SignedIn(msgspec.Struct, frozen=True):
    """Who is signed in, and what their pages need."""

    name: str
    roles: list[str]
    csrf: str
    """To be sent as the header `personalize-csrf` with everything that changes something."""
    confirmed: bool
    """Whether the password was entered just now, so that erasing, exporting and changing keys are open."""


OPERATIONS = [
    Operation("post", "/v1/admin/login", "Sign in", SignIn, SignedIn, problems=(400, 401, 403, 413, 415, 429)),
    Operation("post", "/v1/admin/logout", "Sign out", status=204, key="admin", problems=(401, 403)),
    Operation("get", "/v1/admin/session", "Who is signed in", answer=SignedIn, key="admin", problems=(401,)),
    Operation("post", "/v1/admin/confirm", "Enter the password again", Password, SignedIn, key="admin",
              problems=(400, 401, 403, 413, 415, 429)),
    Operation("post", "/v1/admin/password", "Change one's own password; signs out everywhere", NewPassword,
              status=204, key="admin", problems=(400, 401, 403, 413, 415, 429)),
]  # fmt: skip


def routes(node: Node) -> list[Route]:
    handlers = Handlers(node)
    return [
        Route("/v1/admin/login", handlers.login, methods=["POST"]),
        Route("/v1/admin/logout", handlers.logout, methods=["POST"]),
        Route("/v1/admin/session", handlers.session, methods=["GET"]),
        Route("/v1/admin/confirm", handlers.confirm, methods=["POST"]),
        Route("/v1/admin/password", handlers.password, methods=["POST"]),
    ]


class Handlers:
    """The handlers with what they share."""

    def __init__(self, node: Node) -> None:
        self._staff = node.staff
        self._proxies = node.config.ingest.proxies

    async def login(self, request: Request) -> Response:
        """A cookie no script can read, and what the console's pages have to send along."""
        require_own_page(request)
        told = await read_small(request, SignIn)
        try:
            found = await self._staff.sign_in(told.name, told.password, self._address(request))
        except TryLater as later:
            raise _too_many(later) from None
        if found is None:
            raise Problem(401, "Not signed in", "there is no account with this name and password")
        token, session = found
        return json_response(self._told(session), headers={"set-cookie": _SET.format(token=token)})

    async def logout(self, request: Request) -> Response:
        session = require(request)
        self._staff.sign_out(request.cookies[COOKIE])
        await self._staff.note(session.name, "logout", "")
        gone = _SET.format(token="") + "; Max-Age=0"
        return Response(status_code=204, headers={"set-cookie": gone, "clear-site-data": '"cache", "storage"'})

    async def session(self, request: Request) -> Response:
        return json_response(self._told(require(request)))

    async def confirm(self, request: Request) -> Response:
        """Opens for some minutes what is not to be done from a screen left open."""
        session = require(request)
        told = await read_small(request, Password)
        await self._check(session, told.password, request)
        return json_response(self._told(session))

    async def password(self, request: Request) -> Response:
        """Every session of the account is over, this one too."""
        session = require(request)
        told = await read_small(request, NewPassword)
        await self._check(session, told.password, request)
        await change_password(self._staff, session.name, told.new)
        return Response(status_code=204)

    async def _check(self, session: Session, password: str, request: Request) -> None:
        try:
            right = await self._staff.confirm(session, password, self._address(request))
        except TryLater as later:
            raise _too_many(later) from None
        if not right:
            wrong = FieldError("/password", "this is not the password of the account that is signed in")
            raise Problem(400, "Not the password", errors=[wrong])

    def _told(self, session: Session) -> SignedIn:
        return SignedIn(session.name, names_of(session.roles), session.csrf, self._staff.confirmed(session))

    def _address(self, request: Request) -> str:
        peer = request.client.host if request.client else ""
        return client_address(peer, request.headers.get("x-forwarded-for", ""), self._proxies)


async def change_password(staff: Staff, name: str, new: str) -> None:
    """Another password for one's own account; every session of it is over. Raises Problem 400 for a bad one."""
    if against := objection(new, name, staff.options.password_letters):
        raise Problem(400, "Not a good password", errors=[FieldError("/new", against)])
    await staff.accounts.change(name, password=await staff.stored(new))
    await staff.note(name, "password changed", name)


async def read_small(request: Request, kind: type[T]) -> T:
    """A small JSON body. Raises Problem 415 for what a form of another site could send, 400, 413."""
    return read_json(msgspec.json.Decoder(kind).decode, await read_media(request, MOST_BYTES))


def _too_many(later: TryLater) -> Problem:
    return Problem(
        429, "Too many passwords tried", "wait before the next try",
        headers={"retry-after": str(math.ceil(later.seconds))},
    )  # fmt: skip
