"""Counts over many people that outlive what was counted: published once per report and day, never changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from store.database import Connection, Transaction


class Figure(NamedTuple):
    """So many people were in one cell of a report on a day (since 1970)."""

    day: int
    report: str
    cell: str
    people: int


class Aggregates:
    """The published figures, in person.db so that a day is counted and removed by the same hand."""

    def __init__(self, reader: Connection) -> None:
        self._reader = reader

    def published(self, report: str, day: int) -> bool:
        """Whether that day's figures are final."""
        sql = "SELECT 1 FROM published WHERE day = ? AND report = ?"
        return self._reader.execute(sql, (day, report)).fetchone() is not None

    async def publish(
        self, transaction: Transaction, day: int, reports: Iterable[str], figures: Sequence[Figure]
    ) -> None:
        """Make a day of these reports final. A report of that day that is published already stays as it is."""
        new = {report for report in reports if not self.published(report, day)}
        rows = [figure for figure in figures if figure.report in new and figure.day == day]
        transaction.insert("INSERT INTO published(day, report)", [(day, report) for report in sorted(new)])
        transaction.insert("INSERT INTO aggregates(day, report, cell, people)", rows)

    def read(self, report: str, first: int, last: int, limit: int = 10_000) -> list[Figure]:
        """A report's figures of the days first..last, newest day first, most people first."""
        rows = self._reader.execute(
            "SELECT day, report, cell, people FROM aggregates WHERE report = ? AND day BETWEEN ? AND ?"
            " ORDER BY day DESC, people DESC, cell LIMIT ?",
            (report, first, last, limit),
        ).fetchall()
        return [Figure(*row) for row in rows]

    def latest(self, report: str) -> tuple[int, dict[str, int]]:
        """The last published day of a report and its figures; (0, {}) before the first."""
        (day,) = self._reader.execute("SELECT max(day) FROM published WHERE report = ?", (report,)).fetchone()
        return (0, {}) if day is None else (int(day), {row.cell: row.people for row in self.read(report, day, day)})

    def reports(self) -> dict[str, tuple[int, int]]:
        """Report -> first and last published day."""
        sql = "SELECT report, min(day), max(day) FROM published GROUP BY report"
        return {report: (first, last) for report, first, last in self._reader.execute(sql).fetchall()}

    async def expire(self, transaction: Transaction, before: int) -> int:
        """Remove the figures of days before `before`; how many there were. The days stay final."""
        return await transaction.run(
            lambda connection: connection.execute("DELETE FROM aggregates WHERE day < ?", (before,)).rowcount
        )
