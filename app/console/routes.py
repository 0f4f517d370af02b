"""Every address of the console: which view answers it, and who may ask."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from app.console import (
    account,
    audit,
    catalogue,
    consent,
    page_versions,
    placements,
    plugins,
    requests,
    segments,
    setup,
    staff,
    why,
)
from app.console.asked import Asked, View
from app.console.experiments import ExperimentScreen
from app.console.frame import Frame
from app.console.gate import Gate
from app.console.pages import PageScreen
from app.console.personas import PersonaScreen
from app.console.rule_desk import RuleDesk
from app.console.rule_editor import RuleEditor
from app.console.rule_versions import VersionScreen
from app.console.rules import RuleScreen
from app.console.screens import BY_NAME
from app.console.today import TodayScreen
from app.console.training import TrainingScreen
from app.problem import Problem
from app.storefront.assets import Assets
from store.accounts import EVERY_ROLE, Role

if TYPE_CHECKING:
    from app.node import Node

ROOT = "/console"
Handler = Callable[[Request], Awaitable[Response]]


def console_routes(node: Node, assets: Assets) -> list[Route]:
    """The console of an open node."""
    gate = Gate(node, Frame(node, assets))
    routes = _Routes(gate)
    desk, experiments = RuleDesk(node), ExperimentScreen(node)
    routes.get("", TodayScreen(node, desk, experiments).show, BY_NAME[""].roles, twin="/today.json")
    _rules(routes, desk)
    _experiments(routes, experiments)
    _merchandising(routes)
    _pages(routes)
    _training(routes, TrainingScreen(node))
    _privacy(routes)
    _system(routes)
    routes.get("/account", account.account, EVERY_ROLE)
    routes.post("/account", account.change_password, EVERY_ROLE)
    routes.post("/theme", account.theme, EVERY_ROLE)

    async def sign_in_page(request: Request) -> Response:
        return gate.sign_in_page(request)

    async def sign_out(asked: Asked) -> Response:
        await node.staff.note(asked.actor, "logout", "")
        return gate.sign_out(asked.session, asked.request)

    async def front(_: Request) -> Response:
        return RedirectResponse(f"{ROOT}/", 308)

    async def missing(_: Asked) -> Response:
        raise Problem(404, "There is no such page", "the navigation lists those there are")

    routes.post("/sign-out", sign_out, EVERY_ROLE)
    return [
        Route(ROOT, front, methods=["GET"]),
        Route(f"{ROOT}/sign-in", sign_in_page, methods=["GET"]),
        Route(f"{ROOT}/sign-in", gate.sign_in, methods=["POST"]),
        *routes.made,
        Route(f"{ROOT}/{{rest:path}}", routes.handler(missing, EVERY_ROLE), methods=["GET"]),
    ]


class _Routes:
    """Collects routes; a screen is answered as a page and, with `.json` at its end, as its data."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self.made: list[Route] = []

    def get(self, path: str, view: View, roles: Role, *, twin: str | None = None) -> None:
        handler = self.handler(view, roles)
        self.made += [
            Route(ROOT + (twin or f"{path}.json"), handler, methods=["GET"]),
            Route(f"{ROOT}{path or '/'}", handler, methods=["GET"]),
        ]

    def post(self, path: str, view: View, roles: Role) -> None:
        self.made.append(Route(f"{ROOT}{path}", self.handler(view, roles), methods=["POST"]))

    def handler(self, view: View, roles: Role) -> Handler:
        async def handle(request: Request) -> Response:
            return await self._gate.answer(request, view, roles)

        return handle


