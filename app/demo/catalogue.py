"""Makes the demo shop's catalogue: about 2,400 products with titles, prices and attributes a shopper would believe.

The spread of prices follows the real shop of LEARNING.md (p5..p95 = 0.2x .. 5.1x the median, 15 % of products new in
the second half of the history); the level is that of a shop for clothes, home and outdoors (median about 30 EUR).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from app.demo.brands import BRANDS, TIER_PRICE, Brand
from app.demo.colours import FLAVOURS, PALETTES
from app.demo.item import Item
from app.demo.taxonomy import SUBCATEGORIES, Subcategory

PRODUCTS: Final = 2_400
HISTORY_DAYS: Final = 90
NEW_SHARE: Final = 0.165
TYPICAL_PRICE: Final = 29.0
DAY: Final = 86_400

MODELS: Final = (
    "Alder", "Anker", "Ardent", "Aven", "Bask", "Bellow", "Birk", "Bluff", "Bramble", "Brook", "Cairn", "Calder",
    "Canto", "Cape", "Cinder", "Clover", "Corrie", "Cove", "Dale", "Dover", "Drift", "Dune", "Eddy", "Elm", "Ember",
    "Esker", "Fable", "Fen", "Finch", "Fjell", "Flint", "Ford", "Gale", "Garnet", "Glen", "Grove", "Harbour", "Haven",
    "Hazel", "Heath", "Hollow", "Inlet", "Iris", "Isle", "Jetty", "Juno", "Kelp", "Knoll", "Lark", "Laurel", "Ledge",
    "Linnet", "Loft", "Lumen", "Marlow", "Meadow", "Mira", "Moor", "Nave", "Nell", "North", "Oriel", "Otto", "Pebble",
    "Pier", "Piper", "Quay", "Quill", "Rambler", "Reed", "Rill", "Rowan", "Sable", "Sill", "Skerry", "Sloe", "Sola",
    "Sorrel", "Strand", "Swift", "Tarn", "Teasel", "Thicket", "Tide", "Tor", "Vale", "Vesper", "Wharf", "Willow",
    "Wold", "Yarrow",
)  # fmt: skip

VARIANT_KEY: Final = {"scent": "scent", "plant": "variety", "seed": "variety"}
EU_ONLY: Final = ["FR", "DE", "NL", "BE", "AT", "IT", "ES"]
FEEL_LINES: Final = {
    "rugged": "Made to be used hard and mended, not replaced.",
    "technical": "Tested by people who are out before sunrise.",
    "playful": "Cheerful on purpose.",
    "plain": "No frills, fair price.",
    "elegant": "Finished by hand in a small workshop.",
    "minimal": "Nothing on it that does not need to be.",
    "classic": "A shape that has not needed changing for decades.",
    "natural": "Honest materials, nothing hidden.",
}


@dataclass(frozen=True)
class Model:
    """One design of a brand; its colourways or flavours become products of their own."""

    sub: Subcategory
    brand: Brand
    name: str
    noun: str
    material: str
    price: float
    published: int


def generate_catalogue(seed: int, now: int) -> list[Item]:
    """Make the catalogue of the shop as it is at `now` (epoch seconds). The same arguments give the same products."""
    rng = np.random.default_rng([seed, 1])
    shares = np.array([sub.share for sub in SUBCATEGORIES])
    counts = np.maximum(8, np.round(PRODUCTS * shares / shares.sum())).astype(int)
    items: list[Item] = []
    for sub, count in zip(SUBCATEGORIES, counts.tolist(), strict=True):
        titles: set[str] = set()
        while len(titles) < count:
            model = _model(sub, now, rng)
            for variant, colour in _variants(sub, count - len(titles), rng):
                title = _title(model, variant)
                if title not in titles:
                    titles.add(title)
                    items.append(_item(len(items) + 1, title, model, variant, colour, rng))
    return items


def _model(sub: Subcategory, now: int, rng: np.random.Generator) -> Model:
    makers = [brand for brand in BRANDS if sub.top in brand.tops]
    brand = makers[int(rng.integers(len(makers)))]
    usual = TYPICAL_PRICE * (sub.price / TYPICAL_PRICE) ** 0.9
    price = usual * TIER_PRICE[brand.tier - 1] ** 0.9 * float(np.exp(rng.normal(0.0, sub.spread * 0.9)))
    return Model(
        sub, brand, _pick(MODELS, rng), _pick(sub.nouns, rng), _pick(sub.materials, rng), charm(price),
        published=_published(now, rng),
    )  # fmt: skip


def _published(now: int, rng: np.random.Generator) -> int:
    """Some products arrive in the second half of the history; the others were there before it began."""
    half = HISTORY_DAYS / 2
    if rng.random() < NEW_SHARE:
        age = float(rng.uniform(0.3, half))
    else:
        age = float(HISTORY_DAYS + rng.exponential(260.0)) if rng.random() < 0.9 else float(rng.uniform(half, 90.0))
    return now - int(age * DAY)


def _variants(sub: Subcategory, wanted: int, rng: np.random.Generator) -> Iterator[tuple[str, str]]:
    """Yield up to three (label, colour) pairs of one model."""
    flavours = FLAVOURS.get(sub.choice)
    pairs = flavours or tuple((colour, colour) for colour in PALETTES[sub.choice])
    for number in rng.permutation(len(pairs))[: min(wanted, int(rng.integers(1, 4)))].tolist():
        yield pairs[number]


def _title(model: Model, variant: str) -> str:
    if model.sub.choice in FLAVOURS:
        return f"{model.brand.name} {variant} {model.noun}, {model.material}"
    return f"{model.brand.name} {model.name} {model.noun}, {variant}"


def _item(number: int, title: str, model: Model, variant: str, colour: str, rng: np.random.Generator) -> Item:
    sub, ident = model.sub, f"{model.sub.name}-{number:04d}"
    sale = rng.random() < 0.14
    discount = float(rng.choice([0.1, 0.15, 0.2, 0.25, 0.3, 0.4]))
    sold_out = rng.random() < 0.04
    return Item(
        id=ident,
        title=title,
        description=_description(model, variant, rng),
        url=f"/demo/p/{ident}",
        image=f"/demo/img/{ident}.svg",
        price=model.price,
        sale_price=charm(model.price * (1 - discount)) if sale else None,
        currency="EUR",
        category=[sub.top, sub.name],
        brand=model.brand.name,
        availability="out_of_stock" if sold_out else "in_stock",
        published=model.published,
        regions=_regions(model, rng),
        attributes=_attributes(model, variant, colour, rng),
    )


def _description(model: Model, variant: str, rng: np.random.Generator) -> str:
    sub, use = model.sub, _pick(model.sub.uses, rng)
    feel = FEEL_LINES[model.brand.feel]
    if sub.choice in FLAVOURS:
        return f"{variant} {model.noun.lower()} by {model.brand.name} for {use}. {feel}"
    return f"{_an(model.noun.lower())} in {model.material} for {use}, here in {variant}. {feel}"


def _attributes(model: Model, variant: str, colour: str, rng: np.random.Generator) -> dict[str, str | float | bool]:
    sub = model.sub
    found: dict[str, str | float | bool] = {"color": colour}
    if sub.choice in FLAVOURS:
        found[VARIANT_KEY.get(sub.choice, "flavour")] = variant
        found["size"] = model.material
    else:
        found["material"] = model.material
        found["model"] = model.name
    if sub.season != "any":
        found["season"] = sub.season
    if sub.weather != "any":
        found["weather"] = sub.weather
        found["waterproof"] = sub.weather == "rain" and bool(rng.random() < 0.8)
    if sub.top in ("shoes", "clothing", "outerwear", "accessories"):
        draw = float(rng.random())
        found["gender"] = "unisex" if draw < 0.5 else "women" if draw < 0.77 else "men"
        found["gender_neutral"] = found["gender"] == "unisex"
    found["rating"] = round(float(np.clip(rng.normal(4.25, 0.35), 2.8, 5.0)), 1)
    return found


def _regions(model: Model, rng: np.random.Generator) -> list[str]:
    """Live plants and seed do not cross the UK border; some bulky and local goods are sold near their warehouse."""
    if model.sub.choice in ("plant", "seed"):
        return list(EU_ONLY)
    if model.sub.choice == "feed" and rng.random() < 0.3:
        return ["FR", "DE", "NL", "BE"]
    if model.brand.name in ("Old Harbour", "Harrowby") and rng.random() < 0.15:
        return ["UK"]
    return []


def charm(price: float) -> float:
    """Round to a price a shop would print: 6.95, 24.90, 139.00."""
    if price < 10:
        return round(max(1.2, round(price * 5) / 5 - 0.05), 2)
    if price < 60:
        return round(round(price) - 0.10, 2)
    return float(round(price / 5) * 5 - 1)


def _an(noun: str) -> str:
    return f"{'An' if noun[0] in 'aeiou' else 'A'} {noun}"


def _pick(words: tuple[str, ...], rng: np.random.Generator) -> str:
    return words[int(rng.integers(len(words)))]
