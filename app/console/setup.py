"""Setup: what to paste into the shop's pages, and whether every part of it works."""

from __future__ import annotations

import msgspec

from app.console.asked import Answer, Asked, Go, Page
from app.ingest import watch


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


class Watched(msgspec.Struct, frozen=True):
    """GET /console/setup/watch.json: the events of the browser that asks, newest first, and what they say."""

    watching: bool
    events: list[watch.Seen]
    checks: list[watch.Check]


async def begin_watch(asked: Asked) -> Answer:
    """From now on, for some minutes, what this very browser sends to the shop's pages is shown to it."""
    asked.node.watches.begin(asked.request, asked.node.clock.now())
    return Go("/console/setup/watch")


async def watched(asked: Asked) -> Answer:
    seen = asked.node.watches.seen(asked.request, asked.node.clock.now())
    data = Watched(seen is not None, (seen or [])[:50], watch.checklist(seen or []))
    return Page("watch.html", "Check my installation", data)


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
