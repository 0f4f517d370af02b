"""Prefer what costs little: the example of plugins/README.md."""

from dataclasses import dataclass

import numpy as np

from plugins.contract import Candidates, Floats, hookimpl


@dataclass(frozen=True)
class Plugin:
    weight: float = 1.0

    @hookimpl
    def score(self, candidates: Candidates) -> Floats:
        return (self.weight / (1 + np.nan_to_num(candidates.price, nan=1e6))).astype(np.float32)
