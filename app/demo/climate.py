"""The weather and the season that the demo shop's visitors shop in, by region and day."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from app.demo.lifestyles import Floats
from app.demo.taxonomy import SUBCATEGORIES

DAY: Final = 86_400
REGIONS: Final = ("FR", "DE", "UK", "NL", "IT", "ES", "BE", "AT")
REGION_SHARES: Final = (0.27, 0.22, 0.16, 0.10, 0.09, 0.07, 0.05, 0.04)
LOCALES: Final = ("fr-FR", "de-DE", "en-GB", "nl-NL", "it-IT", "es-ES", "nl-BE", "de-AT")
# mean °C over the year, half the difference of July and January, share of wet days
_CLIMATES: Final = (
    (12, 8, 0.4), (10, 10, 0.42), (10, 6.5, 0.6), (10.5, 7.5, 0.55),
    (15, 9, 0.28), (16, 8.5, 0.2), (10.5, 7.5, 0.55), (8, 11, 0.4),
)  # fmt: skip
_SEASON_PEAK: Final = {"spring": 105, "summer": 190, "autumn": 295, "winter": 350}


@dataclass(frozen=True)
class Weather:
    """How much rain, cold and heat a region feels on a day, each 0..1."""

    rain: float
    cold: float
    heat: float


@lru_cache(maxsize=4096)
def weather(region: int, day: int) -> Weather:
    """The weather of a region (index into REGIONS) on a day (days since 1970), made up but always the same."""
    mean, swing, wet = _CLIMATES[region]
    year_day = day % 365.25
    spell = math.sin(day * 0.71 + region * 1.9) + math.sin(day * 0.29 + region * 4.1)
    degrees = mean - swing * math.cos((year_day - 18) / 365.25 * math.tau) + 2.2 * spell
    rain = min(1.0, max(0.0, wet + 0.35 * math.sin(day * 0.47 + region * 2.7) + 0.2 * math.sin(day * 1.31 + region)))
    return Weather(rain, _ramp((13 - degrees) / 14), _ramp((degrees - 17) / 10))


@lru_cache(maxsize=4096)
def demand(region: int, day: int) -> Floats:
    """How season and weather multiply the want for each subcategory; the array is shared: do not write to it."""
    now = weather(region, day)
    felt = {"any": 1.0, "rain": 0.5 + 1.5 * now.rain, "cold": 0.4 + 1.4 * now.cold, "heat": 0.35 + 1.6 * now.heat}
    found = np.array([felt[sub.weather] * _seasonal(sub.season, day) for sub in SUBCATEGORIES])
    found.flags.writeable = False
    return found


def _seasonal(season: str, day: int) -> float:
    if season == "any":
        return 1.0
    away = abs(day % 365.25 - _SEASON_PEAK[season])
    away = min(away, 365.25 - away)
    return 0.45 + 1.1 * math.exp(-((away / 62) ** 2))


def _ramp(level: float) -> float:
    return min(1.0, max(0.0, level))
