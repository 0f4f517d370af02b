"""Words for the demo storefront: category names and lines, and seasonal banners."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SHOP_NAME: Final = "Fieldhouse"
TAGLINE: Final = "Good things for out there and back home."

CATEGORY_LINES: Final = {
    "shoes": ("Shoes", "For tarmac, mud and kitchen floors."),
    "clothing": ("Clothing", "Layers you reach for without thinking."),
    "outerwear": ("Outerwear", "There is no bad weather in this aisle."),
    "accessories": ("Accessories", "The small things you miss when they are not there."),
    "outdoor": ("Outdoor", "Sleep out, cook out, stay out."),
    "sport": ("Sport", "Ten minutes count."),
    "kitchen": ("Kitchen", "Tools that outlive recipes."),
    "pantry": ("Pantry", "Coffee, chocolate and other essentials."),
    "home": ("Home", "Warm light, soft corners."),
    "kids": ("Kids", "Made for being dragged everywhere."),
    "garden": ("Garden", "A balcony is enough."),
    "pets": ("Pets", "For the one who is always pleased to see you."),
}


@dataclass(frozen=True)
class Banner:
    """A call across the top of the page, leading to a category path; `season` says when it fits, "any" always."""

    key: str
    headline: str
    line: str
    path: str
    season: str


BANNERS: Final = (
    Banner(
        "rain", "It will rain. Good.", "Shells, boots and umbrellas that look forward to it.", "outerwear", "autumn"
    ),
    Banner("frost", "First frost", "Wool, down and the second pair of socks.", "clothing/knitwear", "winter"),
    Banner("camp", "One field, no plan", "Tents, bags and a stove for two.", "outdoor", "summer"),
    Banner("bloom", "Dirt under the nails", "Seeds, pots and a trowel that lasts.", "garden", "spring"),
    Banner("home", "Lights on at four", "Lamps, candles, throws.", "home", "winter"),
    Banner("coffee", "The good beans are in", "Roasted last week, gone next week.", "pantry/coffee", "any"),
)
