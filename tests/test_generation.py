from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of
from scipy.sparse import csr_matrix

from store.faults import GenerationUnreadable
from store.generation import (
    current,
    generations,
    load_generation,
    matrix_arrays,
    prune,
    publish,
    write_generation,
)
from store.sparse import row


@pytest.fixture(autouse=True, params=[4 << 20, 1], ids=["mapped", "read"], scope="module")
def _from_memory_or_file(request: pytest.FixtureRequest) -> Iterator[None]:
    """Small arrays are maps of their files, large ones are read piece by piece: everything holds for both."""
    with pytest.MonkeyPatch.context() as changed:
        changed.setattr("store.generation.LARGE", request.param)
        changed.setattr("store.beside.PIECE", 7)
        yield


VECTORS = np.arange(12, dtype=np.float32).reshape(4, 3)


def write(folder: Path, id: str = "g1", **changes: Any) -> Path:  # noqa: A002, ANN401
    given: dict[str, Any] = {
        "arrays": {"vectors": VECTORS, "none": np.empty((0, 3), np.float32)},
        "files": {"index.bin": lambda path: path.write_bytes(b"index")},
        "card": {"people": 7, "quality": {"hit_rate": 0.5}},
    }
    return write_generation(folder, id, **(given | changes))


def test_what_was_learned_comes_back(tmp_path: Path) -> None:
    write(tmp_path)
    found = load_generation(tmp_path, "g1")
    assert found.card == {"people": 7, "quality": {"hit_rate": 0.5}}
    assert found.paths["index.bin"].read_bytes() == b"index"
    np.testing.assert_array_equal(found.arrays["vectors"], VECTORS)
    assert found.arrays["none"].shape == (0, 3)
    with pytest.raises(ValueError, match="read-only"):
        found.arrays["vectors"][0, 0] = 1


@settings(max_examples=25, deadline=None)
@given(
    array=arrays_of.arrays(
        st.sampled_from([np.float32, np.int32, np.int8, np.uint64, np.bool_]), (3, 2), elements=st.integers(0, 1)
    )
)
def test_any_array_of_numbers_comes_back(tmp_path_factory: pytest.TempPathFactory, array: np.ndarray) -> None:
    folder = tmp_path_factory.mktemp("generations")
    write(folder, arrays={"any": array})
    found = load_generation(folder, "g1").arrays["any"]
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)


def test_a_sparse_matrix_comes_back(tmp_path: Path) -> None:
    matrix = csr_matrix(np.random.default_rng(1).poisson(0.2, (20, 30)).astype(np.float32))
    write(tmp_path, arrays=matrix_arrays("neighbours", matrix))
    found = load_generation(tmp_path, "g1")
    kept = found.rows("neighbours")
    assert kept is not None
    whole = csr_matrix((kept.data, kept.indices, kept.indptr), shape=matrix.shape)
    np.testing.assert_array_equal(whole.toarray(), matrix.toarray())
    for number in range(20):
        items, strengths = row(kept, number)
        assert dict(zip(items.tolist(), strengths.tolist(), strict=True)) == {
            item: count for item, count in enumerate(matrix.toarray()[number].tolist()) if count
        }
    assert found.rows("together") is None


