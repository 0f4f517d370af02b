"""Rules for tests: written short, made ready, and asked in the small shop."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from app.metrics import Metrics
from app.rules.engine import Rules
from app.rules.model import Rule
from app.rules.options import RulesOptions
from app.serving.options import ServingOptions
from app.serving.placements import placements_of
from app.serving.recommend import Recommender
from app.serving.token import Tokens
from plugins.loading import shipped_names
from plugins.manager import Plugins, load_plugins
from store.catalogue import Catalogue
from tests.small_shop import SmallModel, small_catalogue
from tests.test_token import Ring

UTC = ZoneInfo("UTC")
DROP_IN = Path(__file__).parent / "drop_in"


@cache
def every_plugin(*dropped_in: str) -> Plugins:
    """All that ship; they remember nothing of lists that are asked for dry."""
    return load_plugins({name: {} for name in [*shipped_names(), *dropped_in]}, DROP_IN)


def rule(rule_id: str, do: str, what: str | list[str], when: dict[str, Any] | None = None, **more: object) -> Rule:
    """`what` is an expression or a list of ids; `more` goes to the consequence, but for priority and enabled."""
    outside: dict[str, object] = {name: more.pop(name) for name in ("priority", "enabled") if name in more}
    then: dict[str, object] = {"do": do, ("match" if isinstance(what, str) else "items"): what, **more}
    told: dict[str, object] = {"id": rule_id, "name": rule_id, "when": when or {}, "then": then, **outside}
    return msgspec.convert(told, Rule)


def rules_of(catalogue: Catalogue, *written: Rule, version: str = "r1", zone: ZoneInfo = UTC) -> Rules:
    """A shop's rules with this version in force."""
    rules = Rules(catalogue, zone, RulesOptions())
    rules.swap(rules.set_of(version, written))
    return rules


def ruled(*written: Rule, catalogue: Catalogue | None = None, dropped_in: tuple[str, ...] = ()) -> Recommender:
    """A recommender of the small shop, with every plugin that ships, under these rules."""
    shop, model, options = catalogue or small_catalogue(), SmallModel(), ServingOptions()
    return Recommender(
        catalogue=shop, plugins=every_plugin(*dropped_in),
        model=lambda: model, tokens=Tokens(Ring(1), options), options=options, placements=placements_of({}),
        metrics=Metrics(), rules=rules_of(shop, *written),
    )  # fmt: skip
