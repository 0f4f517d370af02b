"""What one person can change in what is counted across people, whoever the others are."""

from math import sqrt

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.learning.bounding import Pairs, basket_pairs, bounded, last_region, near_pairs, wants
from app.learning.dataset import Dataset
from app.learning.judge import LONGEST_ROW, _rows

ITEMS = 9
Row = tuple[int, int, int, bool, int]
ROWS = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, ITEMS - 1), st.integers(0, 50), st.booleans(), st.integers(0, 3)),
    max_size=60,
)


def data_of(rows: list[Row]) -> Dataset:
    """Rows of (person, item, time, bought, visit or order); visits and orders have the same numbers for everyone."""
    rows = sorted(rows, key=lambda row: row[2])
    person, item, at, bought, group = (np.array([row[n] for row in rows]) for n in range(5))
    bought = bought.astype(np.bool_)
    return Dataset(
        items=ITEMS, people=6, person=person.astype(np.int32), item=item.astype(np.int32), at=at.astype(np.int64),
        weight=np.where(bought, 3.0, 0.2).astype(np.float32), bought=bought,
        visit=np.where(bought, -1, group).astype(np.int32), basket=np.where(bought, group, -1).astype(np.int32),
        region=group.astype(np.int32), regions=["", "DE", "FR", "IT"], surrogates=np.arange(6), each_person=True,
    )  # fmt: skip


def longest_of_a_person(person: np.ndarray, cell: np.ndarray, value: np.ndarray) -> float:
    """The length of the largest part of a table that is one person's."""
    table: dict[tuple[int, int], float] = {}
    for who, where, much in zip(person.tolist(), cell.tolist(), value.tolist(), strict=True):
        table[who, where] = table.get((who, where), 0.0) + much
    return max((sqrt(sum(v**2 for (who, _), v in table.items() if who == each)) for each in range(6)), default=0.0)


@given(ROWS, st.integers(1, 5))
def test_nobody_moves_the_counts_further_than_the_root_of_their_bound(rows: list[Row], most: int) -> None:
    person, item, value, _ = wants(data_of(rows), most)
    assert longest_of_a_person(person, item, value) <= sqrt(most) + 1e-6


@given(ROWS, st.integers(1, 4))
def test_nobody_moves_the_pairs_further_than_the_root_of_their_bound(rows: list[Row], most: int) -> None:
    code = np.array([0, 0, 1, 1, 1, 2, 2, 2, -1], np.int32)  # categories: many pairs of items fall into one cell
    for find in (near_pairs, basket_pairs):
        found = find(data_of(rows))
        grouped = Pairs(found.person, code[found.first], code[found.second])
        known = (grouped.first >= 0) & (grouped.second >= 0)
        for pairs in (found, Pairs(*(column[known] for column in grouped))):
            kept = bounded(pairs, most)
            assert (kept.first <= kept.second).all()
            cell = kept.first.astype(np.int64) * ITEMS + kept.second
            assert longest_of_a_person(kept.person, cell, np.ones(len(cell))) <= sqrt(most) + 1e-9


@given(ROWS, st.integers(0, 5))
def test_whoever_comes_or_goes_changes_nobody_elses_pairs(rows: list[Row], gone: int) -> None:
    def of_others(found: Pairs) -> list[tuple[int, int, int]]:
        low, high = np.minimum(found.first, found.second), np.maximum(found.first, found.second)
        triples = zip(found.person.tolist(), low.tolist(), high.tolist(), strict=True)
        return sorted(each for each in triples if each[0] != gone)

    without = [row for row in rows if row[0] != gone]
    assert of_others(near_pairs(data_of(rows))) == of_others(near_pairs(data_of(without)))


@given(ROWS, st.integers(0, 5))
def test_whoever_comes_or_goes_changes_not_what_others_wanted(rows: list[Row], gone: int) -> None:
    data, without = data_of(rows), data_of([row for row in rows if row[0] != gone])
    others = data.person != gone
    assert data.demand[others].tolist() == without.demand.tolist()


@given(ROWS)
def test_a_person_is_in_one_region(rows: list[Row]) -> None:
    assert last_region(data_of(rows)).shape == (6,)


@given(st.lists(st.tuples(*[st.floats(0, 1)] * 5), min_size=1, max_size=20))
def test_nobodys_row_of_figures_is_longer_than_is_paid_for(people: list[tuple[float, ...]]) -> None:
    mine, shown, popular, theirs, wanted = np.array(people).T
    rows = _rows(np.stack([mine, shown], axis=1), popular, mine - theirs, wanted)
    assert np.linalg.norm(rows, axis=1).max() <= LONGEST_ROW + 1e-12


def test_nothing_nobody_and_one_thing() -> None:
    nothing = data_of([])
    assert len(wants(nothing, 3).item) == 0
    assert len(bounded(near_pairs(nothing), 3).first) == 0
    one = data_of([(0, 1, 5, True, 0)])
    assert wants(one, 3).value.tolist() == [1.0]
    assert len(basket_pairs(one).first) == 0


def test_of_a_persons_things_the_most_wanted_count_and_of_equals_the_lot_decides() -> None:
    rows: list[Row] = [(0, item, item, item < 2, 0) for item in range(ITEMS)]
    kept = [frozenset(wants(data_of(rows), 3).item.tolist()) for _ in range(60)]
    assert all({0, 1} < each for each in kept)
    assert len(set(kept)) > 2
