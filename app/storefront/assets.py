"""The scripts, styles and icons that `make assets` built, in memory: they ship inside the program."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import web

DIST = Path(web.__file__).parent / "dist"
MEDIA_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
}

NEEDED = ("console.css", "console.js", "demo.css", "demo.js", "inter.woff2", "pz.js", "pz-recs.js")
"""Files that pages ask for by name; where one is missing the others are of an older version."""


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
    """Every built file in memory (together some 150 KB), by plain name."""

    files: Mapping[str, Asset]
    hashed: Mapping[str, str]
    """Plain name -> name with the hash of the content."""

    def url(self, name: str) -> str:
        """Where a page finds a file for good."""
        return f"/{self.hashed[name]}"


def load_assets(folder: Path = DIST) -> Assets:
    """Read what `make assets` built. Raises AssetsMissing where it was not run, or for an older version."""
    try:
        hashed: dict[str, str] = json.loads((folder / "manifest.json").read_text())
        bodies = {name: (folder / name).read_bytes() for name in hashed}
    except OSError as error:
        raise AssetsMissing(f"{error.filename}: not there; run 'make assets' to build the scripts") from error
    if missing := [name for name in NEEDED if name not in hashed]:
        told = f"{folder}: built for an older version, without {', '.join(missing)}; run 'make assets' again"
        raise AssetsMissing(told)
    files = {
        name: Asset(body, gzip.compress(body, 9, mtime=0), MEDIA_TYPES[Path(name).suffix])
        for name, body in bodies.items()
    }
    return Assets(files, hashed)
