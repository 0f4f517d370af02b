"""Sums over the people who saw the places of a pin rule, in an arm that pins and in one that does not; and what of them
was told last. Like the sums of experiments (store/experiment_sums.py) nothing here leads to anyone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from store.database import Connection, Transaction


class PlaceSums(NamedTuple):
    """Over the people who were shown a list with the rule's places at least once."""

    people: int = 0
    shown: int = 0
    """Lists in which its places were seen."""
    clicked: int = 0
    bought: int = 0
    shown_squared: int = 0
    clicked_squared: int = 0
    bought_squared: int = 0
    clicked_of_shown: int = 0
    bought_of_shown: int = 0


class PlaceReport(NamedTuple):
    """The sums as they may be told."""

    day: int
    """Since 1970."""
    pinned: PlaceSums
    automatic: PlaceSums


Grown = dict[tuple[int, int, int], PlaceSums]
"""(experiment's number, arm's place, rule's number) -> what came to the sums."""
_COLUMNS = ", ".join(PlaceSums._fields)
_HEAD = f"INSERT INTO place_sums(experiment, arm, rule, {_COLUMNS})"
_TAIL = "ON CONFLICT(experiment, arm, rule) DO UPDATE SET " + ", ".join(
    f"{name} = {name} + excluded.{name}" for name in PlaceSums._fields
)
_TOLD = "ON CONFLICT(experiment, rule) DO UPDATE SET body = excluded.body"
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(PlaceReport).decode


class PlaceSumsStore:
    """person.db's tables of pinned places. Reads use the loop's read-only connection."""

    def __init__(self, reader: Connection) -> None:
        self._reader = reader

    def add(self, transaction: Transaction, grown: Mapping[tuple[int, int, int], PlaceSums]) -> None:
        """Queue what was added."""
        transaction.insert(_HEAD, [(*key, *sums) for key, sums in sorted(grown.items())], _TAIL)

    def read(self, experiment: int) -> dict[int, dict[int, PlaceSums]]:
        """Rule's number -> arm's place -> sums, of one experiment."""
        found: dict[int, dict[int, PlaceSums]] = {}
        sql = f"SELECT rule, arm, {_COLUMNS} FROM place_sums WHERE experiment = ?"
        for rule, arm, *sums in self._reader.execute(sql, (experiment,)):
            found.setdefault(rule, {})[arm] = PlaceSums(*sums)
        return found

    def reports(self, experiment: int) -> dict[int, PlaceReport]:
        """What was told last of each rule."""
        rows = self._reader.execute("SELECT rule, body FROM place_reports WHERE experiment = ?", (experiment,))
        return {rule: _decode(body) for rule, body in rows.fetchall()}

    def tell(self, transaction: Transaction, experiment: int, reports: Mapping[int, PlaceReport]) -> None:
        """Queue what may be told from now on, in place of what was."""
        rows = [(experiment, rule, _encode(report)) for rule, report in reports.items()]
        transaction.insert("INSERT INTO place_reports(experiment, rule, body)", rows, _TOLD)

    def forget(self, transaction: Transaction, experiment: int) -> None:
        """Queue that nothing is left of an experiment."""
        for table in ("place_sums", "place_reports"):
            transaction.later(f"DELETE FROM {table} WHERE experiment = ?", (experiment,))
