"""The compiled loops give what the numpy ones say, for any arrays; and a wrong number never reads beyond an array."""

import platform
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from store import loops
from store.loops import plain, processor
from store.records import Floats, Ints

SIZE = 40

pytestmark = pytest.mark.skipif(not loops.COMPILED, reason="the compiled loops were not built: run make setup")

numbers = st.lists(st.integers(0, SIZE - 1), max_size=60).map(lambda some: np.array(some, np.int32))
distinct = st.lists(st.integers(0, SIZE - 1), max_size=SIZE, unique=True).map(lambda some: np.array(some, np.int32))
seeds = st.integers(0, 2**32 - 1)


def slots(size: int = SIZE) -> Ints:
    """Never cleared in the server, so here it begins with rubbish."""
    return np.random.default_rng(1).integers(-5, 100, size).astype(np.int32)


def both(name: str, *arguments: object) -> tuple[object, object]:
    """The answers of the compiled loop and of the plain one."""
    found = []
    for module in (loops.fastest, plain):
        assert isinstance(module, ModuleType)
        found.append(getattr(module, name)(*(one.copy() if isinstance(one, np.ndarray) else one for one in arguments)))
    return found[0], found[1]


def built() -> list[ModuleType]:
    """The compiled modules that can run here."""
    found = [import_module("store.loops._loops")]
    return [*found, import_module("store.loops._wide")] if processor.wide() else found


def same(one: object, other: object) -> None:
    if isinstance(one, tuple):
        assert isinstance(other, tuple)
        for left, right in zip(one, other, strict=True):
            same(left, right)
        return
    assert isinstance(one, np.ndarray)
    assert isinstance(other, np.ndarray)
    assert one.shape == other.shape
    assert one.dtype == other.dtype
    np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


def halves(count: int, seed: int) -> Floats:
    """Scores of which sums are exact in any order, with many ties."""
    return (np.random.default_rng(seed).integers(-4, 9, count) / 2).astype(np.float32)


def sparse(seed: int) -> tuple[np.ndarray, Ints, Floats]:
    random = np.random.default_rng(seed)
    lengths = random.integers(0, 6, SIZE - 10)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    return starts, random.integers(0, SIZE, starts[-1]).astype(np.int32), random.random(starts[-1]).astype(np.float32)


@given(numbers, seeds, st.integers(1, 6), st.sampled_from([np.int32, np.int64]))
def test_rows_are_followed_in_their_order(items: Ints, seed: int, most: int, kind: type) -> None:
    starts, targets, strengths = sparse(seed)
    weights = halves(len(items), seed)
    same(*both("followed", starts.astype(kind), targets, strengths, items, weights, most))


@given(numbers, seeds, st.integers(0, 70))
def test_scores_are_summed_and_the_best_come_first(items: Ints, seed: int, most: int) -> None:
    same(*both("summed_best", items, halves(len(items), seed), most, slots()))


@given(distinct, numbers, seeds)
def test_scores_are_laid_out_over_members(members: Ints, items: Ints, seed: int) -> None:
    same(*both("spread", members, items, halves(len(items), seed), slots()))


@given(distinct, numbers, seeds)
def test_where_each_member_scores_highest(members: Ints, items: Ints, seed: int) -> None:
    same(*both("strongest", members, items, halves(len(items), seed), slots()))


@given(numbers, seeds, st.sampled_from([1, 7, 8, 64]))
def test_products_with_rows_that_may_be_missing(items: Ints, seed: int, width: int) -> None:
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(SIZE - 10, width)).astype(np.float32)
    same(*both("products", vectors, items, random.normal(size=width).astype(np.float32)))


@given(numbers, seeds, st.sampled_from([1, 5, 8, 64]))
def test_a_history_is_folded_in(items: Ints, seed: int, width: int) -> None:
    random = np.random.default_rng(seed)
    vectors = random.normal(0, 0.3, size=(SIZE - 10, width)).astype(np.float32)
    vectors[::3] = 0
    one, other = both("folded", vectors, items, halves(len(items), seed), 0.05 * vectors.T @ vectors, 0.1, 2.0)
    if one is None or other is None:
        assert one is other
    else:
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)  # type: ignore[call-overload]


