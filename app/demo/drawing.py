"""A drawing of one kind of product, before it gets its colours."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Drawing:
    """SVG parts on a 400 x 400 sheet, drawn in this order: `behind`, `body`, pattern and shade on the body, `front`.

    `body` is path data; the others are elements. Colours are `$b` base, `$d` dark, `$l` light, `$a` accent, `$k` deep,
    `$w` paper white. `floor` is the height of the ground shadow (0 = none), `patterned` allows stripes, dots, checks.
    """

    body: str
    front: str = ""
    behind: str = ""
    floor: int = 326
    patterned: bool = False
    reach: int = 130


def lines(*paths: str, colour: str = "$d", width: int = 5) -> str:
    """Open strokes with round ends."""
    return (
        f'<path fill="none" stroke="{colour}" stroke-width="{width}" stroke-linecap="round" '
        f'stroke-linejoin="round" d="{"".join(paths)}"/>'
    )


def fill(colour: str, *paths: str) -> str:
    """Closed shapes in one colour."""
    return f'<path fill="{colour}" d="{"".join(paths)}"/>'


def disc(x: float, y: float, r: float) -> str:
    """Path data of a circle, so that many share one element."""
    return f"M{x - r:g} {y:g}a{r:g} {r:g} 0 1 0 {2 * r:g} 0a{r:g} {r:g} 0 1 0 {-2 * r:g} 0Z"
