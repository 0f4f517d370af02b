"""Setup: what to paste into the shop's pages, and whether every part of it works."""

from __future__ import annotations

import msgspec

from app.console.asked import Answer, Asked, Page


class Check(msgspec.Struct, frozen=True):
    """One step of setting up."""

    name: str
    done: bool
    found: str
    remedy: str


class Setup(msgspec.Struct, frozen=True):
    """GET /console/setup.json"""

    address: str
    key: str
    """A public key pages may use; empty where there is none."""
    checks: list[Check]
    snippet: str
    shelf: str
    csp: str


async def setup(asked: Asked) -> Answer:
    node, request = asked.node, asked.request
    address = f"{request.url.scheme}://{request.headers.get('host', '')}"
    key = next((key.shown for key in node.keys.api_keys() if key.kind == "public"), "")
    last = node.log.latest_ms() / 1000
    checks = [
        Check("Products", bool(node.catalogue.size), f"{node.catalogue.size:,} in the catalogue",
              "personalize import, or PUT /v1/items from the shop's server"),
        Check("A public key", bool(key), key or "none yet", "an operator makes one under Audit & roles › Keys"),
        Check("Events arrive", bool(last), "the last one is kept in the log" if last else "none so far",
              "paste the script below into every page, inside <head>"),
        Check("Something was learned", bool(node.model.id), node.model.id or "nothing yet",
              "trainings run by themselves; personalize train runs one now"),
        Check("Lists are asked for", bool(len(node.recommender.explanations)),
              f"{len(node.recommender.explanations):,} in the last minutes", "put a shelf into a page, as below"),
    ]  # fmt: skip
    data = Setup(
        address, key, checks,
        f'<script defer src="{address}/pz.js" data-key="{key or "pk_…"}"></script>',
        f'<script defer src="{address}/pz-recs.js"></script>\n<pz-recs placement="home" limit="10">'
        "What stands here is shown until the list has come.</pz-recs>",
        f"script-src {address}; connect-src {address}; style-src {address}",
    )  # fmt: skip
    return Page("setup.html", "Setup", data, extra={"last": last})
