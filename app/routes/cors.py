"""Which storefronts' pages may call from a browser: an allow-list, answered without credentials."""

from __future__ import annotations

from collections.abc import Sequence

from store.api_keys import ApiKey

PREFLIGHT_SECONDS = 86_400


def origin_allowed(origin: str, key: ApiKey | None, listed: Sequence[str]) -> bool:
    """Whether a page of `origin` ("" : not a browser) may use the key. `listed` is `[server] allowed_origins`.

    A public key bound to origins is good for nothing without one of them.
    """
    if key is not None and key.kind == "public" and key.origins and origin not in key.origins:
        return False
    return not origin or not listed or origin in listed


def cors_headers(origin: str) -> dict[str, str]:
    """What lets the page read the answer. Errors carry it too, else a browser takes them for a broken network."""
    return {"access-control-allow-origin": origin, "vary": "origin"} if origin else {}


def preflight_headers(origin: str, keys: Sequence[ApiKey], listed: Sequence[str], methods: str) -> dict[str, str]:
    """The answer to OPTIONS; empty where no key and no list would let the page in."""
    known = [key for key in keys if key.kind == "public"]
    if not any(origin_allowed(origin, key, listed) for key in known):
        return {}
    return {
        **cors_headers(origin),
        "access-control-allow-methods": methods,
        "access-control-allow-headers": "content-type, authorization",
        "access-control-max-age": str(PREFLIGHT_SECONDS),
    }
