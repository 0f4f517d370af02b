"""The generated products of the benchmark world: words, categories, brands, prices and fifty yes-or-no attributes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from store.records import Floats, Item

TOPS, LEAVES_PER_TOP, BRANDS, MODELS = 24, 12, 400, 3000
RULES = 50
"""Boolean attributes `rule_00` … that filters ask for: what a marketer's rules come down to."""
REGIONS = ("DE", "FR", "GB", "US")
_CONSONANTS, _VOWELS = "bdfgklmnprstvz", "aeiou"
_COLOURS = ("black", "white", "red", "blue", "green", "grey", "amber", "ivory", "navy", "olive", "rose", "sand")
_STUFFS = ("cotton", "linen", "wool", "leather", "oak", "steel", "glass", "bamboo", "canvas", "silk", "cork", "clay")
_DAY = 86_400


def rule_share(rule: int) -> float:
    """Which part of the items has an attribute: from a half to nearly all."""
    return 0.5 + 0.48 * rule / (RULES - 1)


def item_id(number: int) -> str:
    return f"sku-{number:06d}"


def words(count: int, syllables: int, random: np.random.Generator) -> list[str]:
    """Distinct made-up words."""
    found: dict[str, None] = {}
    while len(found) < count:
        letters = (
            _CONSONANTS[random.integers(len(_CONSONANTS))] + _VOWELS[random.integers(len(_VOWELS))]
            for _ in range(syllables)
        )
        found["".join(letters)] = None
    return list(found)


def leaves_of(items: int, seed: int) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    """The category (a number below TOPS * LEAVES_PER_TOP) of every item; small ones and large ones."""
    random = np.random.default_rng((seed, 1))
    leaves = TOPS * LEAVES_PER_TOP
    share = 1 / np.arange(4, leaves + 4) ** 0.7
    return random.choice(leaves, items, p=share / share.sum()).astype(np.int32)


def prices_of(items: int, seed: int) -> Floats:
    """Log-normal around 30, in cents."""
    random = np.random.default_rng((seed, 2))
    return np.round(np.exp(random.normal(3.4, 0.8, items)), 2).astype(np.float32)


def generate_items(items: int, seed: int, now: float) -> Iterator[Item]:
    """Items in the order of their numbers."""
    random = np.random.default_rng((seed, 3))
    tops, leaves = words(TOPS, 3, random), words(TOPS * LEAVES_PER_TOP, 3, random)
    brands, models = words(BRANDS, 3, random), words(MODELS, 4, random)
    leaf_of, price = leaves_of(items, seed), prices_of(items, seed)
    brand = random.integers(BRANDS // TOPS, size=items)
    published = now - _DAY * random.exponential(300, items)
    shares = np.array([rule_share(rule) for rule in range(RULES)])
    for number in range(items):
        leaf = int(leaf_of[number])
        top = leaf // LEAVES_PER_TOP
        colour, stuff = _COLOURS[random.integers(len(_COLOURS))], _STUFFS[random.integers(len(_STUFFS))]
        title = f"{colour} {stuff} {leaves[leaf]} {models[random.integers(MODELS)]}".capitalize()
        holds = (random.random(RULES) < shares).tolist()
        yield Item(
            id=item_id(number), title=title, url=f"/p/{number}", image=f"/i/{number}.svg",
            price=float(price[number]), currency="EUR", category=(tops[top], leaves[leaf]),
            brand=brands[top * (BRANDS // TOPS) + int(brand[number])], published=float(published[number]),
            regions=(REGIONS[number % 4], REGIONS[(number + 1) % 4]) if number % 20 == 0 else (),
            attributes={f"rule_{rule:02d}": holds[rule] for rule in range(RULES)},
        )  # fmt: skip
