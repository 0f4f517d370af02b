"""Serves the beacon, the widget and the demo shop's style and script, under names that never change their content."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.storefront.assets import Asset, Assets, AssetsMissing, load_assets

__all__ = ["Assets", "AssetsMissing", "asset_routes", "load_assets"]

FOREVER = "public, max-age=31536000, immutable"
FOR_A_WHILE = "public, max-age=600, stale-while-revalidate=86400"


def asset_routes(assets: Assets) -> list[Route]:
    """`/pz.js` for shops to paste, `/pz.<hash>.js` for pages that know the version; so for every file."""
    routes = []
    for name, hashed in assets.hashed.items():
        routes.append(Route(f"/{hashed}", _server_of(assets.files[name], FOREVER), name=hashed))
        routes.append(Route(f"/{name}", _server_of(assets.files[name], FOR_A_WHILE), name=name))
    return routes


def _server_of(asset: Asset, cache: str) -> Callable[[Request], Awaitable[Response]]:
    headers = {
        "cache-control": cache,
        "vary": "accept-encoding",
        "x-content-type-options": "nosniff",
        "access-control-allow-origin": "*",
        "cross-origin-resource-policy": "cross-origin",
    }

    async def serve(request: Request) -> Response:
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(asset.gzipped, headers={**headers, "content-encoding": "gzip"}, media_type=asset.media_type)
        return Response(asset.body, headers=headers, media_type=asset.media_type)

    return serve
