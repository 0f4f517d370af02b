"""Imports what the server itself never does: a standard-library module and a part of numpy."""

import colorsys
from dataclasses import dataclass

import numpy as np
from numpy.polynomial import chebyshev

from plugins.contract import Candidates, Floats, hookimpl


@dataclass(frozen=True)
class Plugin:
    hue: float = 0.5

    @hookimpl
    def score(self, candidates: Candidates) -> Floats:
        red, _, _ = colorsys.hsv_to_rgb(self.hue, 1, 1)
        waves: Floats = chebyshev.chebval(np.linspace(-1, 1, len(candidates)), [red, 1]).astype(np.float32)
        return waves
