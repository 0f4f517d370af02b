"""Serves the beacon, the widget and the demo shop's style and script, under names that never change their content."""

from __future__ import annotations

import gzip
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import web

DIST = Path(web.__file__).parent / "dist"
MEDIA_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
FOREVER = "public, max-age=31536000, immutable"
FOR_A_WHILE = "public, max-age=600, stale-while-revalidate=86400"


class AssetsMissing(RuntimeError):
    """The scripts were not built; the message says how."""


@dataclass(frozen=True)
class Asset:
    """One built file, as it goes over the wire."""

    body: bytes
    gzipped: bytes
    media_type: str


@dataclass(frozen=True)
class Assets:
    """Every built file in memory (together some 30 KB), by plain name."""

    files: Mapping[str, Asset]
    hashed: Mapping[str, str]
    """Plain name -> name with the hash of the content."""

    def url(self, name: str) -> str:
        """Where a page finds a file for good."""
        return f"/{self.hashed[name]}"


def load_assets(folder: Path = DIST) -> Assets:
    """Read what `make assets` built. Raises AssetsMissing where it was not run."""
    try:
        hashed: dict[str, str] = json.loads((folder / "manifest.json").read_text())
        bodies = {name: (folder / name).read_bytes() for name in hashed}
    except OSError as error:
        raise AssetsMissing(f"{error.filename}: not there; run 'make assets' to build the scripts") from error
    files = {
        name: Asset(body, gzip.compress(body, 9, mtime=0), MEDIA_TYPES[Path(name).suffix])
        for name, body in bodies.items()
    }
    return Assets(files, hashed)


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
