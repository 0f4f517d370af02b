"""A running visit is continued the way the earlier visits most like it went on."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.learning.sessions import SessionIndex, SessionSettings, build_session_index

TENT, STOVE, LAMP, PIANO, SCORE, CANDLE = range(6)
DAY = 86_400.0


def index(
    visits: list[list[int]], settings: SessionSettings | None = None, items: int = 6, **bounds: int
) -> SessionIndex:
    """An index over visits that end a day apart, oldest first."""
    return SessionIndex(arrays(visits, items=items, **bounds), settings or SessionSettings())


def arrays(visits: list[list[int]], items: int = 6, **bounds: int) -> dict[str, np.ndarray]:
    clicks = [
        (number, item, number * DAY + step) for number, visit in enumerate(visits) for step, item in enumerate(visit)
    ]
    session, item, time = zip(*clicks, strict=True) if clicks else ((), (), ())
    return build_session_index(
        np.array(session, dtype=np.int64),
        np.array(item, dtype=np.int32),
        np.array(time, dtype=np.float64),
        items=items,
        **bounds,
    )


def found(subject: SessionIndex, visit: list[int], limit: int = 20) -> list[int]:
    items, _ = subject.scores(visit, limit)
    return [int(item) for item in items]


def test_a_visit_goes_on_like_the_visits_that_share_its_products() -> None:
    camping = index([[TENT, STOVE, LAMP], [PIANO, SCORE, CANDLE], [TENT, STOVE]])
    assert found(camping, [TENT]) == [STOVE, LAMP]
    assert found(camping, [PIANO]) == [SCORE, CANDLE]


def test_what_lies_close_to_the_shared_product_counts_more() -> None:
    assert found(index([[TENT, STOVE, LAMP, PIANO]]), [TENT]) == [STOVE, LAMP, PIANO]
    assert found(index([[PIANO, LAMP, STOVE, TENT]]), [TENT]) == [STOVE, LAMP, PIANO]


def test_recent_visits_count_more_than_old_ones() -> None:
    assert found(index([[TENT, LAMP], [PIANO], [TENT, STOVE]], SessionSettings(age_days=1)), [TENT]) == [STOVE, LAMP]


def test_the_last_click_weighs_more_than_the_one_before() -> None:
    both = index([[TENT, STOVE], [PIANO, SCORE], [LAMP]], SessionSettings(age_days=1e6))
    assert found(both, [TENT, PIANO])[0] == SCORE
    assert found(both, [PIANO, TENT])[0] == STOVE


def test_the_product_on_the_screen_is_never_suggested_but_an_earlier_one_may_be() -> None:
    subject = index([[TENT, STOVE], [STOVE, TENT, LAMP]])
    assert TENT not in found(subject, [STOVE, TENT])
    assert STOVE in found(subject, [STOVE, TENT])


def test_an_unknown_or_missing_visit_gives_nothing() -> None:
    subject = index([[TENT, STOVE]])
    for visit in ([], [CANDLE], [-1], [99]):
        items, scores = subject.scores(visit, 5)
        assert (len(items), len(scores)) == (0, 0)
    assert found(subject, [TENT, 99]) == [TENT, STOVE] or found(subject, [TENT, 99]) == [STOVE, TENT]


def test_an_index_without_visits_gives_nothing() -> None:
    assert found(index([]), [TENT]) == []


def test_a_query_leaves_nothing_behind_for_the_next() -> None:
    subject = index([[TENT, STOVE], [TENT, LAMP], [PIANO, SCORE]])
    before = subject.scores([TENT], 5)
    subject.scores([PIANO, TENT, STOVE], 5)
    after = subject.scores([TENT], 5)
    assert before[0].tolist() == after[0].tolist()
    assert before[1].tolist() == after[1].tolist()


def test_an_item_keeps_its_most_recent_visits_and_a_visit_its_last_items() -> None:
    visits = [[TENT, LAMP], [TENT, PIANO], [TENT, STOVE]]
    assert set(found(index(visits, sessions_per_item=2), [TENT])) == {PIANO, STOVE}
    assert set(found(index([[LAMP, PIANO, TENT, STOVE]], items_per_session=2), [TENT])) == {STOVE}


def test_only_as_many_visits_are_compared_as_the_settings_allow() -> None:
    visits = [[TENT, LAMP], [TENT, PIANO], [TENT, STOVE]]
    assert found(index(visits, SessionSettings(recent_sessions=1)), [TENT]) == [STOVE]
    # The visit that shares both products is more alike than the newer one that shares the last only.
    alike = [[SCORE, TENT, LAMP], [TENT, STOVE]]
    assert found(index(alike, SessionSettings(neighbours=1)), [SCORE, TENT])[0] in (LAMP, SCORE)
    assert STOVE not in found(index(alike, SessionSettings(neighbours=1)), [SCORE, TENT])


def test_the_arrays_work_from_files_that_are_memory_mapped(tmp_path: Path) -> None:
    made = arrays([[TENT, STOVE, LAMP], [TENT, STOVE]])
    for name, column in made.items():
        np.save(tmp_path / f"{name}.npy", column)
    mapped = {name: np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in made}
    subject, again = SessionIndex(made, SessionSettings()), SessionIndex(mapped, SessionSettings())
    assert again.scores([TENT], 5)[1].tolist() == subject.scores([TENT], 5)[1].tolist()


def by_hand(visits: list[list[int]], visit: list[int], settings: SessionSettings) -> dict[int, float]:
    """The same sum, written out for one visit at a time."""
    recent = list(dict.fromkeys(reversed(visit[-settings.last_items :])))
    kept = [list(reversed(dict.fromkeys(reversed(past)))) for past in visits]
    totals: dict[int, float] = {}
    for number, past in enumerate(kept):
        shared = [step for step, item in enumerate(recent) if item in past]
        if not shared:
            continue
        alike = sum((len(recent) - step) / len(recent) for step in shared)
        age = (len(visits) - 1 - number) + (len(visits[-1]) - len(visits[number])) / DAY
        weight = alike * max(0.0, 1 - 0.1 * (shared[0] + 1)) * np.exp(-age / settings.age_days)
        for place, item in enumerate(past):
            near = np.exp(-abs(place - past.index(recent[shared[0]])) / settings.distance)
            idf = np.log(len(visits) / sum(item in other for other in kept))
            totals[item] = totals.get(item, 0) + weight * near * (1 + settings.idf_weight * idf)
    totals.pop(recent[0], None)
    return totals


visit_lists = st.lists(st.integers(0, 5), min_size=1, max_size=6)


@settings(max_examples=80, deadline=None)
@given(visits=st.lists(visit_lists, min_size=1, max_size=8), visit=visit_lists)
def test_scores_are_the_sum_of_the_papers(visits: list[list[int]], visit: list[int]) -> None:
    items, scores = index(visits).scores(visit, 20)
    assert dict(zip(items.tolist(), scores.tolist(), strict=True)) == pytest.approx(
        by_hand(visits, visit, SessionSettings()), rel=1e-3
    )
    assert (np.diff(scores) <= 0).all()
