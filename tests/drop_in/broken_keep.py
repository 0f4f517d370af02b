"""A rule that fails on every call."""

from dataclasses import dataclass

from plugins.contract import Mask, hookimpl


@dataclass(frozen=True)
class Plugin:
    @hookimpl
    def keep(self) -> Mask:
        raise RuntimeError("the rules cannot be read")
