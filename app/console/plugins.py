"""Plugins: what is on, in call order, how often it was called, how long it took, and what failed."""

from __future__ import annotations

from pathlib import Path

import msgspec

from app.console.asked import Answer, Asked, Page
from plugins.loading import dropped_in_names, shipped_names


class HookUse(msgspec.Struct, frozen=True):
    """One hook of one plugin since the server started."""

    hook: str
    calls: int
    failures: int
    seconds: float


class PluginLine(msgspec.Struct, frozen=True):
    """One plugin that is on."""

    name: str
    summary: str
    shipped: bool
    file: str
    options: dict[str, str]
    uses: list[HookUse]
    calls: int
    failures: int
    mean: float | None
    """Seconds a call."""


class PluginsScreen(msgspec.Struct, frozen=True):
    """GET /console/plugins.json"""

    plugins: list[PluginLine]
    off: list[str]
    folder: str
    dropped_in_off: list[str]


async def plugins(asked: Asked) -> Answer:
    node = asked.node
    lines = []
    for each in node.plugins.describe():
        uses = [
            HookUse(hook, call.calls, call.failures, round(call.seconds, 6))
            for hook, calls in node.plugins.calls.items()
            for call in calls
            if call.plugin == each.name
        ]
        called = sum(use.calls for use in uses)
        spent = sum(use.seconds for use in uses)
        lines.append(
            PluginLine(
                each.name, each.summary, each.shipped, "" if each.shipped else Path(each.file).name,
                {name: repr(value) for name, value in each.options.items()}, uses, called,
                sum(use.failures for use in uses), spent / called if called else None,
            )
        )  # fmt: skip
    on = {line.name for line in lines}
    folder = node.config.folder_of_plugins(node.config_path.parent)
    data = PluginsScreen(
        lines, sorted(set(shipped_names()) - on), str(folder), [n for n in dropped_in_names(folder) if n not in on]
    )
    return Page("plugins.html", "Plugins", data)