@pytest.mark.parametrize(
    ("part", "array"),
    [
        ("indptr", np.array([0, 2, 1, 3], np.int32)),
        ("indptr", np.array([0, 1, 2, 4], np.int32)),
        ("indptr", np.array([1, 1, 2, 3], np.int32)),
        ("indptr", np.empty(0, np.int32)),
        ("data", np.ones(2, np.float32)),
        ("data", None),
    ],
)
def test_three_arrays_that_are_no_matrix_are_refused(tmp_path: Path, part: str, array: np.ndarray | None) -> None:
    arrays = matrix_arrays("near", csr_matrix(np.eye(3, dtype=np.float32)))
    if array is None:
        del arrays[f"near.{part}"]
    else:
        arrays[f"near.{part}"] = array
    write(tmp_path, arrays=arrays)
    with pytest.raises(GenerationUnreadable, match="near is no matrix"):
        load_generation(tmp_path, "g1").rows("near")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda home: (home / "vectors.npy").unlink(), r"vectors\.npy: cannot be read"),
        (lambda home: (home / "vectors.npy").write_bytes(b"short"), r"vectors\.npy: has 5 bytes, the manifest says"),
        (lambda home: flip(home / "vectors.npy", 130), r"vectors\.npy: is damaged"),
        (lambda home: flip(home / "index.bin", 0), r"index\.bin: is damaged"),
        (lambda home: (home / "manifest.json").unlink(), r"manifest\.json: cannot be read"),
        (lambda home: (home / "manifest.json").write_text("{"), r"manifest\.json: cannot be read"),
        (lambda home: home.rename(home.with_name("g2")), r"g1/manifest\.json: cannot be read"),
    ],
    ids=["array gone", "array short", "array changed", "file changed", "manifest gone", "manifest cut", "folder gone"],
)
def test_any_damage_is_found_and_named(tmp_path: Path, damage: Any, message: str) -> None:  # noqa: ANN401
    damage(write(tmp_path))
    with pytest.raises(GenerationUnreadable, match=message):
        load_generation(tmp_path, "g1")


def test_a_renamed_generation_is_not_taken_for_another(tmp_path: Path) -> None:
    write(tmp_path).rename(tmp_path / "g2")
    with pytest.raises(GenerationUnreadable, match="describes generation 'g1', not 'g2'"):
        load_generation(tmp_path, "g2")


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def test_a_failed_writer_leaves_nothing(tmp_path: Path) -> None:
    def fail(path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        write(tmp_path, files={"index.bin": fail})
    assert list(tmp_path.iterdir()) == []
    write(tmp_path)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_training_gone_wrong_is_not_kept(tmp_path: Path, value: float) -> None:
    with pytest.raises(ValueError, match="'vectors' holds nan or infinity"):
        write(tmp_path, arrays={"vectors": np.array([1.0, value], np.float32)})
    assert generations(tmp_path) == []


@pytest.mark.parametrize("id", ["", "..", "a/b", ".hidden", "current", "x" * 65])
def test_an_id_is_a_plain_name(tmp_path: Path, id: str) -> None:  # noqa: A002
    with pytest.raises(ValueError, match="generation id"):
        write(tmp_path, id)


def test_a_generation_is_written_once(tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(FileExistsError, match="exists already"):
        write(tmp_path)


def test_only_a_complete_generation_is_published_and_the_last_good_one_stays(tmp_path: Path) -> None:
    assert current(tmp_path) is None
    write(tmp_path)
    publish(tmp_path, "g1")
    (tmp_path / "g2").mkdir()
    with pytest.raises(GenerationUnreadable, match="only a complete one"):
        publish(tmp_path, "g2")
    assert current(tmp_path) == "g1"
    write(tmp_path, "g3")
    publish(tmp_path, "g3")
    assert current(tmp_path) == "g3"


def test_a_damaged_pointer_is_named(tmp_path: Path) -> None:
    (tmp_path / "current").write_bytes(b"\xff../../etc")
    with pytest.raises(GenerationUnreadable, match=r"current: "):
        current(tmp_path)


def test_the_newest_and_the_current_one_are_kept(tmp_path: Path) -> None:
    for number in range(1, 6):
        write(tmp_path, f"g{number}")
    publish(tmp_path, "g1")
    (tmp_path / ".g9.999999999").mkdir()  # a training that was killed
    assert generations(tmp_path) == ["g1", "g2", "g3", "g4", "g5"]
    assert prune(tmp_path, keep=2) == ["g2", "g3"]
    assert generations(tmp_path) == ["g1", "g4", "g5"]
    assert not (tmp_path / ".g9.999999999").exists()
