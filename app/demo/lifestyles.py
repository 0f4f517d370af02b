"""Who shops in the demo shop: ways of living and passing phases, each with the things they make people want.

These are the simulator's hidden truths. Nothing under `app/` outside `app/demo` may read them: a learner sees events.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from app.demo.taxonomy import SUBCATEGORIES

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Lifestyle:
    """A way of living. `wants` names subcategories or whole categories with weights ("running:4, home:.5")."""

    name: str
    share: float
    wants: str
    colours: tuple[str, ...]
    feels: tuple[str, ...]
    purse: float


LIFESTYLES: Final[tuple[Lifestyle, ...]] = (
    Lifestyle(
        "hill walker", 0.11,
        "trail:5, boots:3, rain-jackets:4, backpacks:4, fleeces:3, socks:3, bottles:2, headlamps:2, beanies:2, "
        "chocolate:2, outdoor:1, coffee:1", ("green-blue", "earth"), ("rugged", "technical"), 0.15,
    ),
    Lifestyle(
        "camper", 0.07,
        "tents:5, sleeping-bags:4, stoves:4, headlamps:3, backpacks:2, bottles:3, mugs:2, coffee:2, fleeces:2, "
        "sandals:1, throws:1", ("vivid", "green-blue"), ("rugged", "playful"), -0.1,
    ),
    Lifestyle(
        "runner", 0.1,
        "running:6, shorts:4, socks:4, bottles:3, t-shirts:3, headlamps:2, goggles:2, yoga-mats:2, watches:2, trail:1, "
        "chocolate:1", ("vivid", "dark"), ("technical", "plain"), 0.1,
    ),
    Lifestyle(
        "city minimalist", 0.11,
        "coats:4, knitwear:4, sneakers:4, trousers:4, totes:3, shirts:3, watches:2, coffee-makers:2, coffee:2, "
        "vases:1, umbrellas:2, candles:1", ("dark", "light"), ("minimal", "elegant"), 0.4,
    ),
    Lifestyle(
        "dresser", 0.1,
        "dresses:5, shirts:3, sunglasses:3, scarves:4, totes:3, boots:3, sandals:3, knitwear:3, coats:3, gloves:2, "
        "soap:1",
        ("vivid", "soft"), ("elegant", "playful"), 0.3,
    ),
    Lifestyle(
        "nest builder", 0.12,
        "cushions:5, throws:4, lamps:4, candles:5, vases:4, bedding:4, towels:3, slippers:2, soap:3, tea:2, "
        "houseplants:2, jars:2", ("light", "soft"), ("natural", "minimal"), 0.1,
    ),
    Lifestyle(
        "host and cook", 0.1,
        "pans:5, knives:4, olive-oil:5, preserves:4, mugs:3, jars:3, coffee:4, coffee-makers:3, chocolate:3, tea:2, "
        "candles:1, planters:1", ("earth", "light"), ("classic", "natural"), 0.25,
    ),
    Lifestyle(
        "young family", 0.1,
        "nappies:5, bodysuits:5, soft-toys:4, wooden-toys:4, prams:1, towels:1, soap:2, hoodies:1, rain-jackets:1, "
        "bottles:1, bedding:1", ("soft", "light"), ("playful", "natural"), -0.15,
    ),
    Lifestyle(
        "balcony gardener", 0.07,
        "planters:5, houseplants:5, seeds:5, tools:3, watering-cans:3, vases:2, tea:3, preserves:2, candles:1, boots:1",
        ("green-blue", "earth"), ("natural", "classic"), -0.05,
    ),
    Lifestyle(
        "dog person", 0.07,
        "pet-food:6, dog-beds:3, leads:4, bowls:3, boots:2, rain-jackets:2, fleeces:2, socks:1, throws:1",
        ("earth", "dark"), ("classic", "playful", "rugged"), 0.0,
    ),
    Lifestyle(
        "student", 0.05,
        "t-shirts:5, hoodies:5, sneakers:4, trousers:3, mugs:2, tea:2, chocolate:3, socks:2, cushions:2, balls:2, "
        "beanies:2", ("dark", "vivid"), ("plain", "playful", "minimal"), -0.55,
    ),
)  # fmt: skip


@dataclass(frozen=True)
class PhaseKind:
    """Something that happens to people for some weeks and changes what they need."""

    name: str
    share: float
    weeks: float
    wants: str


PHASES: Final[tuple[PhaseKind, ...]] = (
    PhaseKind("takes up running", 0.10, 5, "running:9, shorts:6, socks:5, bottles:4, headlamps:3, t-shirts:3"),
    PhaseKind("baby on the way", 0.06, 8, "prams:3, bodysuits:8, nappies:6, soft-toys:6, wooden-toys:3"),
    PhaseKind("new flat", 0.10, 6, "bedding:7, lamps:7, pans:6, towels:6, cushions:5, jars:4, knives:3, houseplants:4"),
    PhaseKind("first camping trip", 0.06, 4, "tents:7, sleeping-bags:7, stoves:5, headlamps:5, backpacks:4"),
    PhaseKind("a puppy", 0.04, 6, "dog-beds:7, leads:7, bowls:6, pet-food:9"),
    PhaseKind("coffee craze", 0.06, 6, "coffee-makers:8, coffee:9, mugs:6"),
    PhaseKind("party season", 0.08, 4, "dresses:8, shirts:5, watches:3, candles:5, chocolate:5, scarves:4"),
    PhaseKind("winter trip", 0.09, 4, "down-jackets:8, gloves:7, beanies:7, boots:5, fleeces:5, socks:4"),
    PhaseKind("cycling to work", 0.06, 5, "helmets:8, rain-jackets:7, gloves:4, backpacks:4, headlamps:3"),
)

COLOUR_NAMES: Final = ("dark", "light", "earth", "vivid", "soft", "green-blue")
FEEL_NAMES: Final = ("rugged", "technical", "playful", "plain", "elegant", "minimal", "classic", "natural")
# Things that run out; everybody is in the habit of buying a few of them here, and indifferent to the others.
HABITS: Final = (
    "socks", "coffee", "soap", "chocolate", "tea",
    "olive-oil", "preserves", "candles", "seeds", "pet-food",
)  # fmt: skip
HABIT_PULL: Final = 4.0


def wants(text: str) -> Floats:
    """Read "running:4, home:.5" into one weight per subcategory; a category's name stands for all its kinds."""
    found = np.zeros(len(SUBCATEGORIES))
    for part in text.split(","):
        name, weight = part.strip().split(":")
        hits = [number for number, sub in enumerate(SUBCATEGORIES) if name in (sub.name, sub.top)]
        if not hits:
            raise ValueError(f"lifestyles: {name!r} is neither a category nor a subcategory of the demo shop")
        found[hits] += float(weight)
    return found
