"""One row of the quality table, and the table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Measure:
    """A metric against its floor. With `static` given, floor and goal are ratios to it, else plain values."""

    protocol: str
    metric: str
    value: float
    floor: float
    goal: float | None = None
    static: float | None = None
    anchor: str = ""
    """What others reached, or the measured reference of LEARNING.md."""
    seconds: float = 0.0
    """Of the protocol the metric belongs to, import and training included."""
    memory_mb: float = 0.0
    """The most resident memory one process of that protocol had; 0: it had none of its own."""

    @property
    def ratio(self) -> float | None:
        return None if self.static is None else self.value / max(self.static, 1e-9)

    @property
    def passed(self) -> bool:
        return (self.value if self.ratio is None else self.ratio) >= self.floor

    @property
    def verdict(self) -> str:
        reached = self.value if self.ratio is None else self.ratio
        if not self.passed:
            return "BELOW FLOOR"
        return "goal" if self.goal is not None and reached >= self.goal else "ok"


def table(measures: Sequence[Measure]) -> str:
    """The measures as text, aligned."""
    header = ("protocol", "metric", "static", "result", "ratio", "floor", "goal", "anchor", "s", "MB", "")
    rows = [header, *(_row(measure) for measure in measures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    padded = ((cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join("  ".join(cells).rstrip() for cells in padded)


def _row(measure: Measure) -> tuple[str, ...]:
    times = "×" if measure.static is not None else ""
    return (
        measure.protocol,
        measure.metric,
        "" if measure.static is None else f"{measure.static:.4f}",
        f"{measure.value:.4f}",
        "" if measure.ratio is None else f"{measure.ratio:.3f}×",
        f"{measure.floor:g}{times}",
        "" if measure.goal is None else f"{measure.goal:g}{times}",
        measure.anchor,
        f"{measure.seconds:.0f}",
        f"{measure.memory_mb:.0f}" if measure.memory_mb else "",
        measure.verdict,
    )