@given(st.lists(numbers, min_size=1, max_size=9), st.integers(1, 50))
def test_lists_are_merged_in_turns(lists: list[Ints], bound: int) -> None:
    same(*both("in_turns", lists, bound, slots()))


@given(numbers, seeds, st.integers(0, 70))
def test_the_first_that_are_allowed(items: Ints, seed: int, most: int) -> None:
    same(*both("those_allowed", np.random.default_rng(seed).random(SIZE) < 0.5, items, most))


@given(st.integers(0, 60), seeds, st.integers(1, 70))
def test_the_best_places_and_of_equals_the_first(count: int, seed: int, most: int) -> None:
    same(*both("best_places", halves(count, seed), most))


@given(st.integers(0, 9), seeds)
def test_parts_are_weighed_and_shared_out(count: int, seed: int) -> None:
    parts = [halves(12, seed + number) for number in range(count)]
    places = np.random.default_rng(seed).permutation(12)[:5].astype(np.int32)
    same(*both("shares", parts, places))
    totals = [np.ones(12, np.float32), np.ones(12, np.float32)]
    for module, total in zip((loops.fastest, plain), totals, strict=True):
        for scores in (halves(12, seed), halves(24, seed)[::2], halves(12, seed) > 0):
            assert module.weighed(scores, 0.5, total).tolist() == (scores * 0.5).tolist()
    same(*totals)


@given(numbers, seeds)
def test_affinities_of_items_some_of_which_are_hidden(items: Ints, seed: int) -> None:
    random = np.random.default_rng(seed)
    sizes = (7, 5, 10, 30)
    names = [(f"{kind}:{code}", code << plain.KIND_BITS | kind) for kind in range(4) for code in range(sizes[kind])]
    places = dict(names)
    liked = {name: float(random.integers(1, 9)) / 4 for name, _ in names if random.random() < 0.4} | {"brand:?": 1.0}
    columns = (
        random.random(SIZE) < 0.2, *(random.integers(-1, size, SIZE).astype(np.int32) for size in (7, 5, 10)),
        random.integers(0, 3, SIZE).astype(np.int32),
    )  # fmt: skip
    same(*both("fondness", liked, places, sizes, items, columns, 10))


@given(st.lists(st.integers(-1, SIZE + 3), min_size=1, max_size=7), seeds, st.integers(1, 30), st.integers(1, 20))
def test_what_visits_like_this_one_went_on_to(viewed: list[int], seed: int, most: int, neighbours: int) -> None:
    random = np.random.default_rng(seed)
    lengths = random.integers(1, 6, 50)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    clicks = np.concatenate([random.permutation(SIZE)[:length] for length in lengths]).astype(np.int32)
    session = np.repeat(np.arange(50), lengths)
    order = np.lexsort((session, clicks))
    postings = (
        np.searchsorted(clicks[order], np.arange(SIZE + 1)).astype(np.int64),
        session[order].astype(np.int32), (np.arange(len(clicks)) - starts[session])[order].astype(np.int32),
    )  # fmt: skip
    sessions = (random.random(50).astype(np.float32), starts.astype(np.int64), clicks)
    factor = random.random(SIZE).astype(np.float32)
    nearness = np.exp(-np.arange(7)).astype(np.float32)
    found, wanted = (
        module.went_on(
            np.array(viewed, np.int32), postings, sessions, nearness, factor, (slots(50), slots()),
            (5, 12, neighbours), most,
        )
        for module in (loops.fastest, plain)
    )  # fmt: skip
    same(*((items[np.lexsort((items, -scores.round(4)))], scores) for items, scores in (found, wanted)))


