"""What privacy costs can be measured on public data, with the very code that trains a shop."""

import numpy as np
from scipy.sparse import csr_matrix

from app.learning.private_fit import fit_privately


def two_tastes(people: int) -> csr_matrix:
    """One half likes items 0..7, the other 8..15; about a third of theirs is touched."""
    random = np.random.default_rng(5)
    own = np.arange(16)[None, :] // 8 == random.integers(0, 2, people)[:, None]
    return csr_matrix((random.random((people, 16)) < np.where(own, 0.4, 0.02)).astype(np.float32))


def test_more_budget_tells_tastes_apart_better_and_popularity_closer() -> None:
    table = two_tastes(4000)
    truth = np.bincount(table.indices, minlength=16)
    right, off = [], []
    for epsilon in (1.0, 20.0):
        fit = fit_privately(table, epsilon=epsilon)
        assert fit.epsilon == epsilon
        scores = fit.scores(table[:500])
        mine = np.array([(row.indices[0] if row.nnz else 0) // 8 for row in (table[[place]] for place in range(500))])
        halves = scores.reshape(500, 2, 8).mean(axis=2)
        right.append(float((halves.argmax(axis=1) == mine).mean()))
        off.append(float(np.abs(fit.popularity - truth).mean()))
    assert right[1] > 0.85
    assert right[1] >= right[0] - 0.05
    assert off[1] < off[0]


def test_two_fits_differ_and_so_do_their_counts() -> None:
    table = two_tastes(300)
    first, second = (fit_privately(table, epsilon=8.0) for _ in range(2))
    assert not np.allclose(first.item_vectors, second.item_vectors)
    assert not np.array_equal(first.popularity, second.popularity)
