"""The plugins that are on in a configuration that does not choose its own, in call order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

STANDARD = (
    # who proposes and scores
    "taste", "history_neighbours", "session_neighbours", "item_neighbours", "bought_together", "content_similar",
    "affinity", "price_level", "buy_again", "recently_viewed", "popular", "selling_now",
    "trending", "new_items",
    # what may be shown at all
    "in_stock", "region", "not_on_page", "dismissed", "frequency_cap",
    # what marketers decide (/v1/rules)
    "rule_filters", "rule_boosts", "rule_pins", "rule_hold",
    # the last word on the order
    "diversity", "explore_new",
    # which generation may serve
    "not_worse",
    # what may come in
    "plausible_events",
    # consent strings of other formats
    "tcf", "gpp", "consent_mode",
    # where a training computes
    "process_pool",
    # how long what is kept
    "keep_for", "delete", "anonymize", "aggregate",
)  # fmt: skip


def with_standard(plugins: Mapping[str, Any]) -> dict[str, Any]:
    """[plugins.NAME] tables in call order. Unless `standard = false`, what ships is on, first and in STANDARD's
    order, also without a table of its own."""
    tables = {name: table for name, table in plugins.items() if name not in ("folder", "standard")}
    if not plugins.get("standard", True):
        return tables
    return {name: tables.get(name, {}) for name in STANDARD} | tables
