"""Where in the log a person's events lie, so that erasing or exporting one person never searches ten million rows.

A trace is a short list of runs (day, first, last): every row of the person in that day's table has a sequence number
within one of its runs. A run may span rows of others, so whoever follows it asks for the person as well; that is what
lets a trace stay short without ever missing a row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import msgspec

_NEAR = 1_000
"""Rows between two runs that cost less to look through than to remember."""
MOST_A_DAY = 16
"""Runs per day; beyond it the two that lie nearest become one."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[int]).decode


class Run(NamedTuple):
    """A stretch of one day's table. `day` counts from 1970 (UTC, event time); `first` and `last` belong to it."""

    day: int
    first: int
    last: int


def read_trace(body: bytes | None) -> list[Run]:
    """The runs as they were written, by day, then by sequence number."""
    if not body:
        return []
    numbers = _decode(body)
    return [
        Run(day, first, first + more)
        for day, first, more in zip(numbers[::3], numbers[1::3], numbers[2::3], strict=True)
    ]


def write_trace(runs: Iterable[Run]) -> bytes | None:
    """As read_trace reads it; None for nothing."""
    numbers = [number for run in runs for number in (run.day, run.first, run.last - run.first)]
    return _encode(numbers) if numbers else None


def extend(runs: list[Run], rows: Iterable[tuple[int, int]]) -> list[Run]:
    """The trace after further rows (day, sequence number) of the person."""
    by_day: dict[int, list[Run]] = {}
    for run in runs:
        by_day.setdefault(run.day, []).append(run)
    for day, seq in rows:
        kept = by_day.setdefault(day, [])
        if kept and kept[-1].first <= seq <= kept[-1].last + _NEAR:
            kept[-1] = Run(day, kept[-1].first, max(kept[-1].last, seq))
        else:
            kept.append(Run(day, seq, seq))
            kept.sort()
    return [run for day in sorted(by_day) for run in _bounded(by_day[day])]


def kept_days(runs: list[Run], before: int, exists: Callable[[], set[int]]) -> list[Run]:
    """Without the runs of days that are gone. `exists` is asked only where a run lies before the day `before`."""
    if not runs or runs[0].day >= before:
        return runs
    days = exists()
    return [run for run in runs if run.day in days]


def _bounded(runs: list[Run]) -> list[Run]:
    while len(runs) > MOST_A_DAY:
        nearest = min(range(1, len(runs)), key=lambda place: runs[place].first - runs[place - 1].last)
        runs[nearest - 1 : nearest + 1] = [
            Run(runs[nearest].day, runs[nearest - 1].first, max(runs[nearest - 1].last, runs[nearest].last))
        ]
    return runs