@given(numbers, seeds, st.integers(0, SIZE))
def test_columns_times_and_scales(items: Ints, seed: int, length: int) -> None:
    random = np.random.default_rng(seed)
    same(*both("rows", random.random(length).astype(np.float32), items))
    same(*both("scaled", random.normal(size=length).astype(np.float32)))
    same(*both("scaled", np.zeros(length, np.float32)))
    same(*both("faded", random.normal(1e9, 1e6, SIZE), items, 1e9, 86_400.0))
    mask = random.random(length) < 0.1
    assert loops.any_of(mask, items) == plain.any_of(mask, items)
    assert loops.within(items, length) == plain.within(items, length) == bool((items < length).all())
    assert not loops.within(np.array([3, -1], np.int32), SIZE)


@given(seeds, st.integers(1, 9), st.integers(0, 5), st.integers(0, 20), st.integers(20, 30))
def test_rows_come_nearer_to_what_solves_their_systems(
    seed: int, width: int, steps: int, first: int, stop: int
) -> None:
    random = np.random.default_rng(seed)
    starts, columns, values = sparse(seed)
    table = random.normal(size=(SIZE, width)).astype(np.float32)
    spectrum = random.random(width).astype(np.float32)
    found = []
    for module in (loops.fastest, plain):
        solved = np.random.default_rng(seed).normal(size=(len(starts) - 1, width)).astype(np.float32)
        module.als_rows(
            starts.astype(np.int64), columns, values, table, spectrum, solved, first, stop, 0.1, 3.0, steps
        )  # fmt: skip
        found.append(solved)
    np.testing.assert_allclose(found[0], found[1], rtol=2e-3, atol=2e-3)


@given(seeds, st.integers(1, 9))
def test_ridge_solutions_of_rows_are_those_of_their_systems(seed: int, width: int) -> None:
    random = np.random.default_rng(seed)
    starts, columns, values = sparse(seed)
    table = random.normal(size=(SIZE, width)).astype(np.float32)
    shared = (table.T @ table / SIZE + np.eye(width)).astype(np.float32)
    found = []
    for module in (*built(), plain):
        solved = np.full((len(starts) - 1, width), np.nan, np.float32)
        module.ridge_rows(starts.astype(np.int64), columns, values, table, shared, solved)
        found.append(solved)
    for solved in found[:-1]:
        np.testing.assert_allclose(solved, found[-1], rtol=2e-3, atol=2e-3)
    assert not found[0][np.diff(starts) == 0].any()


def test_a_row_without_a_finite_solution_has_none() -> None:
    starts, columns, values = np.array([0, 1, 2]), np.array([0, 1], np.int32), np.ones(2, np.float32)
    table, shared = np.array([[np.nan, 1.0], [1.0, 2.0]], np.float32), np.eye(2, dtype=np.float32)
    for module in (*built(), plain):
        solved = np.full((2, 2), 7, np.float32)
        module.ridge_rows(starts, columns, values, table, shared, solved)
        np.testing.assert_allclose(solved, np.array([[0, 0], [1 / 6, 2 / 6]], np.float32), rtol=1e-5)


