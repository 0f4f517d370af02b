"""Sums over the people of each arm, counted in the transaction that counts the person; and what of them was told when.

Nothing here leads to anyone: sums and sums of squares, from which means and their uncertainty follow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from store.database import Connection, Transaction

ARMS = 64
"""Places of arms per experiment in the table's key; a design has at most 8."""
_DAYS = 65_536


class ArmSums(NamedTuple):
    """Over the people who were shown at least one list of the arm."""

    people: int = 0
    lists: int = 0
    clicks: int = 0
    carts: int = 0
    orders: int = 0
    lists_squared: int = 0
    clicks_squared: int = 0
    carts_squared: int = 0
    orders_squared: int = 0
    clicks_of_lists: int = 0
    """Clicks times lists."""


_COLUMNS = ", ".join(ArmSums._fields)
_HEAD = f"INSERT INTO experiment_sums(id, {_COLUMNS})"
_TAIL = "ON CONFLICT(id) DO UPDATE SET " + ", ".join(f"{name} = {name} + excluded.{name}" for name in ArmSums._fields)
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[ArmSums]).decode


class Report(NamedTuple):
    """The sums of every arm, in the design's order, as they were told on a day (since 1970)."""

    day: int
    arms: Sequence[ArmSums]


class ExperimentSums:
    """person.db's tables of experiments. Reads use the loop's read-only connection."""

    def __init__(self, reader: Connection) -> None:
        self._reader = reader

    def add(self, transaction: Transaction, grown: Mapping[tuple[int, int], ArmSums]) -> None:
        """Queue what was added to the arms, by (experiment's number, arm's place)."""
        rows = [(number * ARMS + place, *sums) for (number, place), sums in sorted(grown.items())]
        transaction.insert(_HEAD, rows, _TAIL)

    def read(self, number: int, arms: int) -> list[ArmSums]:
        """The sums of an experiment's first arms."""
        first = number * ARMS
        sql = f"SELECT id, {_COLUMNS} FROM experiment_sums WHERE id BETWEEN ? AND ?"
        found = {row[0] - first: ArmSums(*row[1:]) for row in self._reader.execute(sql, (first, first + arms - 1))}
        return [found.get(place, ArmSums()) for place in range(arms)]

    def reports(self, number: int) -> list[Report]:
        """What was told of an experiment, oldest first; one a day at most."""
        first = number * _DAYS
        sql = "SELECT id, body FROM experiment_reports WHERE id BETWEEN ? AND ? ORDER BY id"
        rows = self._reader.execute(sql, (first, first + _DAYS - 1)).fetchall()
        return [Report(key - first, _decode(body)) for key, body in rows]

    def tell(self, transaction: Transaction, number: int, report: Report) -> None:
        """Queue a report, in the place of that day's earlier one."""
        rows = [(number * _DAYS + report.day, _encode([tuple(arm) for arm in report.arms]))]
        transaction.insert(
            "INSERT INTO experiment_reports(id, body)", rows, "ON CONFLICT(id) DO UPDATE SET body = excluded.body"
        )

    def expire(self, transaction: Transaction, before: int) -> None:
        """Queue the removal of what was told before a day (since 1970)."""
        transaction.later(f"DELETE FROM experiment_reports WHERE id % {_DAYS} < ?", (before,))

    def forget(self, transaction: Transaction, number: int) -> None:
        """Queue that nothing is left of an experiment."""
        transaction.later(
            "DELETE FROM experiment_sums WHERE id BETWEEN ? AND ?", (number * ARMS, number * ARMS + ARMS - 1)
        )
        transaction.later(
            "DELETE FROM experiment_reports WHERE id BETWEEN ? AND ?", (number * _DAYS, number * _DAYS + _DAYS - 1)
        )
