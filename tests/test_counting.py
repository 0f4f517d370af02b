from collections import Counter

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.privacy.consent_stats import NOTHING, PEOPLE, UNDECIDED, cells
from app.privacy.counting import REPORTS, SEARCHED, DayCount, rounded, steady
from store.aggregates import Figure
from store.records import Line, LoggedEvent, Purpose
from tests.small_shop import item, small_catalogue

CATALOGUE = small_catalogue()
TRAINING = int(Purpose.SESSION | Purpose.TRAINING)
THRESHOLDS = {"": 10, SEARCHED: 20}


def viewed(person: int, item: int = 0, **more: object) -> LoggedEvent:
    told: dict[str, object] = {"purposes": TRAINING, "lines": (Line(item),), **more}
    return LoggedEvent(person, person, 0, "view_item", **told)  # type: ignore[arg-type]


def searched(person: int, *keys: str) -> LoggedEvent:
    return LoggedEvent(person, person, 0, "search", TRAINING, affinities=dict.fromkeys(keys, 1.0))


def figures(*events: LoggedEvent, most: int = 50, without: set[int] | None = None) -> dict[tuple[str, str], int]:
    count = DayCount(CATALOGUE)
    for event in events:
        count.add(event)
    allowed = np.setdiff1d(count.people(), list(without or ()))
    return {(each.report, each.cell): each.people for each in count.figures(7, allowed, THRESHOLDS, most, seed=1)}


def test_a_figure_about_fewer_than_the_threshold_is_not_there() -> None:
    assert figures(*(viewed(person) for person in range(1, 10))) == {}
    told = figures(*(viewed(person) for person in range(1, 11)))
    item, category = CATALOGUE.ids[0], CATALOGUE.category_names[CATALOGUE.category[0]]
    assert told == {("events", "view_item"): 10, ("items viewed", item): 10, ("categories viewed", category): 10}


def test_a_view_of_an_item_without_a_category_is_counted_in_none() -> None:
    catalogue = small_catalogue(4)
    catalogue.put(0, msgspec.structs.replace(item(0), category=()))
    count = DayCount(catalogue)
    for person in range(1, 11):
        count.add(viewed(person))
    told = count.figures(7, np.arange(1, 11), THRESHOLDS, 50, seed=1)
    assert {each.report for each in told} == {"events", "items viewed"}


def test_people_are_counted_and_not_what_they_do() -> None:
    assert figures(*(viewed(1) for _ in range(100))) == {}


def test_what_was_searched_needs_twenty_people() -> None:
    told = figures(*(searched(person, "category:shoes") for person in range(1, 20)))
    assert told == {("events", "search"): 10}
    told = figures(*(searched(person, "category:shoes") for person in range(1, 44)))
    assert told == {("events", "search"): 40, (SEARCHED, "category:shoes"): 40}


def test_who_does_not_allow_learning_across_people_is_not_counted() -> None:
    events = [viewed(person) for person in range(1, 12)]
    assert figures(*events[:9], viewed(10, purposes=int(Purpose.SESSION)), viewed(11, trust=0)) == {}
    assert figures(*events, without={1, 2}) == {}
    assert figures(*events, without={1}) != {}


def test_one_person_is_in_a_bounded_number_of_cells() -> None:
    everyone = [viewed(person, item) for person in range(1, 11) for item in range(8)]
    told = figures(*everyone, most=8)
    assert sum(report == "items viewed" for report, _ in told) == 8
    # Each is in three random cells of eight: together too few for almost any of them.
    told = figures(*everyone, most=3)
    assert sum(people for (report, _), people in told.items() if report == "items viewed") <= 30


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 3)), max_size=300), st.integers(1, 40))
def test_figures_are_multiples_and_one_person_moves_each_by_one_step_at_most(
    views: list[tuple[int, int]], gone: int
) -> None:
    events = [viewed(person, item) for person, item in views]
    told, without = figures(*events), figures(*events, without={gone})
    assert all(people % 10 == 0 and people > 0 for people in told.values())
    assert {report for report, _ in told} <= set(REPORTS)
    for cell in told.keys() | without.keys():
        assert told.get(cell, 0) - without.get(cell, 0) in (0, 10)


@given(st.lists(st.integers(-3, 3), max_size=60))
def test_what_is_told_again_and_again_never_moves_by_fewer_people_than_the_threshold(steps: list[int]) -> None:
    people, told, moved_at = 30, 30, 30
    for step in steps:
        people = max(people + step, 0)
        now = steady(people, told, 10)
        if now != told:
            assert abs(people - moved_at) >= 1
            assert abs(now - told) >= 10
            assert now % 10 == 0
            moved_at, told = people, now
        else:
            assert abs(people - told) < 10 or rounded(people, 10) == told


def test_one_erasure_between_two_reports_does_not_show() -> None:
    for people in range(10, 200):
        told = rounded(people, 10)
        assert steady(people - 1, told, 10) == told or people - 1 == told - 10


def test_decisions_are_counted_per_purpose_and_per_text() -> None:
    profile = int(Purpose.SESSION | Purpose.PROFILE)
    counted = Counter({(profile, "2", True): 5, (1, "1", True): 3, (0, "2", True): 2, (1, "1", False): 7})
    found = cells(counted)
    assert (found[PEOPLE], found[UNDECIDED], found[NOTHING]) == (17, 7, 2)
    assert (found["session"], found["profile"], found["training"]) == (8, 5, 0)
    assert (found["text version 1"], found["text version 2"]) == (3, 7)


@pytest.mark.parametrize("people", [0, 9, 10, 19, 20, 105])
def test_figures_are_rounded_down(people: int) -> None:
    assert rounded(people, 10) == people // 10 * 10


def test_a_figure_knows_its_day() -> None:
    count = DayCount(CATALOGUE)
    for person in range(10):
        count.add(viewed(person + 1))
    assert Figure(7, "events", "view_item", 10) in count.figures(7, np.arange(20), THRESHOLDS, 50, seed=3)