@given(seeds, st.integers(1, 9))
def test_squares_are_added_up_by_row_to_the_last_bit_whatever_adds_them(seed: int, width: int) -> None:
    random = np.random.default_rng(seed)
    starts, columns, _ = sparse(seed)
    weights, values = (random.integers(0, 512, (2, len(columns))) / 512).astype(np.float32)
    units = random.integers(-1024, 1024, (SIZE, width)) / 1024
    found = []
    for module in (*built(), plain):
        left, right = np.ones((len(starts) - 1, width * (width + 1) // 2)), np.ones((len(starts) - 1, width))
        module.squares_by_row(starts.astype(np.int64), columns, weights, values, units, left, right)
        found.append((left, right))
    for left, right in found[1:]:
        np.testing.assert_array_equal(left, found[0][0])
        np.testing.assert_array_equal(right, found[0][1])


@given(seeds, st.integers(1, 70))
def test_wide_instructions_change_nothing_but_the_order_of_sums(seed: int, width: int) -> None:
    random = np.random.default_rng(seed)
    starts, columns, values = sparse(seed)
    table = random.normal(size=(SIZE, width)).astype(np.float32)
    found = []
    for module in built():
        solved, products = np.zeros((len(starts) - 1, width), np.float32), np.empty(len(columns), np.float32)
        spectrum = np.ones(width, np.float32)
        module.als_rows(starts.astype(np.int64), columns, values, table, spectrum, solved, 0, len(solved), 0.1, 3.0, 3)
        module.products(table, columns, table[0], products)
        found.append((solved, products))
    for one in found[1:]:
        np.testing.assert_allclose(one[0], found[0][0], rtol=2e-3, atol=2e-3)
        np.testing.assert_allclose(one[1], found[0][1], rtol=1e-4, atol=1e-4)


def test_the_widest_loops_this_processor_can_run_are_used() -> None:
    from store.loops import _loops, compiled

    named = "_wide" if processor.wide() else "_loops"
    assert compiled.als_rows.__module__ == f"store.loops.{named}"
    assert _loops.als_rows.__module__ == "store.loops._loops"
    if "avx2" in Path("/proc/cpuinfo").read_text() and platform.machine() == "x86_64":
        assert named == "_wide"


def test_sums_over_tables_that_do_not_hold_together_are_refused() -> None:
    starts, columns, ones = np.array([0, 2, 3]), np.array([0, 1, 5], np.int32), np.ones(3, np.float32)
    table, shared, units = np.ones((6, 2), np.float32), np.eye(2, dtype=np.float32), np.ones((6, 2))

    def solved(**other: object) -> None:
        given = {"starts": starts, "columns": columns, "values": ones, "table": table, "shared": shared,
                 "solved": np.zeros((2, 2), np.float32)} | other  # fmt: skip
        loops.fastest.ridge_rows(*given.values())

    def added(**other: object) -> None:
        given = {"starts": starts, "columns": columns, "weights": ones, "values": ones, "units": units,
                 "left": np.zeros((2, 3)), "right": np.zeros((2, 2))} | other  # fmt: skip
        loops.fastest.squares_by_row(*given.values())

    solved()
    added()
    for wrong in (
        {"starts": np.array([0, 3, 2])},
        {"starts": np.array([0, 2, 4])},
        {"columns": np.array([0, 6, 1], np.int32)},
        {"values": np.ones(2, np.float32)},
    ):
        for asked in (solved, added):
            with pytest.raises((ValueError, IndexError)):
                asked(**wrong)
    for wrong in (
        {"table": table[:5].copy()},
        {"shared": np.ones((2, 1), np.float32)},
        {"solved": np.zeros((2, 3), np.float32)},
    ):
        with pytest.raises((ValueError, IndexError)):
            solved(**wrong)
    for wrong in ({"units": units[:5].copy()}, {"left": np.zeros((2, 2))}, {"right": np.zeros((2, 3))},
                  {"weights": np.ones(2, np.float32)}):  # fmt: skip
        with pytest.raises((ValueError, IndexError)):
            added(**wrong)


def test_a_table_of_rows_that_does_not_hold_together_is_refused() -> None:
    starts, columns = np.array([0, 2, 3]), np.array([0, 1, 5], np.int32)
    values, table = np.ones(3, np.float32), np.ones((6, 2), np.float32)
    spectrum, solved = np.ones(2, np.float32), np.zeros((2, 2), np.float32)

    def asked(**other: object) -> None:
        given = {"starts": starts, "columns": columns, "values": values, "table": table, "spectrum": spectrum,
                 "solved": solved, "first": 0, "stop": 2} | other  # fmt: skip
        loops.fastest.als_rows(*given.values(), 0.1, 1.0, 2)

    asked()
    for wrong in (
        {"table": table[:5].copy()}, {"starts": np.array([0, 3, 2])}, {"starts": np.array([0, 2, 4])}, {"stop": 3},
        {"first": 2, "stop": 1}, {"solved": np.zeros((1, 2), np.float32)}, {"values": np.ones(2, np.float32)},
        {"columns": np.array([0, -1, 5], np.int32)}, {"spectrum": np.zeros(0, np.float32)},
    ):  # fmt: skip
        with pytest.raises((ValueError, IndexError)):
            asked(**wrong)


def test_wrong_numbers_and_arrays_are_refused() -> None:
    far = np.array([0, SIZE], np.int32)
    ones = np.ones(2, np.float32)
    for call in (
        lambda: loops.summed_best(far, ones, 2, slots()),
        lambda: loops.spread(far, far, ones, slots()),
        lambda: loops.those_allowed(np.ones(SIZE, np.bool_), far, 5),
        lambda: loops.in_turns([far], 5, slots()),
        lambda: loops.shares([ones], far),
        lambda: loops.summed_best(-far, ones, 2, slots()),
    ):
        with pytest.raises(IndexError):
            call()
    with pytest.raises(TypeError, match="another type"):
        loops.those_allowed(np.ones(SIZE, np.bool_), far.astype(np.int64), 5)
    with pytest.raises(ValueError, match="one score per item"):
        loops.summed_best(far[:1], ones, 2, slots())
    with pytest.raises(ValueError, match=r"beyond"):
        loops.followed(np.array([0, 9]), far, ones, far[:1], ones[:1], 10)


@given(st.integers(0, 40), seeds, st.integers(0, 20), st.tuples(st.integers(0, 4), st.integers(0, 4)))
def test_places_are_spaced_by_their_codes(count: int, seed: int, limit: int, most: tuple[int, int]) -> None:
    random = np.random.default_rng(seed)
    columns = [random.integers(-1, 5, count).astype(np.int32) for _ in most]
    same(*both("spaced", columns, most, limit))


@given(st.integers(0, 60), seeds, st.integers(0, 20), st.booleans())
def test_the_first_of_what_matches_and_may_be_shown(count: int, seed: int, most: int, counted: bool) -> None:
    random = np.random.default_rng(seed)
    items = np.sort(random.choice(SIZE, min(count, SIZE), replace=False)).astype(np.int32)
    tiers = random.integers(0, 3, len(items)).astype(np.int32)
    relevance = (random.integers(0, 9, len(items)) / 8).astype(np.float32)
    mask = random.random(SIZE) < 0.7
    buyers = random.integers(0, 5, SIZE // 2).astype(np.float32) if counted else None
    arguments = (items, tiers, relevance, mask, buyers, most)
    places, shown = loops.fastest.first_shown(*arguments)
    meant, as_meant = plain.first_shown(*arguments)
    assert shown == as_meant
    assert places.tolist() == meant.tolist()
    one = np.ones(1, np.int32)
    with pytest.raises(IndexError):
        loops.fastest.first_shown(one * SIZE, one, one.astype(np.float32), mask, buyers, 1)


@given(seeds, st.integers(1, 4), st.booleans())
def test_the_items_of_a_querys_words_are_matched(seed: int, meanings: int, partly: bool) -> None:
    random = np.random.default_rng(seed)
    words = []
    for _ in range(int(random.integers(1, 8))):
        items = np.sort(random.choice(SIZE, int(random.integers(0, SIZE)), replace=False)).astype(np.int32)
        weights = (random.integers(1, 9, len(items)) / 8).astype(np.float32)
        if random.random() < 0.3:  # as where something changed since the index was made
            items, weights = items[::-1].copy(), weights[::-1].copy()
        words.append(plain.Word(int(random.integers(meanings)), float(random.integers(1, 5)) / 4, items, weights))
    rarities = [float(each) / 2 for each in random.integers(1, 6, meanings)]
    asked = [True, *(bool(each) for each in random.integers(0, 2, meanings - 1))]
    boards = plain.Boards(SIZE)
    one = plain.matched(words, rarities, asked, partly, plain.Boards(SIZE))
    for _ in range(2):  # the boards are as clean as they were
        same(loops.fastest.matched(words, rarities, asked, partly, boards), one)
    wrong = plain.Word(0, 1.0, np.array([SIZE], np.int32), np.ones(1, np.float32))
    with pytest.raises(IndexError):
        loops.fastest.matched([*words, wrong], rarities, asked, partly, boards)
    same(loops.fastest.matched(words, rarities, asked, partly, boards), one)
