import asyncio
import threading
from time import perf_counter, thread_time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.beside import PIECE, Rest, Rests, Stopped, all_finite, in_thread, pieces

pytestmark = pytest.mark.anyio


def worked(seconds: float) -> None:
    """Keep a processor busy."""
    until = thread_time() + seconds
    while thread_time() < until:
        pass


@given(st.integers(0, 10_000), st.integers(1, 700))
def test_pieces_cover_everything_once(size: int, piece: int) -> None:
    found = list(pieces(size, piece))
    assert [number for each in found for number in range(each.start, each.stop)] == list(range(size))
    assert all(each.stop - each.start <= piece for each in found)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, PIECE - 1, PIECE, 2 * PIECE + 6])
def test_one_number_that_is_none_is_found_wherever_it_lies(wrong: float, place: int) -> None:
    array = np.ones(2 * PIECE + 7, np.float32)
    assert all_finite(array)
    array[place] = wrong
    assert not all_finite(array)


def test_little_work_asks_for_no_rest_and_a_stop_ends_it_all_the_same() -> None:
    rests = Rests()
    rests()
    rests()
    rests.stop()
    with pytest.raises(Stopped):
        rests()


def test_a_rest_lasts_longer_than_the_work_before_it() -> None:
    rests = Rests()
    rests()
    worked(0.002)
    began = perf_counter()
    rests()
    assert perf_counter() - began > 0.002  # it can only be longer where the machine is busy


async def test_whoever_waits_for_it_may_be_cancelled_and_it_ends() -> None:
    begun, ended = threading.Event(), threading.Event()

    def endless(rest: Rest) -> None:
        try:
            while True:
                worked(0.001)
                begun.set()
                rest()
        finally:
            ended.set()

    async with asyncio.TaskGroup() as group:
        task = group.create_task(in_thread(endless))
        assert await asyncio.to_thread(begun.wait, 10)
        task.cancel()
    assert await asyncio.to_thread(ended.wait, 10)


async def test_what_it_found_is_handed_back() -> None:
    def work(rest: Rest) -> int:
        rest()
        return 7

    assert await in_thread(work) == 7
