"""A scorer that fails on every call."""

from dataclasses import dataclass

from plugins.contract import Floats, hookimpl


@dataclass(frozen=True)
class Plugin:
    @hookimpl
    def score(self) -> Floats:
        raise RuntimeError("no luck today")
