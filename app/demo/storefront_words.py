"""Words for the demo storefront: category names and lines."""

from __future__ import annotations

from typing import Final

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
