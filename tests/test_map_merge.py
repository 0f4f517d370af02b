"""Where a training's sums are computed changes nothing about them, and a worker that is killed costs a shard's time."""

import io
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.sparse import csr_matrix, random_array

from app.config import parse_config
from app.learning.contributions import contributions
from app.learning.dp_als import Recipe, starting_vectors
from app.learning.engine import open_engine, sums_over
from app.node import configured_plugins
from app.program import program
from plugins.calls import PluginFailed
from plugins.engine import Arrays, EngineFailed, EngineSetup, InProcess, added
from plugins.frames import BrokenFrame, read_frame, write_frame
from plugins.loading import PluginProblems
from plugins.manager import load_plugins
from plugins.process_pool import Plugin, Pool
from tests.shard_functions import fails, in_a_row, killed_always, killed_once, talks, total, without_process

SETUP = EngineSetup(tuple(program()))


def shards(count: int) -> Iterator[Arrays]:
    for number in range(count):
        yield {"numbers": np.array([number])}


@pytest.fixture
def pool() -> Iterator[Pool]:
    made = Pool(SETUP.program, workers=2, attempts=2)
    yield made
    made.close()


def test_a_pool_gives_the_statistics_of_the_training_process_bit_by_bit(pool: Pool) -> None:
    random = np.random.default_rng(1)
    table = csr_matrix(random_array((700, 40), density=0.2, rng=random))
    people = contributions(table, random.normal(5, 10, 40), per_person=3.0, exponent=0.3)
    recipe, vectors = Recipe(dimensions=7), starting_vectors(40, 7, random)
    found = []
    for engine in (InProcess(), pool):
        sums = sums_over(people, recipe, engine, shard_people=90, statistics_bytes=25 * 35 * 8)
        found.append([(block, *(array.tobytes() for array in (part.gram, part.left, part.right)))
                      for block, part in sums(vectors)])  # fmt: skip
    assert found[0] == found[1]
    assert len(found[0]) == 2


def test_results_are_merged_in_the_order_of_their_shards_by_several_processes(pool: Pool) -> None:
    merged = pool.map_merge(total, shards(30), in_a_row)
    assert merged["total"].tolist() == list(range(30))
    workers = set(merged["process"].tolist())
    assert len(workers) == 2
    assert os.getpid() not in workers


def test_a_killed_worker_s_shard_is_computed_again(pool: Pool, tmp_path: Path) -> None:
    path = np.frombuffer(str(tmp_path / "killed").encode(), np.uint8)
    with_path = ({**shard, "path": path} for shard in shards(6))
    merged = pool.map_merge(killed_once, with_path, in_a_row)
    assert (tmp_path / "killed").exists()
    assert merged["numbers"].tolist() == list(range(6))


def test_a_shard_that_kills_every_worker_ends_the_training_with_a_reason(pool: Pool) -> None:
    with pytest.raises(EngineFailed, match=r"killed_always: its process ended with -9 .*, 2 times.*memory"):
        pool.map_merge(killed_always, shards(3), added)
    assert pool.map_merge(total, shards(4), without_process)["total"].tolist() == [6], "others can still be computed"


def test_what_fails_in_a_worker_is_told_and_not_tried_again(pool: Pool) -> None:
    with pytest.raises(EngineFailed, match="fails failed: ValueError: no sum of 1 numbers"):
        pool.map_merge(fails, shards(3), added)


def test_what_is_printed_in_a_worker_does_not_get_into_its_answers(pool: Pool) -> None:
    assert pool.map_merge(talks, shards(3), in_a_row)["numbers"].tolist() == [0, 1, 2]


@pytest.mark.parametrize("engine", [InProcess(), Pool(SETUP.program, 2, 1)])
def test_a_training_without_people_says_so(engine: InProcess | Pool) -> None:
    with pytest.raises(EngineFailed, match="no shards"):
        engine.map_merge(total, [], added)


def test_workers_end_with_the_training(pool: Pool) -> None:
    processes = pool.map_merge(total, shards(8), in_a_row)["process"].tolist()
    pool.close()
    for process in set(processes):
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


def worker_given(what: bytes) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*program(), "map-worker"], input=what, capture_output=True, timeout=60, check=False)


def test_a_worker_ends_when_its_training_is_gone_and_refuses_what_is_no_frame() -> None:
    done = worker_given(b"")
    assert (done.returncode, done.stdout) == (0, b"")
    done = worker_given(b"GET / HTTP/1.1\r\n\r\n")
    assert done.returncode == 1
    assert b"not a frame of this program" in done.stderr


def test_one_core_is_no_further_process_and_more_are_a_pool() -> None:
    assert isinstance(Plugin().training_engine(SETUP), InProcess)
    engine = Plugin(workers=3).training_engine(SETUP)
    assert isinstance(engine, Pool)
    engine.close()


def test_the_engine_is_chosen_by_name_and_a_wrong_name_is_told_at_the_start(tmp_path: Path) -> None:
    config = parse_config({"plugins": {"process_pool": {"workers": 2}}})
    with open_engine(config, load_plugins(config.plugin_tables, None)) as engine:
        assert engine.map_merge(total, shards(4), without_process)["total"].tolist() == [6]
    config = parse_config({"training": {"engine": "proces_pool"}})
    plugins = load_plugins(config.plugin_tables, None)
    told = "training.engine: no plugin 'proces_pool' that is on gives a training engine; did you mean 'process_pool'?"
    assert plugins.wrong_engine("proces_pool") == told
    with pytest.raises(PluginFailed, match="did you mean 'process_pool'"), open_engine(config, plugins):
        pass
    with pytest.raises(PluginProblems, match=r"training\.engine"):
        configured_plugins(config, tmp_path / "personalize.toml")


@settings(max_examples=50)
@given(st.dictionaries(st.text(max_size=5), arrays.arrays(
    st.sampled_from([np.int32, np.float64, np.float32, np.uint8, np.bool_]),
    arrays.array_shapes(min_dims=0, min_side=0, max_side=5),
), max_size=4))  # fmt: skip
def test_every_array_arrives_as_it_was_sent(sent: dict[str, np.ndarray]) -> None:
    pipe = io.BytesIO()
    write_frame(pipe, sent, function="a:b")
    pipe.seek(0)
    frame = read_frame(pipe)
    assert frame is not None
    head, received = frame
    assert head.function == "a:b"
    assert list(received) == list(sent)
    for name, array in sent.items():
        assert received[name].dtype == array.dtype
        assert received[name].shape == array.shape
        assert received[name].tobytes() == array.tobytes()
    assert read_frame(pipe) is None


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut in its array": lambda frame: frame[:-3],
    "cut in its head": lambda frame: frame[:20],
    "something else": lambda frame: b"\x80\x04pickle" + frame,
    "objects": lambda frame: frame.replace(b"<i8", b"|O8"),
    "too short": lambda frame: frame.replace(b"[2]", b"[9]"),
    "another head": lambda frame: frame.replace(b"[[", b"7["),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_broken_frame_is_refused_and_is_never_code(damage: str) -> None:
    pipe = io.BytesIO()
    write_frame(pipe, {"numbers": np.array([1, 2])})
    broken = DAMAGES[damage](pipe.getvalue())
    assert broken != pipe.getvalue()
    with pytest.raises(BrokenFrame):
        read_frame(io.BytesIO(broken))
