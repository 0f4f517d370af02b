"""What simulated visitors type into the search box, typing errors included."""

from __future__ import annotations

from typing import Final

import numpy as np

from app.demo.item import Item

TYPOS: Final = 0.12
LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"


def query_for(item: Item, rng: np.random.Generator) -> str:
    """Return words with which someone would look for this product: its kind, with brand, colour or flavour at times."""
    words = item["title"].split(",")[0].lower().split()
    noun = " ".join(words[-2:]) if rng.random() < 0.6 else words[-1]
    draw = float(rng.random())
    colour = str(item["attributes"].get("color", ""))
    if draw < 0.25:
        query = item["category"][1].replace("-", " ")
    elif draw < 0.40:
        query = f"{item['brand'].lower()} {words[-1]}"
    elif draw < 0.55 and "model" in item["attributes"]:
        query = f"{noun} {colour}"
    else:
        query = noun
    return misspell(query, rng) if rng.random() < TYPOS else query


def misspell(query: str, rng: np.random.Generator) -> str:
    """Make one typing error: a letter left out, doubled, swapped with the next or hit beside."""
    if len(query) < 4:
        return query
    at = int(rng.integers(1, len(query) - 1))
    kind = int(rng.integers(4))
    if kind == 0:
        return query[:at] + query[at + 1 :]
    if kind == 1:
        return query[:at] + query[at] + query[at:]
    if kind == 2:
        return query[:at] + query[at + 1] + query[at] + query[at + 2 :]
    return query[:at] + LETTERS[int(rng.integers(26))] + query[at + 1 :]
