"""The benchmark: its world is what it says, its clock counts waiting, and the command runs from end to end."""

import asyncio
import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
import pytest

from app.bench.figures import Figure, calibrated, table
from app.bench.goods import generate_items
from app.bench.load import NoAnswer, closed_loop, open_loop
from app.bench.people import DAY, LEAST_ITEMS, Crowd, dataset, profiles
from app.features.options import FeatureOptions
from app.features.update import apply_event
from store.catalogue import Catalogue
from store.records import Line, LoggedEvent, ProfileFeatures, Purpose, SessionState

ROOT = Path(__file__).parents[1]
ITEMS, PEOPLE, NOW = 30_000, 300, 1_790_000_000.0


@pytest.fixture(scope="module")
def crowd() -> Crowd:
    return Crowd(ITEMS, PEOPLE, seed=1)


def test_every_visitor_has_a_history_of_distinct_items(crowd: Crowd) -> None:
    histories = crowd.histories(0)
    for start, end in pairwise(histories.starts.tolist()):
        items = histories.items[start:end]
        assert len(items) >= LEAST_ITEMS
        assert len(set(items.tolist())) == len(items)
    assert np.array_equal(crowd.histories(0).items, histories.items), "the same seed gives the same people"


def test_a_generated_profile_is_what_the_feature_updater_would_have_made() -> None:
    options = FeatureOptions()
    catalogue = Catalogue()
    for number, item in enumerate(generate_items(1000, 1, NOW)):
        catalogue.put(number, item)
    histories = Crowd(1000, 3, seed=1).histories(0)
    keys = [catalogue.affinity_keys(number) for number in range(1000)]
    made = next(profiles(histories, keys, np.zeros(1000, np.float32), NOW, options.half_life_days))
    lived = ProfileFeatures(updated=int(NOW))
    rows = range(int(histories.starts[0]), int(histories.starts[1]))
    for row in rows:
        times = round(float(histories.weights[row]) / options.weights.view_item)
        at_ms = (int(NOW) - int(histories.days_ago[row] * DAY)) * 1000
        event = LoggedEvent(1, 1, at_ms, "view_item", int(Purpose.PROFILE), (Line(int(histories.items[row])),))
        for _ in range(times):
            apply_event(SessionState(), lived, event, catalogue, options)
    assert {number: at for number, (_, at) in lived.items.items()} == {
        number: at for number, (_, at) in made.items.items()
    }
    assert {number: weight for number, (weight, _) in lived.items.items()} == pytest.approx(
        {number: weight for number, (weight, _) in made.items.items()}, rel=1e-3
    )
    assert lived.affinities == pytest.approx(made.affinities, rel=1e-3)


def test_what_is_learned_from_is_in_time_order_and_either_bought_or_seen(crowd: Crowd) -> None:
    data = dataset(crowd, PEOPLE, NOW, seed=1)
    assert (np.diff(data.at) >= 0).all()
    assert ((data.visit >= 0) ^ data.bought).all()
    assert (data.basket >= 0).tolist() == data.bought.tolist()
    assert (data.people, data.items) == (PEOPLE, ITEMS)
    assert data.item.max() < ITEMS


def test_a_figure_says_whether_it_reaches_its_floor_and_its_goal() -> None:
    told = [Figure(name="p99", value=value, unit="ms", floor=15, goal=6).verdict for value in (5, 10, 20)]
    assert told == ["goal", "floor", "MISSED"]
    rates = [
        Figure(name="rate", value=value, unit="/s", floor=600, goal=1500, better="higher").verdict
        for value in (1500, 700, 10)
    ]
    assert rates == ["goal", "floor", "MISSED"]
    (_, line) = table([calibrated(Figure(name="p99", value=20, unit="ms", floor=15), 10.0)])
    assert "MISSED" in line
    assert "2.000" in line


async def _slow_server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers each request 20 ms after it came."""
    try:
        while await reader.readuntil(b"\r\n\r\n"):
            await asyncio.sleep(0.02)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    except asyncio.IncompleteReadError:
        writer.close()


@pytest.mark.anyio
async def test_a_question_that_waits_for_a_connection_is_timed_from_when_it_was_due() -> None:
    server = await asyncio.start_server(_slow_server, "127.0.0.1", 0)
    async with server:
        address = server.sockets[0].getsockname()
        request = b"GET / HTTP/1.1\r\n\r\n"
        answers = await asyncio.to_thread(open_loop, address, [request] * 5, [0.0] * 5, 1)
        assert [answer.status for answer in answers] == [200] * 5
        times = [answer.seconds for answer in answers]
        assert times == sorted(times)
        assert times[-1] >= 5 * 0.02
        closed, took = await asyncio.to_thread(closed_loop, address, [request] * 6, 3, 10.0)
        assert [answer.body for answer in closed] == [b"ok"] * 6
        assert took >= 2 * 0.02


@pytest.mark.anyio
async def test_a_server_that_hangs_up_is_an_error_and_no_answer() -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        address = server.sockets[0].getsockname()
        with pytest.raises((NoAnswer, ConnectionError)):
            await asyncio.to_thread(open_loop, address, [b"GET / HTTP/1.1\r\n\r\n"], [0.0], 1)


class _Report(msgspec.Struct):
    figures: list[Figure]


def test_the_command_measures_a_small_world(tmp_path: Path) -> None:
    command = [
        sys.executable, "-m", "app", "bench", "--size", "tiny", "--seconds", "0.3", "--cache", str(tmp_path / "cache"),
        "--output", str(tmp_path / "bench.json"),
        "--only", "recommend", "--only", "search", "--only", "events", "--only", "items",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    figures = {figure.name: figure for figure in msgspec.json.decode((tmp_path / "bench.json").read_bytes(),
                                                                     type=_Report).figures}  # fmt: skip
    assert figures["answers personalized"].value == 100
    assert figures["lists unlike each other"].value > 90
    assert all(figure.value > 0 for figure in figures.values() if figure.name != "work after the start")
    assert json.loads((tmp_path / "bench.json").read_text())["world"]["items"] == 1000
    assert "event to changed list, p99" in done.stdout
    assert not (tmp_path / "cache" / "tiny-run").exists(), "the copy that was measured is gone"
