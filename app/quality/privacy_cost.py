"""What privacy costs: the real shop's lists learned under differential privacy beside the same learned as it is.

One training on a fresh ledger over the whole past as one window of the budget, everything else as it ships; what a
generation loses against popularity is left out by the gate, as in any shop. No floor: the curve is what it is.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from app.quality import retail, scratch
from app.quality.measure import Measure

EPSILONS = (1, 3, 8, 20)
_EXACT = 'learned = "exact"'
_PRIVATE = 'learned = "dp"\nepsilon = {epsilon}\nwindow_days = 400\nfirst_share = 1.0'


def measure(
    before: Path, protocol: retail.Protocol, static: dict[str, float], said: Callable[[str], None]
) -> list[Measure]:
    """Hit rates, coverage and popularity bias at each ε; `before` is the imported and untrained folder, `static` the
    hit rates of the static list by "all" and "new"."""
    found = []
    for epsilon in EPSILONS:
        folder = before.with_name(f"dp-{epsilon}")
        shutil.copytree(before, folder)
        settings = (folder / "personalize.toml").read_text()
        assert settings.count(_EXACT) == 1
        (folder / "personalize.toml").write_text(settings.replace(_EXACT, _PRIVATE.format(epsilon=epsilon)))
        scratch.personalize(folder, "train", "--quiet")
        with scratch.served(folder) as shop:
            lists = retail.lists_of(shop, protocol, "home")
        said(f"dp at ε = {epsilon}: trained and asked")
        found += rows(f"dp, ε = {epsilon}", lists, protocol, static)
        shutil.rmtree(folder)
    return found


def rows(
    name: str, lists: dict[str, retail.Lists], protocol: retail.Protocol, static: dict[str, float]
) -> list[Measure]:
    """One point of the curve."""
    everything, fresh = lists["all home"], lists["new home"]
    return [
        Measure(name, "HR@20, all", retail.hit_rate(everything, protocol.wanted), 0, static=static["all"]),
        Measure(name, "HR@20, new", retail.hit_rate(fresh, protocol.new), 0, static=static["new"]),
        Measure(name, "coverage", retail.coverage(fresh, len(protocol.titles)), 0),
        Measure(name, "popularity bias", retail.popularity_bias(fresh, protocol.bought), 0),
    ]
