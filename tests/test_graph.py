"""A graph is searched in its file as hnswlib would search it in memory, and a file that is no graph is never walked."""

from pathlib import Path

import hnswlib
import numpy as np
import pytest
from numpy.typing import NDArray

from app.serving.options import RetrievalOptions
from store.graph import GraphUnreadable, MappedGraph
from store.index import VectorIndex
from store.loops import COMPILED

pytestmark = pytest.mark.skipif(not COMPILED, reason="the loops are not built; hnswlib opens graphs then")


def rows_of(count: int, dimensions: int, seed: int = 1) -> NDArray[np.float32]:
    random = np.random.default_rng(seed)
    return (random.normal(size=(count, dimensions)) * random.lognormal(0, 0.7, (count, 1))).astype(np.float32)


def opened(path: Path, rows: NDArray[np.float32]) -> MappedGraph:
    return MappedGraph(path, rows, np.arange(len(rows), dtype=np.int32))


def built(path: Path, rows: NDArray[np.float32], m: int = 8) -> Path:
    VectorIndex.build(rows, np.arange(len(rows)), m=m, ef_construction=60, seed=7).save(path)
    return path


@pytest.mark.parametrize(("count", "dimensions"), [(1, 3), (2, 64), (500, 7), (3000, 16), (3000, 65)])
def test_it_finds_what_hnswlib_finds(tmp_path: Path, count: int, dimensions: int) -> None:
    rows = rows_of(count, dimensions)
    path = built(tmp_path / "graph", rows)
    graph = opened(path, rows)
    reference = hnswlib.Index("ip", dimensions)
    reference.load_index(str(path))
    for query in rows_of(50, dimensions, seed=9):
        k = min(20, count)
        reference.set_ef(64)
        labels, distances = reference.knn_query(query, k=k, num_threads=1)
        found, scores = graph.search(query, k, 64)
        near = 1e-3 * float(np.linalg.norm(rows, axis=1).max() * np.linalg.norm(query))
        assert scores == pytest.approx(1 - distances[0], abs=near)
        assert scores == pytest.approx(rows[found] @ query, abs=near)
        assert len(set(found.tolist()) & set(labels[0].tolist())) >= k - 1  # two that score alike may change places


def test_a_file_that_was_cut_or_lengthened_is_refused(tmp_path: Path) -> None:
    rows = rows_of(300, 8)
    whole = built(tmp_path / "graph", rows).read_bytes()
    for content in (b"", whole[:50], whole[:-1], whole[: len(whole) // 2], whole + b"\0"):
        (tmp_path / "cut").write_bytes(content or b"\0")
        with pytest.raises(GraphUnreadable):
            opened(tmp_path / "cut", rows)


def test_numbers_that_lead_outside_of_the_graph_are_an_error_and_no_read(tmp_path: Path) -> None:
    rows = rows_of(300, 8)
    content = np.frombuffer(built(tmp_path / "graph", rows).read_bytes(), np.uint8)
    random = np.random.default_rng(5)
    failed = 0
    for _ in range(60):
        spoilt = content.copy()
        row = int(random.integers(300))
        stride = int(np.frombuffer(content[24:32], "<u8")[0])
        links = 96 + row * stride
        spoilt[links : links + 8] = random.integers(0, 256, 8)  # how many links there are, and the first of them
        (tmp_path / "spoilt").write_bytes(spoilt.tobytes())
        graph = opened(tmp_path / "spoilt", rows)
        try:
            found, _ = graph.search(rows[row], 20, 300)
            assert ((found >= 0) & (found < 300)).all()
        except (ValueError, IndexError):
            failed += 1
    assert failed > 10


def test_rows_in_another_order_are_refused(tmp_path: Path) -> None:
    graph = hnswlib.Index("ip", 4)
    graph.init_index(50, M=8, ef_construction=50, random_seed=1)
    graph.add_items(rows_of(50, 4), np.arange(50)[::-1], num_threads=1)
    graph.save_index(str(tmp_path / "graph"))
    with pytest.raises(GraphUnreadable, match="not in their order"):
        opened(tmp_path / "graph", rows_of(50, 4))


def test_where_everything_scores_alike_it_goes_the_way_hnswlib_goes(tmp_path: Path) -> None:
    """Blocks that know nothing of each other: of most rows a query says 0, up to rounding."""
    blocks = [np.zeros((100, 64), np.float32) for _ in range(20)]
    for number, block in enumerate(blocks):
        block[:, 3 * number : 3 * number + 3] = rows_of(100, 3, seed=number)
    rows = np.concatenate(blocks) + 1e-9 * rows_of(2000, 64, seed=99)
    path = built(tmp_path / "graph", rows.astype(np.float32), m=24)
    graph = opened(path, rows.astype(np.float32))
    reference = hnswlib.Index("ip", 64)
    reference.load_index(str(path))
    reference.set_ef(128)
    for query in rows[::97].astype(np.float32):
        try:
            labels, distances = reference.knn_query(query, k=100, num_threads=1)
        except RuntimeError:
            continue
        found, scores = graph.search(query, 100, 128)
        assert len(found) == 100
        assert scores[:5] == pytest.approx(1 - distances[0][:5], abs=float(1e-3 * scores[0]))
        assert set(labels[0][:3].tolist()) == set(found[:3].tolist())


@pytest.mark.parametrize("share", [1.0, 0.6, 0.4, 0.2])
def test_only_what_is_allowed_is_found_and_hardly_less_of_the_best_of_it(tmp_path: Path, share: float) -> None:
    rows = rows_of(4000, 16)
    path = built(tmp_path / "graph", rows, m=24)
    random = np.random.default_rng(3)
    labels = random.permutation(9000)[:4000].astype(np.int32)
    allowed = random.random(8500) < share  # some labels are beyond what it has a word on
    graph = MappedGraph(path, rows, labels)
    met = []
    for query in rows_of(40, 16, seed=9):
        may = np.flatnonzero((labels < 8500) & allowed[np.minimum(labels, 8499)])
        best = set(labels[may[np.argsort(-(rows[may] @ query))[:20]]].tolist())
        found, scores = graph.search(query, 100, RetrievalOptions().width(share), allowed)
        assert all(label < 8500 and allowed[label] for label in found.tolist())
        assert (np.diff(scores) <= 0).all()
        met.append(len(best & set(found[:20].tolist())) / 20)
    assert np.mean(met) >= 0.95


@pytest.mark.parametrize("size", [1e-35, 1.0, 1e30])
def test_the_best_rows_are_found_whatever_the_size_of_the_numbers(tmp_path: Path, size: float) -> None:
    rows = rows_of(500, 8)
    path = built(tmp_path / "graph", rows, m=24)
    scaled = (rows * np.float32(size)).astype(np.float32)
    best = int(np.argmax(rows @ rows[7]))
    assert MappedGraph(path, scaled, np.arange(500, dtype=np.int32)).search(rows[7], 5, 64)[0][0] == best
    assert MappedGraph(path, rows, np.arange(500, dtype=np.int32)).search(scaled[7], 5, 64)[0][0] == best
