"""Invents the demo shop's visitors: how they live, what they like, what they can spend, what is going on with them.

Tastes are hidden from every learner and have deliberately another form than any model here: thresholds, vetoes,
favourite colours by maximum, price curves with a cliff, phases that begin and end (see `choice.utility`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from app.demo.brands import BRANDS
from app.demo.climate import REGION_SHARES, REGIONS
from app.demo.colours import COLOUR_FAMILIES, COLOURS
from app.demo.lifestyles import COLOUR_NAMES, FEEL_NAMES, HABIT_PULL, HABITS, LIFESTYLES, PHASES, Floats, wants
from app.demo.taxonomy import SUBCATEGORIES

SHOPPERS: Final = 4_000
DAY: Final = 86_400
CONSENTS: Final = ("granted", "session", "anonymous", "denied")
CONSENT_SHARES: Final = (0.80, 0.08, 0.08, 0.04)
DEVICES: Final = ("phone", "desktop", "tablet")
FEEL_OF_BRAND: Final = np.array([FEEL_NAMES.index(brand.feel) for brand in BRANDS])
# one row per colour: which families it belongs to
FAMILIES: Final = np.array([[float(hue in COLOUR_FAMILIES[name]) for name in COLOUR_NAMES] for hue in COLOURS])


@dataclass(frozen=True)
class Phase:
    """A passing need: from `start` to `end` (epoch seconds) the subcategories in `pull` matter more."""

    name: str
    start: float
    end: float
    pull: Floats


@dataclass(frozen=True)
class Shopper:
    """A simulated visitor. `anon` is a 128-bit hex id; `pull` one weight per subcategory, `makers` one factor per
    brand, `hues` one per colour.

    `purse` is the log of the price level this person is comfortable with, `thrift` how steep the price cliff is,
    `deals` the love of a discount, `fresh` that of novelty, `veto` material kinds never bought (1..3, 0 = none).
    `visits` is per day; `resolve` the chance that a visit ends in an order; `haul` scales basket sizes.
    """

    anon: str
    region: int
    device: str
    consent: str
    purposes: tuple[str, ...]
    lifestyle: str
    pull: Floats
    phases: tuple[Phase, ...]
    makers: Floats
    hues: Floats
    purse: float
    thrift: float
    deals: float
    fresh: float
    veto: int
    visits: float
    resolve: float
    haul: float


def generate_shoppers(seed: int, now: int, count: int = SHOPPERS) -> list[Shopper]:
    """Invent `count` visitors; the first ones are the personas of `personas.py`. Same arguments, same people."""
    rng = np.random.default_rng([seed, 3])
    ways = [wants(way.wants) for way in LIFESTYLES]
    pulls = [wants(kind.wants) for kind in PHASES]
    return [_shopper(number, now, ways, pulls, rng) for number in range(count)]


# The visitors a storefront offers under "browse as": lifestyle, phase (or none), region.
CAST: Final = (
    ("hill walker", "", "UK"),
    ("city minimalist", "", "FR"),
    ("young family", "baby on the way", "DE"),
    ("host and cook", "coffee craze", "IT"),
    ("runner", "takes up running", "NL"),
    ("nest builder", "new flat", "FR"),
)


def _shopper(number: int, now: int, ways: list[Floats], pulls: list[Floats], rng: np.random.Generator) -> Shopper:
    first = _draw(rng, [way.share for way in LIFESTYLES])
    second = _draw(rng, [way.share for way in LIFESTYLES])
    blend = float(rng.beta(6.0, 1.1))
    region = _draw(rng, REGION_SHARES)
    phases = [kind for kind, phase in enumerate(PHASES) if rng.random() < phase.share]
    consent = CONSENTS[_draw(rng, CONSENT_SHARES)]
    visits = 0.028 * float(np.exp(rng.normal(0.0, 0.92)))
    if number < len(CAST):
        lifestyle, phase_name, where = CAST[number]
        first = [way.name for way in LIFESTYLES].index(lifestyle)
        phases = [kind for kind, phase in enumerate(PHASES) if phase.name == phase_name]
        region, consent, blend, visits = REGIONS.index(where), "granted", 1.0, 0.22
    whim = 0.2 if number < len(CAST) else 1.0  # a persona is what its line says
    quirks = np.exp(whim * rng.normal(0.0, 0.9, len(SUBCATEGORIES)))
    main, other = LIFESTYLES[first], LIFESTYLES[second]
    feels = _likes(FEEL_NAMES, main.feels, other.feels, rng)
    return Shopper(
        anon=rng.bytes(16).hex(),
        region=region,
        device=DEVICES[_draw(rng, (0.6, 0.34, 0.06))],
        consent=consent,
        purposes=_purposes(consent, rng),
        lifestyle=main.name,
        pull=(blend * ways[first] + (1 - blend) * ways[second] + whim * _habits(rng)) * quirks,
        phases=tuple(_phase(kind, pulls[kind], now, number < len(CAST), rng) for kind in phases),
        makers=_brand_loyalty(main.feels, rng) * (0.15 + feels[FEEL_OF_BRAND]),
        hues=0.12 + np.max(FAMILIES * _likes(COLOUR_NAMES, main.colours, other.colours, rng), axis=1),
        purse=blend * main.purse + (1 - blend) * other.purse + float(rng.normal(0.0, 0.32)),
        thrift=float(rng.gamma(4.0, 0.6)),
        deals=float(rng.gamma(1.2, 0.9)),
        fresh=float(rng.gamma(1.0, 0.8)),
        veto=_draw(rng, (0.78, 0.1, 0.05, 0.07)),
        visits=visits,
        resolve=float(rng.beta(2.2, 8.0)) if whim == 1.0 else 0.3,
        haul=float(np.exp(rng.normal(0.0, 0.45))),
    )


def _phase(kind: int, pull: Floats, now: int, current: bool, rng: np.random.Generator) -> Phase:
    weeks = PHASES[kind].weeks * float(rng.uniform(0.6, 1.5))
    start = now - (float(rng.uniform(14, 30)) if current else float(rng.uniform(-5, 110))) * DAY
    end = now + 14 * DAY if current else start + weeks * 7 * DAY
    return Phase(PHASES[kind].name, start, end, pull)


def _purposes(consent: str, rng: np.random.Generator) -> tuple[str, ...]:
    """The vault categories a consenting visitor opted into, each on its own."""
    draws = rng.random(3)
    if consent != "granted":
        return ()
    chances = (("vault.purchases", 0.6), ("vault.searches", 0.35), ("vault.location", 0.15))
    return tuple(name for (name, chance), draw in zip(chances, draws.tolist(), strict=True) if draw < chance)


def _habits(rng: np.random.Generator) -> Floats:
    """Three things of daily life that this person buys here again and again."""
    pull = np.zeros(len(SUBCATEGORIES))
    for number in rng.permutation(len(HABITS))[:3].tolist():
        pull[[sub.name == HABITS[number] for sub in SUBCATEGORIES]] = HABIT_PULL
    return pull


def _brand_loyalty(feels: tuple[str, ...], rng: np.random.Generator) -> Floats:
    """Most brands leave a person cold; a few, mostly of the liked feel, are trusted far more, some are never bought."""
    near = np.array([2.0 if brand.feel in feels else 0.0 for brand in BRANDS])
    order = np.argsort(near + rng.gumbel(size=len(BRANDS)))
    loyalty = np.ones(len(BRANDS))
    loyalty[order[-8:]] = rng.uniform(4.0, 10.0, 8)
    loyalty[order[:12]] = 0.15
    return loyalty


def _likes(names: tuple[str, ...], main: tuple[str, ...], other: tuple[str, ...], rng: np.random.Generator) -> Floats:
    liked = np.exp(rng.normal(-0.9, 0.5, len(names)))
    for name in main:
        liked[names.index(name)] *= 5.0
    for name in other:
        liked[names.index(name)] *= 1.6
    return np.asarray(liked / liked.max(), dtype=np.float64)


def _draw(rng: np.random.Generator, shares: tuple[float, ...] | list[float]) -> int:
    edges = np.cumsum(shares)
    return int(np.searchsorted(edges, rng.random() * edges[-1], side="right"))
