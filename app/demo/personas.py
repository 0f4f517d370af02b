"""Example visitors of the demo shop, for "view the shop as ..."."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app.demo.climate import REGIONS
from app.demo.shoppers import CAST, generate_shoppers


@dataclass(frozen=True)
class Persona:
    """A visitor with a history in the generated shop. `anon` is the id their events carry."""

    name: str
    anon: str
    region: str
    line: str


NAMES: Final = (
    ("Isla", "walks the hills in any weather; boots, rain jackets, wool socks"),
    ("Camille", "lives in black and grey; coats, knitwear, good coffee at home"),
    ("Jonas & Mia", "a baby on the way; bodysuits, nappies, soft toys"),
    ("Giulia", "cooks for friends and has caught the coffee craze"),
    ("Daan", "took up running three weeks ago"),
    ("Louise", "has just moved into a new flat; lamps, bedding, cushions"),
)


def personas(seed: int, now: int) -> tuple[Persona, ...]:
    """The example visitors of the shop generated from the same `seed` and `now`."""
    people = generate_shoppers(seed, now, len(CAST))
    return tuple(
        Persona(name, person.anon, REGIONS[person.region], line)
        for (name, line), person in zip(NAMES, people, strict=True)
    )
