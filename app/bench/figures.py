"""What was measured beside what it has to be: the table `personalize bench` prints and writes as bench.json."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

Better = Literal["lower", "higher"]


class Figure(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One measured number. The floor must be met, the goal is what we want; PERFORMANCE.md has both."""

    name: str
    value: float
    unit: str
    floor: float | None = None
    goal: float | None = None
    better: Better = "lower"
    by_calibration: float | None = None
    """Times as long as the calibration loop of the same run, where the figure is a time."""
    note: str = ""

    @property
    def verdict(self) -> str:
        if self.floor is None and self.goal is None:
            return ""
        if self.goal is not None and self._reaches(self.goal):
            return "goal"
        if self.floor is None or self._reaches(self.floor):
            return "floor"
        return "MISSED"

    def _reaches(self, limit: float) -> bool:
        return self.value <= limit if self.better == "lower" else self.value >= limit


class Report(msgspec.Struct, frozen=True):
    """Everything one run found."""

    world: dict[str, float]
    machine: str
    calibration_ms: float
    figures: list[Figure]


_IN_MS = {"ms": 1.0, "µs": 0.001, "s": 1000.0}


def calibrated(figure: Figure, calibration_ms: float) -> Figure:
    """A time with its ratio to the calibration loop."""
    unit = figure.unit.split()[0]
    if unit not in _IN_MS or not calibration_ms:
        return figure
    return msgspec.structs.replace(figure, by_calibration=figure.value * _IN_MS[unit] / calibration_ms)


def table(figures: Sequence[Figure]) -> Iterator[str]:
    """Lines for people."""
    wide = max((len(figure.name) for figure in figures), default=10)
    yield f"{'':<{wide}}  {'measured':>10} {'':<10} {'floor':>8} {'goal':>8}  {'':<6}  {'÷ loop':>8}"
    for figure in figures:
        limits = " ".join(f"{'' if limit is None else f'{limit:,g}':>8}" for limit in (figure.floor, figure.goal))
        ratio = "" if figure.by_calibration is None else f"{figure.by_calibration:.3f}"
        yield (
            f"{figure.name:<{wide}}  {_number(figure.value):>10} {figure.unit:<10} {limits}  {figure.verdict:<6}"
            f"  {ratio:>8}  {figure.note}"
        ).rstrip()


def _number(value: float) -> str:
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
