"""The HTTP surface of a node: every route, the hottest first, and what holds for all of them."""

from __future__ import annotations

import logging

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute

from app.node import Node
from app.problem import Problem
from app.routes import (
    accounts,
    api_keys,
    budget,
    consent,
    erasure,
    events,
    experience,
    experiments,
    health,
    imports,
    items,
    me,
    models,
    pages,
    personas,
    pinned,
    privacy_requests,
    recommendations,
    retention,
    rule_versions,
    rules,
    search,
    segment,
    segments,
    sign_in,
)
from app.routes.answers import on_crash, on_deep, on_fault, on_gone, on_missing, on_problem
from app.routes.assets import AssetsMissing, asset_routes, load_assets
from app.routes.intake_door import IntakeDoor
from app.routes.security import SecureHeaders
from app.routes.throttle import Throttle
from store.faults import StoreFault

OPERATIONS = [
    *recommendations.OPERATIONS,
    *events.OPERATIONS,
    *search.OPERATIONS,
    *items.OPERATIONS,
    *segment.OPERATIONS,
    *imports.OPERATIONS,
    *consent.OPERATIONS,
    *me.OPERATIONS,
    *erasure.OPERATIONS,
    *privacy_requests.OPERATIONS,
    *retention.OPERATIONS,
    *experience.OPERATIONS,
    *pages.OPERATIONS,
    *budget.OPERATIONS,
    *experiments.OPERATIONS,
    *pinned.OPERATIONS,
    *rules.OPERATIONS,
    *rule_versions.OPERATIONS,
    *personas.OPERATIONS,
    *sign_in.OPERATIONS,
    *accounts.OPERATIONS,
    *api_keys.OPERATIONS,
    *models.OPERATIONS,
    *segments.OPERATIONS,
    *health.OPERATIONS,
]

logger = logging.getLogger("personalize")


def create_app(node: Node) -> Starlette:
    """The ASGI application of an open node."""
    door = IntakeDoor(node)
    routes: list[BaseRoute] = [
        *recommendations.routes(node),
        *events.routes(node, door),
        *search.routes(node),
        *items.routes(node),
        *segment.routes(node, door),
        *imports.routes(node),
        *consent.routes(node),
        *me.routes(node),
        *erasure.routes(node),
        *privacy_requests.routes(node),
        *retention.routes(node),
        *experience.routes(node),
        *pages.routes(node),
        *budget.routes(node),
        *pinned.routes(node),
        *experiments.routes(node),
        *rule_versions.routes(node),
        *rules.routes(node),
        *personas.routes(node),
        *sign_in.routes(node),
        *accounts.routes(node),
        *api_keys.routes(node),
        *models.routes(node),
        *segments.routes(node),
        *health.routes(node, OPERATIONS),
        *_page_routes(node),
    ]
    app = Starlette(
        routes=routes,
        exception_handlers={
            Problem: on_problem,
            StoreFault: on_fault,
            ClientDisconnect: on_gone,
            RecursionError: on_deep,
            Exception: on_crash,
            404: on_missing,
            405: on_missing,
        },
    )
    app.state.staff = node.staff
    app.add_middleware(Throttle, node=node)
    app.add_middleware(SecureHeaders)  # the outer one
    return app


def _page_routes(node: Node) -> list[BaseRoute]:
    """Scripts for storefronts, the console, and the demo shop where it is on. Unbuilt assets only switch these off."""
    try:
        assets = load_assets()
    except AssetsMissing as missing:
        if node.config.server.demo:
            raise
        logger.warning("no console and no scripts for storefronts: %s", missing)
        return []
    from app.console.routes import console_routes  # it stands on the API's modules

    routes: list[BaseRoute] = [*asset_routes(assets), *console_routes(node, assets)]
    if node.config.server.demo:
        # Here, as the pictures and words of a shop that is not served would be a twentieth of every start.
        from app.routes.demo import demo_routes
        from app.storefront.wiring import storefront_of

        routes += demo_routes(storefront_of(node, assets))
    return routes
