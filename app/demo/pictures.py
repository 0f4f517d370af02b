"""Draws a product of the demo shop as a small flat SVG: its shape from the subcategory, its colours from the item.

Nothing is stored: the same item gives the same picture, at most 2.5 KB, without a file or a font.
"""

from __future__ import annotations

import zlib
from string import Template
from typing import Final

from app.demo.colours import COLOURS
from app.demo.drawing import Drawing
from app.demo.drawings_living import LIVING
from app.demo.drawings_outdoor import OUTDOOR
from app.demo.drawings_special import SPECIAL
from app.demo.drawings_wear import WEAR
from app.demo.item import Item

DRAWINGS: Final[dict[str, Drawing]] = {**WEAR, **OUTDOOR, **LIVING}
ACCENTS: Final = ("#e9b44c", "#e07a5f", "#3d6b73", "#f1e3cb", "#2f3e56", "#8fb3a5")
PAPER: Final = "#f7f4ee"
DEEP: Final = "#20242c"
WHITE: Final = "#fffdf8"
PLAIN: Final = 4  # of 9 designs in which a pattern is possible, this many stay plain


def picture(item: Item) -> str:
    """Return the item's picture as an SVG document of 400 x 400 units; an unknown colour or kind gets a parcel."""
    drawing = _drawing(item)
    attributes = item["attributes"]
    base = COLOURS.get(str(attributes.get("color", "")), "#8a93a0")
    look = zlib.crc32(f"{item['brand']} {attributes.get('model', attributes.get('size', ''))}".encode())
    inks = _inks(base, look)
    mark = f"c{zlib.crc32(item['id'].encode()):x}"  # the id itself could carry markup
    floor = (
        f'<ellipse cx="200" cy="{drawing.floor}" rx="{drawing.reach}" ry="11" fill="{DEEP}" opacity=".13"/>'
        if drawing.floor
        else ""
    )
    parts = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 400 400">'
        f'<clipPath id="{mark}"><path d="{drawing.body}"/></clipPath>'
        f'<path fill="{inks["paper"]}" d="M0 0H400V400H0Z"/>{_backdrop(look, inks)}{floor}'
        f'{drawing.behind}<path fill="$b" d="{drawing.body}"/><g clip-path="url(#{mark})">'
        f"{_pattern(look // 64) if drawing.patterned else ''}"
        f'<path fill="$k" opacity=".09" d="M236 0H400V400H190C262 290 268 110 236 0Z"/></g>{drawing.front}</svg>'
    )
    return Template(parts).substitute(inks)


def _drawing(item: Item) -> Drawing:
    """The shape the name promises, else that of the subcategory, else a parcel."""
    kind = item["category"][-1] if item["category"] else ""
    for (subcategory, word), drawing in SPECIAL.items():
        if subcategory == kind and word in item["title"]:
            return drawing
    return DRAWINGS.get(kind, DRAWINGS["parcel"])


def _inks(base: str, look: int) -> dict[str, str]:
    """Derive the tones of one picture from the product's colour and its design."""
    bright = _brightness(base)
    accent = ACCENTS[look % len(ACCENTS)]
    if abs(_brightness(accent) - bright) < 0.13:
        accent = ACCENTS[(look + 3) % len(ACCENTS)] if bright < 0.5 else "#2f3e56"
    ground = mix(base, PAPER, 0.84) if bright < 0.78 else mix("#b9c3c4", PAPER, 0.45)
    return {
        "b": base,
        "d": mix(base, DEEP, 0.24 if bright > 0.3 else 0.45),
        "l": mix(base, WHITE, 0.32 if bright > 0.3 else 0.24),
        "k": mix(base, DEEP, 0.72),
        "a": accent,
        "w": WHITE,
        "paper": ground,
        "glow": mix(ground, WHITE, 0.5),
    }


def _backdrop(look: int, inks: dict[str, str]) -> str:
    """A pale sun, arch or hill behind the product."""
    shapes = (
        "M52 196a148 148 0 1 0 296 0a148 148 0 1 0-296 0Z",
        "M66 400V190C66 10 334 10 334 190V400Z",
        "M0 250C90 200 150 230 220 214S340 150 400 176V400H0Z",
        "M0 326H400V400H0Z",
    )
    return f'<path fill="{inks["glow"]}" d="{shapes[look // 8 % len(shapes)]}"/>'


def _pattern(look: int) -> str:
    """Stripes, dots, checks or a block of colour, for the designs that have one."""
    which = look % 9
    if which < PLAIN:
        return ""
    if which == 4:
        bars = "".join(f"M0 {y}H400" for y in range(68, 360, 26))
        return f'<path stroke="$l" stroke-width="9" opacity=".8" d="{bars}"/>'
    if which == 5:
        pins = "".join(f"M{x} 0V400" for x in range(60, 350, 16))
        return f'<path stroke="$l" stroke-width="3" opacity=".8" d="{pins}"/>'
    if which == 6:
        dots = "".join(f"M{x + 20 * (row % 2)} {72 + 32 * row}h.1" for row in range(9) for x in range(48, 360, 40))
        return f'<path stroke="$l" stroke-width="11" stroke-linecap="round" d="{dots}"/>'
    if which == 7:
        grid = "".join(f"M{at} 0V400M0 {at}H400" for at in range(60, 360, 44))
        return f'<path stroke="$d" stroke-width="12" opacity=".45" d="{grid}"/>'
    return '<path fill="$a" opacity=".9" d="M0 214H400V258H0Z"/>'


def mix(colour: str, other: str, share: float) -> str:
    """Blend `share` of the other colour into the first; both `#rrggbb`."""
    pairs = zip(_channels(colour), _channels(other), strict=True)
    return "#" + "".join(f"{round(one + (two - one) * share):02x}" for one, two in pairs)


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _brightness(colour: str) -> float:
    red, green, blue = _channels(colour)
    return (0.299 * red + 0.587 * green + 0.114 * blue) / 255