def _rules(routes: _Routes, desk: RuleDesk) -> None:
    roles = BY_NAME["rules"].roles
    rules, editor, versions, personas = RuleScreen(desk), RuleEditor(desk), VersionScreen(desk), PersonaScreen(desk)
    routes.get("/rules", rules.listing, roles)
    routes.post("/rules", rules.act, roles)
    routes.get("/rules/new", editor.new, roles)
    routes.post("/rules/new", editor.act, roles)
    routes.get("/rules/review", versions.review, roles)
    routes.post("/rules/review", versions.publish, roles)
    routes.get("/rules/personas", personas.listing, roles)
    routes.post("/rules/personas", personas.act, roles)
    routes.get("/rules/versions", versions.versions, roles)
    routes.get("/rules/versions/{version}", versions.version, roles)
    routes.post("/rules/versions/{version}", versions.roll_back, roles)
    routes.get("/rules/rule/{id}", editor.one, roles)
    routes.post("/rules/rule/{id}", editor.act, roles)


def _experiments(routes: _Routes, screen: ExperimentScreen) -> None:
    roles = BY_NAME["experiments"].roles
    routes.get("/experiments", screen.listing, roles)
    routes.get("/experiments/new", screen.new, roles)
    routes.post("/experiments/new", screen.create, roles)
    routes.get("/experiments/{key}/edit", screen.edit, roles)
    routes.post("/experiments/{key}/edit", screen.change, roles)
    routes.get("/experiments/{key}", screen.one, roles)
    routes.post("/experiments/{key}", screen.act, roles)


def _pages(routes: _Routes) -> None:
    roles, pages, versions = BY_NAME["pages"].roles, PageScreen(), page_versions.VersionScreen()
    routes.get("/pages", pages.listing, roles)
    routes.post("/pages", pages.act, Role.MARKETER)
    routes.get("/pages/review", versions.review, roles)
    routes.post("/pages/review", versions.publish, Role.MARKETER)
    routes.get("/pages/versions", versions.versions, roles)
    routes.post("/pages/versions/{version}", versions.roll_back, Role.MARKETER)
    routes.get("/pages/page/{name}", pages.one, roles)
    routes.post("/pages/page/{name}", pages.change, Role.MARKETER)


def _training(routes: _Routes, screen: TrainingScreen) -> None:
    routes.get("/training", screen.show, BY_NAME["training"].roles)
    routes.post("/training", screen.act, Role.OPERATOR)


def _merchandising(routes: _Routes) -> None:
    roles = BY_NAME["catalogue"].roles
    routes.get("/catalogue", catalogue.listing, roles)
    routes.get("/catalogue/{id:path}", catalogue.product, roles)
    routes.get("/segments", segments.segments, BY_NAME["segments"].roles)
    roles = BY_NAME["placements"].roles
    routes.get("/placements", placements.listing, roles)
    routes.get("/placements/{name}", placements.placement, roles)
    roles = BY_NAME["why"].roles
    routes.get("/why", why.latest, roles)
    routes.get("/why/{request_id}", why.why, roles)


def _privacy(routes: _Routes) -> None:
    roles = BY_NAME["consent"].roles
    routes.get("/consent", consent.consent, roles)
    roles = BY_NAME["requests"].roles
    routes.get("/requests", requests.listing, roles)
    routes.post("/requests", requests.take_down, roles)
    routes.get("/requests/{id}", requests.request, roles)
    routes.get("/requests/{id}/receipt", requests.receipt, roles)
    routes.post("/requests/{id}", requests.act, roles)


def _system(routes: _Routes) -> None:
    routes.get("/plugins", plugins.plugins, BY_NAME["plugins"].roles)
    routes.get("/setup", setup.setup, BY_NAME["setup"].roles)
    routes.get("/setup/watch", setup.watched, BY_NAME["setup"].roles)
    routes.post("/setup/watch", setup.begin_watch, BY_NAME["setup"].roles)
    routes.get("/audit", audit.log, BY_NAME["audit"].roles)
    routes.get("/audit/people", staff.people, Role.OPERATOR)
    routes.post("/audit/people", staff.add_person, Role.OPERATOR)
    routes.post("/audit/people/{name}", staff.change_person, Role.OPERATOR)
    routes.get("/audit/keys", staff.keys, Role.OPERATOR)
    routes.post("/audit/keys", staff.create_key, Role.OPERATOR)
    routes.post("/audit/keys/{id}", staff.withdraw_key, Role.OPERATOR)
