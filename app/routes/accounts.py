"""/v1/admin/users and /v1/audit: an operator says who may do what; the book says who did what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.admin.passwords import objection
from app.problem import FieldError, Problem
from app.routes.admin import require
from app.routes.answers import json_response
from app.routes.numbers import whole
from app.routes.openapi import Operation
from app.routes.sign_in import read_small
from store.accounts import EVERY_ROLE, Account, NameTaken, Role, names_of, roles_named
from store.audit import AuditEntry

if TYPE_CHECKING:
    from app.admin.staff import Staff
    from app.node import Node

PAGE = 100
Name = Annotated[str, Meta(pattern=r"^[\w.@+-]{1,64}\Z", description="Letters, digits and . _ @ + -")]


class AccountOnWire(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """POST /v1/admin/users."""

    name: Name
    roles: list[str]
    password: str


class ChangeOnWire(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """PATCH /v1/admin/users/{name}: what is left out stays as it is."""

    roles: list[str] | None = None
    password: str | None = None


class AccountAnswer(msgspec.Struct, frozen=True):
    """One account, without its password."""

    name: str
    roles: list[str]
    created: int


class AccountsAnswer(msgspec.Struct, frozen=True):
    """GET /v1/admin/users."""

    users: list[AccountAnswer]


class AuditAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """GET /v1/audit: the newest first."""

    entries: list[AuditEntry]
    next: str = ""
    """For `before` of the next request; absent on the last page."""


_CHANGES = (400, 401, 403, 404, 409, 413, 415)
OPERATIONS = [
    Operation("get", "/v1/admin/users", "Who operates the node", answer=AccountsAnswer, key="operator",
              problems=(401, 403)),
    Operation("post", "/v1/admin/users", "Add an account", AccountOnWire, AccountAnswer, status=201, key="operator",
              problems=_CHANGES),
    Operation("patch", "/v1/admin/users/{name}", "Change roles or password; signs the account out", ChangeOnWire,
              AccountAnswer, key="operator", problems=_CHANGES),
    Operation("delete", "/v1/admin/users/{name}", "Remove an account", status=204, key="operator",
              problems=(401, 403, 404, 409)),
    Operation("get", "/v1/audit", "Who did what, the newest first", answer=AuditAnswer, key="privacy or operator",
              query={"before": "`next` of the answer before"}, problems=(400, 401, 403)),
]  # fmt: skip


def routes(node: Node) -> list[Route]:
    handlers = Handlers(node)
    return [
        Route("/v1/admin/users", handlers.all, methods=["GET"]),
        Route("/v1/admin/users", handlers.add, methods=["POST"]),
        Route("/v1/admin/users/{name}", handlers.change, methods=["PATCH"]),
        Route("/v1/admin/users/{name}", handlers.remove, methods=["DELETE"]),
        Route("/v1/audit", handlers.audit, methods=["GET"]),
    ]


class Handlers:
    """The handlers with what they share."""

    def __init__(self, node: Node) -> None:
        self._staff = node.staff

    async def all(self, request: Request) -> Response:
        require(request, "operator")
        return json_response(AccountsAnswer([_answer(account) for account in self._staff.accounts.all()]))

    async def add(self, request: Request) -> Response:
        session = require(request, "operator", confirmed=True)
        told = await read_small(request, AccountOnWire)
        return json_response(_answer(await add_account(self._staff, session.name, told)), 201)

    async def change(self, request: Request) -> Response:
        session = require(request, "operator", confirmed=True)
        told = await read_small(request, ChangeOnWire)
        return json_response(
            _answer(await change_account(self._staff, session.name, request.path_params["name"], told))
        )

    async def remove(self, request: Request) -> Response:
        session = require(request, "operator", confirmed=True)
        await remove_account(self._staff, session.name, request.path_params["name"])
        return Response(status_code=204)

    async def audit(self, request: Request) -> Response:
        require(request, "privacy", "operator")
        before = request.query_params.get("before")
        if before is not None and whole(before) is None:
            raise Problem(400, "Not a valid page", "before is the `next` of an answer")
        found = self._staff.audit.page(None if before is None else whole(before), PAGE + 1)
        more = str(found[PAGE - 1].seq) if len(found) > PAGE else ""
        return json_response(AuditAnswer(found[:PAGE], more))


async def add_account(staff: Staff, actor: str, told: AccountOnWire) -> Account:
    """A new account. Raises Problem 400 for a role or password that is none, 409 for a name that is taken."""
    roles, kept = _roles(told.roles), await _kept(staff, told.password, told.name)
    try:
        await staff.accounts.add(told.name, roles, kept, staff.now())
    except NameTaken:
        raise Problem(409, "There is such an account", f"'{told.name}' exists; choose another name") from None
    await staff.note(actor, "account added", told.name, f"done: {', '.join(told.roles)}")
    return account_named(staff, told.name)


async def change_account(staff: Staff, actor: str, name: str, told: ChangeOnWire) -> Account:
    """Other roles or another password; the account is signed out. Raises Problem 400, 404, 409."""
    account = account_named(staff, name)
    roles = None if told.roles is None else _roles(told.roles)
    if roles is not None and not roles & Role.OPERATOR:
        _keep_an_operator(staff, account)
    kept = None if told.password is None else await _kept(staff, told.password, account.name)
    await staff.accounts.change(account.name, roles=roles, password=kept)
    if roles is not None:
        await staff.note(actor, "roles changed", account.name, f"done: {', '.join(names_of(roles))}")
    if kept is not None:
        await staff.note(actor, "password changed", account.name)
    return account_named(staff, name)


async def remove_account(staff: Staff, actor: str, name: str) -> None:
    """Raises Problem 404, and 409 for the last operator."""
    account = account_named(staff, name)
    _keep_an_operator(staff, account)
    await staff.accounts.remove(account.name)
    await staff.note(actor, "account removed", account.name)


def account_named(staff: Staff, name: str) -> Account:
    """Raises Problem 404."""
    account = staff.accounts.get(name)
    if account is None:
        raise Problem(404, "No such account", "GET /v1/admin/users lists them")
    return account


def _keep_an_operator(staff: Staff, without: Account) -> None:
    others = [each for each in staff.accounts.all() if each.id != without.id]
    if not any(each.roles & Role.OPERATOR for each in others):
        raise Problem(409, "The last operator stays", "nobody could change accounts any more; add another first")


def _roles(names: list[str]) -> Role:
    try:
        return roles_named(names)
    except KeyError as unknown:
        known = ", ".join(names_of(EVERY_ROLE))
        detail = f"there is no role {unknown}; there are {known}"
        raise Problem(400, "Not a role", errors=[FieldError("/roles", detail)]) from None


async def _kept(staff: Staff, password: str, name: str) -> str:
    if against := objection(password, name, staff.options.password_letters):
        raise Problem(400, "Not a good password", errors=[FieldError("/password", against)])
    return await staff.stored(password)


def _answer(account: Account) -> AccountAnswer:
    return AccountAnswer(account.name, names_of(account.roles), account.created)
