from hypothesis import given
from hypothesis import strategies as st

from store.trace import MOST_A_DAY, Run, extend, kept_days, read_trace, write_trace

ROWS = st.lists(st.tuples(st.integers(20_000, 20_003), st.integers(1, 100_000)), unique_by=lambda row: row[1])


@given(st.lists(ROWS, max_size=8))
def test_every_row_of_a_person_lies_in_a_run_and_runs_stay_few(groups: list[list[tuple[int, int]]]) -> None:
    runs: list[Run] = []
    for group in groups:
        runs = read_trace(write_trace(extend(runs, sorted(group, key=lambda row: row[1]))))
    for day, seq in (row for group in groups for row in group):
        assert any(run.day == day and run.first <= seq <= run.last for run in runs)
    assert all(sum(run.day == day for run in runs) <= MOST_A_DAY for day in {run.day for run in runs})
    assert runs == sorted(runs)


def test_a_visit_is_one_run_and_visits_far_apart_are_not_one() -> None:
    runs = extend([], [(1, 10), (1, 11), (1, 12), (1, 500)])
    assert runs == [Run(1, 10, 500)]
    assert extend(runs, [(1, 90_000), (2, 90_001)]) == [Run(1, 10, 500), Run(1, 90_000, 90_000), Run(2, 90_001, 90_001)]


def test_runs_of_days_that_are_gone_leave_the_trace() -> None:
    runs = [Run(1, 5, 5), Run(2, 6, 6), Run(9, 7, 7)]
    assert kept_days(runs, 5, lambda: {2, 9}) == runs[1:]
    assert kept_days(runs[2:], 5, set) == runs[2:], "nothing can be gone yet, so nobody is asked"
