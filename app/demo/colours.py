"""The colours and flavours in which the demo shop's products come."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

COLOURS: Final = MappingProxyType(
    {
        "ink black": "#2b2d34",
        "charcoal": "#4a4e57",
        "graphite": "#5b626d",
        "heather grey": "#a3a8b0",
        "stone": "#b9b1a4",
        "chalk white": "#ece8e0",
        "ivory": "#efe6d2",
        "cream": "#f0dfc0",
        "oatmeal": "#d8c8ac",
        "sand": "#d3b888",
        "camel": "#b98a55",
        "cocoa": "#7a5340",
        "espresso": "#4e3629",
        "rust": "#b3593a",
        "terracotta": "#c97455",
        "coral": "#ea8069",
        "poppy red": "#d1443f",
        "burgundy": "#7f2f3f",
        "plum": "#6d4566",
        "dusty rose": "#d3a09c",
        "blush": "#ecc6bd",
        "lilac": "#b3a2cf",
        "mustard": "#d9a53a",
        "ochre": "#c48a3c",
        "sun yellow": "#f2c744",
        "signal orange": "#ee7a35",
        "sage": "#9db095",
        "moss green": "#6d7f4d",
        "fern green": "#57955f",
        "forest green": "#34584a",
        "mint": "#a8d2bd",
        "teal": "#2f7f83",
        "deep teal": "#235a64",
        "glacier blue": "#7fb6cd",
        "sky blue": "#94bfe0",
        "cobalt": "#345fb5",
        "slate blue": "#5f7693",
        "navy": "#2d3f63",
        "steel": "#aab4bd",
        "brass": "#c8a45a",
        "copper": "#bf7a54",
        "walnut": "#80583c",
        "oak": "#c79d6a",
    }
)

PALETTES: Final[MappingProxyType[str, tuple[str, ...]]] = MappingProxyType(
    {
        "wear": (
            "ink black", "chalk white", "moss green", "slate blue", "burgundy", "mustard", "sand", "rust",
            "heather grey", "navy", "forest green", "plum", "sky blue", "terracotta", "sage", "charcoal",
            "cream", "coral", "dusty rose", "camel",
        ),
        "tech": (
            "signal orange", "glacier blue", "fern green", "poppy red", "graphite", "sun yellow", "teal",
            "cobalt", "ink black", "moss green", "deep teal", "navy",
        ),
        "hush": (
            "oatmeal", "terracotta", "sage", "ink black", "ochre", "dusty rose", "stone", "ivory", "deep teal",
            "slate blue", "forest green", "blush",
        ),
        "small": ("blush", "mint", "sky blue", "cream", "mustard", "sage", "coral", "lilac", "oatmeal", "dusty rose"),
        "metal": ("steel", "copper", "brass", "ink black", "chalk white", "deep teal", "poppy red", "sage"),
        "wood": ("oak", "walnut", "camel", "ivory", "cocoa"),
        "leather": ("espresso", "camel", "ink black", "burgundy", "forest green", "cocoa", "navy"),
    }
)  # fmt: skip

# label on the packet -> colour of the packet
FLAVOURS: Final[MappingProxyType[str, tuple[tuple[str, str], ...]]] = MappingProxyType(
    {
        "coffee": (
            ("Ethiopia Sidamo", "coral"), ("Colombia Huila", "poppy red"), ("Brazil Cerrado", "mustard"),
            ("Guatemala Antigua", "teal"), ("House Espresso", "espresso"), ("Midnight Roast", "ink black"),
            ("Decaf Valley", "sage"), ("Kenya Nyeri", "burgundy"), ("Breakfast Blend", "sky blue"),
        ),
        "tea": (
            ("Earl Grey", "slate blue"), ("Assam Breakfast", "rust"), ("Jasmine Green", "fern green"),
            ("Peppermint", "mint"), ("Rooibos Orange", "signal orange"), ("Chamomile", "sun yellow"),
            ("Ginger Lemon", "mustard"), ("White Peony", "blush"),
        ),
        "chocolate": (
            ("70 % Dark", "espresso"), ("Sea Salt Caramel", "cobalt"), ("Milk Hazelnut", "camel"),
            ("Raspberry Dark", "burgundy"), ("Almond Nougat", "sand"), ("Orange Peel", "signal orange"),
            ("White Pistachio", "sage"), ("85 % Single Estate", "forest green"),
        ),
        "oil": (
            ("Early Harvest", "fern green"), ("Mild Arbequina", "moss green"), ("Lemon Infused", "sun yellow"),
            ("Chilli Infused", "poppy red"), ("Family Reserve", "forest green"), ("Basil Infused", "teal"),
        ),
        "preserve": (
            ("Apricot", "signal orange"), ("Raspberry", "poppy red"), ("Wild Blueberry", "plum"),
            ("Bitter Orange", "ochre"), ("Fig & Vanilla", "burgundy"), ("Acacia Honey", "sun yellow"),
            ("Chestnut Honey", "camel"), ("Strawberry Rhubarb", "coral"),
        ),
        "scent": (
            ("Fig Leaf", "sage"), ("Cedar & Smoke", "charcoal"), ("Lavender", "lilac"), ("Orange Blossom", "coral"),
            ("Sea Salt", "glacier blue"), ("Rose Geranium", "dusty rose"), ("Amber", "ochre"),
            ("Pine Needle", "forest green"), ("Linen", "chalk white"), ("Honey & Oat", "oatmeal"),
        ),
        "plant": (
            ("Monstera", "fern green"), ("Boston Fern", "moss green"), ("Olive Tree", "sage"),
            ("Rubber Fig", "forest green"), ("Snake Plant", "deep teal"), ("Peace Lily", "mint"),
        ),
        "seed": (
            ("Basil", "fern green"), ("Cherry Tomato", "poppy red"), ("Sweet Pea", "lilac"),
            ("Sunflower", "sun yellow"), ("Radish", "dusty rose"), ("Rocket", "moss green"),
            ("Cornflower", "cobalt"), ("Marigold", "signal orange"), ("Chard", "burgundy"),
        ),
        "feed": (
            ("Salmon & Pea", "coral"), ("Chicken & Rice", "mustard"), ("Lamb & Barley", "burgundy"),
            ("Duck & Apple", "teal"), ("Turkey & Carrot", "signal orange"), ("White Fish", "slate blue"),
        ),
    }
)  # fmt: skip

COLOUR_FAMILIES: Final[MappingProxyType[str, tuple[str, ...]]] = MappingProxyType(
    {
        "dark": ("ink black", "charcoal", "graphite", "navy", "espresso", "forest green", "deep teal", "plum"),
        "light": ("chalk white", "ivory", "cream", "oatmeal", "stone", "heather grey", "blush", "steel"),
        "earth": ("sand", "camel", "cocoa", "rust", "terracotta", "mustard", "ochre", "oak", "walnut", "copper"),
        "vivid": ("coral", "poppy red", "sun yellow", "signal orange", "cobalt", "teal", "fern green"),
        "soft": ("dusty rose", "lilac", "mint", "sky blue", "glacier blue", "sage", "blush"),
        "green-blue": ("moss green", "fern green", "forest green", "slate blue", "navy", "teal", "sage", "deep teal"),
    }
)
