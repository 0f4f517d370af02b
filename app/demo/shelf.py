"""The demo catalogue as columns, with what the simulator knows of each product beyond its page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
import numpy.typing as npt

from app.demo.brands import BRANDS, TIER_PRICE
from app.demo.climate import REGIONS
from app.demo.colours import COLOURS
from app.demo.item import Item
from app.demo.lifestyles import FEEL_NAMES, Floats
from app.demo.taxonomy import BY_PATH, SUBCATEGORIES

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

ANIMAL: Final = ("leather", "suede", "waxed leather", "recycled down", "sheepskin", "silk")
WOOLLY: Final = (
    "lambswool", "merino", "wool", "mohair", "wool blend", "wool felt", "boiled wool", "wool pile", "cashmere",
)  # fmt: skip
PLASTIC: Final = ("recycled polyester", "recycled plastic", "synthetic fill", "recycled fleece", "neoprene", "viscose")
_MATERIAL_KINDS: Final = {name: kind for kind, names in enumerate((ANIMAL, WOOLLY, PLASTIC), 1) for name in names}
APPEAL_SPREAD: Final = 0.73


@dataclass(frozen=True)
class Shelf:
    """Columns over n products. `dearness` is the log of price over the subcategory's usual price.

    `hue` is the place of the colour in COLOURS, `sold` n x 8 (may be sold in REGIONS), `material` 0..3 (other, animal,
    woolly, plastic). Hidden from every learner: `appeal` (> 0), and a wave of fashion (`wave` high, around
    `crest` in epoch seconds).
    """

    number: Ints
    sub: Ints
    brand: Ints
    feel: Ints
    material: Ints
    hue: Ints
    price: Floats
    dearness: Floats
    discount: Floats
    rating: Floats
    published: Floats
    available: Bools
    sold: Bools
    appeal: Floats
    wave: Floats
    crest: Floats

    def take(self, rows: Ints) -> Shelf:
        """The same columns for some rows only."""
        return Shelf(**{column.name: getattr(self, column.name)[rows] for column in fields(self)})


def read_shelf(catalogue: Sequence[Item], seed: int, now: int) -> Shelf:
    """Turn a generated catalogue into columns and draw the hidden ones from `seed`."""
    rng = np.random.default_rng([seed, 2])
    brands = {brand.name: number for number, brand in enumerate(BRANDS)}
    brand = np.array([brands[item["brand"]] for item in catalogue])
    sub = np.array([BY_PATH[" > ".join(item["category"])] for item in catalogue])
    price = np.array([item["sale_price"] or item["price"] for item in catalogue])
    usual = np.array([kind.price * TIER_PRICE[1] for kind in SUBCATEGORIES])[sub]
    many = len(catalogue)
    return Shelf(
        number=np.arange(many),
        sub=sub,
        brand=brand,
        feel=np.array([FEEL_NAMES.index(maker.feel) for maker in BRANDS])[brand],
        material=np.array([_MATERIAL_KINDS.get(str(item["attributes"].get("material")), 0) for item in catalogue]),
        hue=np.array([list(COLOURS).index(str(item["attributes"]["color"])) for item in catalogue]),
        price=price,
        dearness=np.log(price / usual),
        discount=1 - price / np.array([item["price"] for item in catalogue]),
        rating=np.array([float(item["attributes"].get("rating", 4.0)) for item in catalogue]),
        published=np.array([float(item["published"]) for item in catalogue]),
        available=np.array([item["availability"] == "in_stock" for item in catalogue]),
        sold=np.array([[not item["regions"] or region in item["regions"] for region in REGIONS] for item in catalogue]),
        appeal=np.exp(rng.normal(0.0, APPEAL_SPREAD, many)),
        wave=np.where(rng.random(many) < 0.08, rng.uniform(1.5, 5.0, many), 0.0),
        crest=now - rng.uniform(-5.0, 90.0, many) * 86_400,
    )
