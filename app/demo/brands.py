"""The invented brands of the demo shop: what each one makes, how dear it is and how it feels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Brand:
    """A maker. `tier` 1 (plain) to 4 (luxury) moves the price; `tops` are the top categories it sells in."""

    name: str
    tier: int
    feel: str
    tops: tuple[str, ...]


# What one step of tier does to a price, relative to the subcategory's usual price.
TIER_PRICE: Final = (0.55, 0.88, 1.30, 2.20)

BRANDS: Final[tuple[Brand, ...]] = (
    Brand("Aldermoor", 3, "rugged", ("shoes", "outerwear", "outdoor", "accessories")),
    Brand("Norrvind", 4, "technical", ("outerwear", "outdoor", "accessories")),
    Brand("Fellgate", 2, "rugged", ("shoes", "outerwear", "outdoor", "accessories")),
    Brand("Skarra", 3, "technical", ("outdoor", "outerwear", "sport")),
    Brand("Tarnwick", 2, "rugged", ("outdoor", "outerwear", "clothing")),
    Brand("Brightcol", 1, "playful", ("outdoor", "outerwear", "sport", "accessories")),
    Brand("Velanto", 3, "technical", ("shoes", "sport", "clothing")),
    Brand("Pacer & Pine", 2, "technical", ("shoes", "sport", "clothing", "accessories")),
    Brand("Corsawell", 4, "technical", ("sport", "shoes")),
    Brand("Stridelow", 1, "plain", ("shoes", "sport")),
    Brand("Maison Orvelle", 4, "elegant", ("clothing", "outerwear", "accessories", "shoes")),
    Brand("Linden Row", 3, "elegant", ("clothing", "outerwear", "accessories")),
    Brand("Odessa Grey", 3, "minimal", ("clothing", "outerwear", "shoes", "accessories")),
    Brand("Harrowby", 2, "classic", ("clothing", "outerwear", "accessories", "shoes")),
    Brand("Matelo", 2, "classic", ("clothing", "accessories", "kids")),
    Brand("Casa Brisa", 2, "playful", ("clothing", "shoes", "accessories")),
    Brand("Plainfolk", 1, "minimal", ("clothing", "accessories")),
    Brand("Everwend", 1, "plain", ("clothing", "accessories", "outerwear", "shoes")),
    Brand("Tovelle", 3, "playful", ("clothing", "accessories")),
    Brand("Cobbleton", 3, "classic", ("shoes", "accessories")),
    Brand("Saltash Lane", 2, "classic", ("shoes", "accessories", "home")),
    Brand("Hjemlund", 3, "minimal", ("home", "kitchen", "kids")),
    Brand("Studio Ferrane", 4, "elegant", ("home", "kitchen", "garden")),
    Brand("Clayhouse", 2, "natural", ("home", "kitchen", "garden")),
    Brand("Brindle & Bower", 3, "classic", ("home", "garden")),
    Brand("Nookery", 1, "playful", ("home", "kitchen", "kids")),
    Brand("Lumeva", 2, "minimal", ("home",)),
    Brand("Wollen", 2, "natural", ("home", "accessories", "clothing")),
    Brand("Pottswick", 2, "classic", ("kitchen", "home")),
    Brand("Ferro Nonna", 3, "classic", ("kitchen",)),
    Brand("Daily Iron", 1, "plain", ("kitchen", "home", "garden")),
    Brand("Kurobane", 4, "minimal", ("kitchen",)),
    Brand("Café Lindero", 3, "natural", ("pantry", "kitchen")),
    Brand("Old Harbour", 2, "classic", ("pantry",)),
    Brand("Bosco Alto", 3, "natural", ("pantry",)),
    Brand("Greenhall", 1, "plain", ("pantry", "garden")),
    Brand("Valdecacao", 3, "elegant", ("pantry",)),
    Brand("Little Otter", 2, "playful", ("kids",)),
    Brand("Minnow & Moon", 3, "natural", ("kids", "home")),
    Brand("Bimbly", 1, "playful", ("kids",)),
    Brand("Fernleigh", 2, "natural", ("garden", "home")),
    Brand("Potager Bleu", 3, "classic", ("garden",)),
    Brand("Rootwell", 1, "plain", ("garden",)),
    Brand("Houndsley", 3, "classic", ("pets",)),
    Brand("Pawmere", 2, "playful", ("pets",)),
    Brand("Muddle", 1, "plain", ("pets",)),
)
