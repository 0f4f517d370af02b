"""Counts a day's events over many people so that no figure, and no two figures together, tell of one of them.

A figure is a number of distinct people, rounded down to a multiple of its threshold, and absent below it; a person is
in a bounded number of cells; there are no combinations of reports, and a day is counted once (PRIVACY.md section 3).
This is the threshold rule, weaker than differential privacy: it holds against readers of the figures, not against
somebody who knows all people but one and how many they are to the unit.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from store.aggregates import Figure
from store.catalogue import Catalogue
from store.records import LoggedEvent, Purpose

SEARCHED = "what was searched"
_OF_ITEMS = {"view_item": "items viewed", "add_to_cart": "items put into the cart"}
CLICKED, SHOWN = "placements clicked", "placements shown"
_OF_LISTS = {"select_item": CLICKED, "view_item_list": SHOWN, "recommendation_served": SHOWN}
REPORTS = ("events", "regions", CLICKED, SHOWN, *_OF_ITEMS.values(), "categories viewed", SEARCHED)
"""One dimension each."""
_TRAINING = int(Purpose.TRAINING)


class DayCount:
    """Who was in which cell on one day, in memory until the day is published."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._cells: dict[tuple[str, str], int] = {}
        self._people = array("q")
        self._codes = array("i")

    def add(self, event: LoggedEvent) -> None:
        """Count an event, if it was kept under the purpose that lets people be counted together."""
        if not event.purposes & _TRAINING or not event.trust:
            return
        for cell in self._cells_of(event):
            self._people.append(event.person)
            self._codes.append(self._cells.setdefault(cell, len(self._cells)))

    def people(self) -> NDArray[np.int64]:
        """Everyone counted so far, distinct, ascending."""
        return np.unique(np.frombuffer(self._people, np.int64))

    def figures(
        self, day: int, allowed: NDArray[np.int64], thresholds: Mapping[str, int], most_cells: int, seed: int
    ) -> list[Figure]:
        """The day's figures over the people in `allowed`; `thresholds` by report, "" for the others.

        Of each report a person is in at most `most_cells` cells, chosen at random (`seed`). Whole numbers are sorted
        throughout, which numpy does without the interpreter's lock: run it in a thread.
        """
        cells = list(self._cells)
        if not cells:
            return []
        everyone, person = np.unique(np.frombuffer(self._people, np.int64), return_inverse=True)
        kept = np.isin(everyone, allowed)[person]
        codes = np.frombuffer(self._codes, np.int32)
        pairs = np.unique(person[kept].astype(np.int64) * len(cells) + codes[kept])
        person, code = pairs // len(cells), pairs % len(cells)
        reports = {name: number for number, name in enumerate(REPORTS)}
        report = np.array([reports[name] for name, _ in cells], np.int64)[code]
        bounded = _at_most(person, report, most_cells, seed)
        counts = np.bincount(code[bounded], minlength=len(cells))
        figures = []
        for (name, cell), count in zip(cells, counts.tolist(), strict=True):
            published = rounded(count, thresholds.get(name, thresholds[""]))
            if published:
                figures.append(Figure(day, name, cell, published))
        return sorted(figures)

    def _cells_of(self, event: LoggedEvent) -> Iterable[tuple[str, str]]:
        yield "events", event.name
        if event.region:
            yield "regions", event.region
        if event.placement and event.name in _OF_LISTS:
            yield _OF_LISTS[event.name], event.placement
        if event.name == "search":
            for key in event.affinities:
                yield SEARCHED, key
        report = _OF_ITEMS.get(event.name)
        if report:
            catalogue = self._catalogue
            for line in event.lines:
                if line.item < catalogue.size and not catalogue.sensitive[line.item]:
                    yield report, catalogue.ids[line.item]
                    category = catalogue.category[line.item]  # -1: the item has none
                    if event.name == "view_item" and category >= 0:
                        yield "categories viewed", catalogue.category_names[category]


def rounded(people: int, threshold: int) -> int:
    """What may be said of a number of people: a multiple of the threshold; 0 = nothing."""
    return people // threshold * threshold


def steady(people: int, before: int, threshold: int) -> int:
    """What may be said of a number that is told again and again: what was told before, until at least `threshold`
    people make the difference. So no two reports differ by one person's coming or going alone."""
    if before and abs(people - before) < threshold:
        return before
    return rounded(people, threshold)


def _at_most(person: NDArray[np.int64], report: NDArray[np.int64], most: int, seed: int) -> NDArray[np.bool_]:
    """Which rows are among `most` random ones of their person and report."""
    chance = np.random.default_rng(seed).random(len(person))
    order = np.lexsort((chance, report, person))
    starts = np.ones(len(order), np.bool_)
    starts[1:] = (person[order][1:] != person[order][:-1]) | (report[order][1:] != report[order][:-1])
    first = np.maximum.accumulate(np.where(starts, np.arange(len(order)), 0))
    kept = np.zeros(len(order), np.bool_)
    kept[order] = np.arange(len(order)) - first < most
    return kept
