"""The geometry of the console's charts: places on a grid, drawn by charts.html as SVG with a table beside it.

Every drawing is stretched to its place in the page, so places are shares of the width and height in percent.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 1000.0, 300.0


@dataclass(frozen=True)
class Line:
    """One series of a line chart; `points` and `band` are SVG point lists."""

    name: str
    points: str
    band: str = ""
    kind: str = "main"


@dataclass(frozen=True)
class LineChart:
    """A chart over time: lines, where zero lies, the ticks' texts from top to bottom and from left to right."""

    lines: Sequence[Line]
    y_ticks: Sequence[str]
    x_ticks: Sequence[str]
    grid: Sequence[float]
    zero: float | None
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    """The table twin."""


@dataclass(frozen=True)
class Series:
    """What is to be drawn: a value per place, with bounds where it is uncertain; None leaves a gap."""

    name: str
    values: Sequence[float | None]
    low: Sequence[float | None] = ()
    high: Sequence[float | None] = ()
    kind: str = "main"


def line_chart(
    labels: Sequence[str], series: Sequence[Series], *, form: str = "{:,.0f}", floor: float | None = None,
    first_column: str = "Day",
) -> LineChart:  # fmt: skip
    """`labels` name the places from left to right. The axis holds every value, its bounds and `floor`."""
    told = [value for each in series for value in (*each.values, *each.low, *each.high) if value is not None]
    told += [floor] if floor is not None else []
    ticks = nice_ticks(min(told, default=0.0), max(told, default=1.0))
    bottom, top = ticks[0], ticks[-1]

    def y(value: float) -> float:
        return round(HEIGHT * (1 - (value - bottom) / (top - bottom)), 1)

    def x(place: int) -> float:
        return round(WIDTH * place / max(1, len(labels) - 1), 1)

    def path(values: Sequence[float | None]) -> list[str]:
        return [f"{x(place)},{y(value)}" for place, value in enumerate(values) if value is not None]

    lines = [
        Line(
            each.name, " ".join(path(each.values)),
            " ".join([*path(each.high), *reversed(path(each.low))]) if each.low else "", each.kind,
        )
        for each in series
    ]  # fmt: skip
    rows = [[label, *(_cell(each, place, form) for each in series)] for place, label in enumerate(labels)]
    return LineChart(
        lines, [form.format(tick).replace("-", "−") for tick in reversed(ticks)], _spread(labels),
        [y(tick) for tick in ticks], y(0.0) if bottom < 0 < top else None,
        [first_column, *(each.name for each in series)], rows,
    )  # fmt: skip


def nice_ticks(low: float, high: float, about: int = 4) -> list[float]:
    """Round numbers a step apart that enclose both ends."""
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low:
        high = low + (abs(low) or 1.0)
    rough = (high - low) / about
    magnitude = 10.0 ** math.floor(math.log10(rough))
    step = next(magnitude * nice for nice in (1, 2, 2.5, 5, 10) if magnitude * nice >= rough * 0.999)
    first = math.floor(low / step + 1e-9)
    last = math.ceil(high / step - 1e-9)
    return [round(number * step, 10) for number in range(first, last + 1)]


@dataclass(frozen=True)
class Interval:
    """One row of an interval plot: low, middle, high and zero as shares of the width in percent."""

    low: float
    middle: float
    high: float
    zero: float


def intervals(rows: Sequence[tuple[float, float, float]]) -> list[Interval]:
    """(low, middle, high) of every row on one scale, which holds zero. Infinite ends lie at the edge."""
    finite = [value for row in rows for value in row if math.isfinite(value)]
    bottom, top = min([0.0, *finite]), max([0.0, *finite])
    span = (top - bottom) or 1.0
    bottom, top = bottom - 0.05 * span, top + 0.05 * span

    def place(value: float) -> float:
        return round(100 * (max(bottom, min(top, value)) - bottom) / (top - bottom), 2)

    return [Interval(place(low), place(middle), place(high), place(0.0)) for low, middle, high in rows]


@dataclass(frozen=True)
class Slice:
    """One part of a stacked bar, in percent of the longest."""

    name: str
    start: float
    width: float
    value: float
    kind: int
    """Which of the eight colours."""


def stacked(rows: Sequence[dict[str, float]], names: Sequence[str]) -> list[list[Slice]]:
    """Bars made of parts on one scale; negative parts take nothing from the others and are drawn as nothing."""
    longest = max((sum(max(0.0, part) for part in row.values()) for row in rows), default=0.0) or 1.0
    bars = []
    for row in rows:
        start, bar = 0.0, []
        for kind, name in enumerate(names):
            width = 100 * max(0.0, row.get(name, 0.0)) / longest
            if width:
                bar.append(Slice(name, round(start, 2), round(width, 2), row[name], kind % 8))
                start += width
        bars.append(bar)
    return bars


def _spread(labels: Sequence[str], most: int = 5) -> list[str]:
    """A few labels at even distances, first and last among them."""
    if len(labels) <= most:
        return list(labels)
    step = (len(labels) - 1) / (most - 1)
    return [labels[round(place * step)] for place in range(most)]


def _cell(series: Series, place: int, form: str) -> str:
    value = series.values[place] if place < len(series.values) else None
    if value is None:
        return "–"
    told = form.format(value)
    if place < len(series.low) and (low := series.low[place]) is not None and (high := series.high[place]) is not None:
        told += f" ({form.format(low)} … {form.format(high)})"
    return told.replace("-", "−")
