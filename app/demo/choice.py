"""How much a simulated visitor would like each product: the demo shop's hidden truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from app.demo.climate import DAY, weather
from app.demo.lifestyles import Floats
from app.demo.shelf import Shelf
from app.demo.shoppers import Shopper

WAVE_DAYS: Final = 9.0
FRESH_DAYS: Final = 14.0


@dataclass(frozen=True)
class Need:
    """What a visit is about: a subcategory, why, and for whom. `wanted` is a product asked for by name, else -1."""

    sub: int
    why: str
    gift: bool = False
    wanted: int = -1


def utility(shopper: Shopper, items: Shelf, need: Need, now: float) -> Floats:
    """Return n utilities >= 0 of the products for this person, need and moment (`now` in epoch seconds).

    A product of limits and curves, not a sum of factors and not an inner product: a veto kills, only the best-liked
    colour counts, price falls off a cliff above the comfortable level, a discount works from a threshold on. Products
    that are sold out, unpublished, not sold in the region or of another kind than needed get 0.
    """
    liking = _price(shopper, items, need) * items.appeal * _fashion(items, now)
    liking *= 1 + shopper.fresh * np.exp(np.minimum(items.published - now, 0) / (FRESH_DAYS * DAY))
    liking *= 1 + 6 * shopper.deals * np.maximum(items.discount - 0.12, 0)
    cold = weather(shopper.region, int(now // DAY)).cold
    if cold > 0.4:  # wool is worth more
        liking *= 1 + cold * (items.material == 2)
    if need.gift:
        liking *= np.exp(1.5 * (items.rating - 4.2))
    else:
        liking *= shopper.makers[items.brand] * shopper.hues[items.hue]
        if shopper.veto:
            liking *= 1 - 0.98 * (items.material == shopper.veto)
    shown = items.available & items.sold[:, shopper.region] & (items.published <= now) & (items.sub == need.sub)
    return np.asarray(liking * shown, dtype=np.float64)


def _price(shopper: Shopper, items: Shelf, need: Need) -> Floats:
    """Too cheap is suspect, too dear a cliff; a gift should look like one and be affordable."""
    comfort = shopper.purse + (0.25 if need.gift else 0.0)
    off = items.dearness - comfort
    below = np.exp(-0.5 * (np.minimum(off, 0.0) / 0.75) ** 2)
    above = 1 / (1 + np.exp(shopper.thrift * 2.2 * (np.maximum(off, 0.0) - 0.45)))
    return np.asarray(below * above, dtype=np.float64)


def _fashion(items: Shelf, now: float) -> Floats:
    return np.asarray(1 + items.wave * np.exp(-(((now - items.crest) / (WAVE_DAYS * DAY)) ** 2)), dtype=np.float64)
