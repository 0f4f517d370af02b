"""What the demo shop sells: twelve categories and their subcategories, with prices, materials and seasons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app.demo.taxonomy_living import LIVING_ROWS
from app.demo.taxonomy_wear import WEAR_ROWS


@dataclass(frozen=True)
class Subcategory:
    """One kind of product. `price` is the usual price in EUR, `spread` the standard deviation of its log.

    `choice` names a palette of colours or a set of flavours; `renew_days` is 0 for durable goods, else the days after
    which a household needs it again; `season` says when it sells, `weather` what it is made for.
    """

    top: str
    name: str
    choice: str
    price: float
    spread: float
    share: float
    season: str
    weather: str
    renew_days: float
    nouns: tuple[str, ...]
    materials: tuple[str, ...]
    uses: tuple[str, ...]

    @property
    def path(self) -> str:
        """`shoes > running`."""
        return f"{self.top} > {self.name}"


TOPS: Final = (
    "shoes", "clothing", "outerwear", "accessories", "outdoor", "sport",
    "kitchen", "pantry", "home", "kids", "garden", "pets",
)  # fmt: skip


def _read(rows: str) -> tuple[Subcategory, ...]:
    """Read `top/name | choice | price spread share renew | season weather | nouns | materials | uses` lines."""
    found = []
    for line in rows.strip().splitlines():
        where, choice, numbers, climate, nouns, materials, uses = (part.strip() for part in line.split("|"))
        top, name = where.split("/")
        price, spread, share, renew = (float(number) for number in numbers.split())
        season, weather = climate.split()
        found.append(
            Subcategory(
                top=top,
                name=name,
                choice=choice,
                price=price,
                spread=spread,
                share=share,
                season=season,
                weather=weather,
                renew_days=renew,
                nouns=_words(nouns),
                materials=_words(materials),
                uses=_words(uses),
            )
        )
    return tuple(found)


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(";"))


SUBCATEGORIES: Final[tuple[Subcategory, ...]] = _read(WEAR_ROWS) + _read(LIVING_ROWS)
BY_PATH: Final = {sub.path: number for number, sub in enumerate(SUBCATEGORIES)}

# Who buys the left soon wants one of the right (path -> paths). The learner is never told.
COMPLEMENTS: Final = {
    "outdoor > tents": ("outdoor > sleeping-bags", "outdoor > headlamps", "outdoor > stoves"),
    "outdoor > sleeping-bags": ("outdoor > headlamps", "outdoor > stoves", "outdoor > bottles"),
    "outdoor > backpacks": ("outdoor > bottles", "outerwear > rain-jackets", "accessories > socks"),
    "outdoor > stoves": ("pantry > coffee", "kitchen > mugs", "outdoor > bottles"),
    "shoes > running": ("accessories > socks", "clothing > shorts", "outdoor > bottles"),
    "shoes > trail": ("accessories > socks", "outdoor > backpacks", "outerwear > rain-jackets"),
    "shoes > boots": ("accessories > socks", "accessories > scarves", "outerwear > coats"),
    "outerwear > rain-jackets": ("accessories > umbrellas", "accessories > beanies"),
    "outerwear > coats": ("accessories > scarves", "accessories > gloves"),
    "outerwear > down-jackets": ("accessories > beanies", "accessories > gloves"),
    "clothing > dresses": ("accessories > sunglasses", "accessories > totes", "shoes > sandals"),
    "sport > yoga-mats": ("clothing > shorts", "outdoor > bottles", "sport > weights"),
    "sport > helmets": ("accessories > gloves", "outerwear > rain-jackets"),
    "sport > goggles": ("home > towels", "shoes > sandals"),
    "kitchen > coffee-makers": ("pantry > coffee", "kitchen > mugs"),
    "kitchen > pans": ("pantry > olive-oil", "kitchen > knives"),
    "kitchen > mugs": ("pantry > tea", "pantry > chocolate"),
    "kids > prams": ("kids > bodysuits", "kids > nappies", "kids > soft-toys"),
    "kids > bodysuits": ("kids > nappies", "kids > soft-toys"),
    "garden > planters": ("garden > houseplants", "garden > watering-cans"),
    "garden > houseplants": ("garden > planters", "garden > watering-cans"),
    "garden > seeds": ("garden > tools", "garden > planters"),
    "home > bedding": ("home > throws", "home > cushions", "home > candles"),
    "home > lamps": ("home > cushions", "home > vases"),
    "home > towels": ("home > soap", "home > candles"),
    "pets > dog-beds": ("pets > pet-food", "pets > bowls"),
    "pets > leads": ("pets > bowls", "pets > pet-food"),
}
