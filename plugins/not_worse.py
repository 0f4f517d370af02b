"""Let a new generation serve only if its lists beat those of the one that serves, or what is popular."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from plugins.contract import hookimpl
from plugins.judgement import Judgement


@dataclass(frozen=True)
class Plugin:
    """Equal is enough: a generation that is as good knows the newer products."""

    people_at_least: Annotated[int, Meta(ge=1)] = 20
    """With fewer people to ask about, nothing is said of it."""
    slack: Annotated[float, Meta(ge=0, le=1)] = 0.0
    """This part of the better figure may be missing."""

    @hookimpl
    def object_to_model(self, report: Judgement) -> str | None:
        if report.people < self.people_at_least:
            return None
        others = {"popularity": report.popularity}
        if report.serving is not None:
            others["the serving generation"] = report.serving
        if any(report.new >= value * (1 - self.slack) for value in others.values()):
            return None
        told = ", ".join(f"{name} {value:.4f}" for name, value in others.items())
        return f"{report.metric} over {report.people} people is {report.new:.4f}, less than {told}"
