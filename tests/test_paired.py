"""What shoppers are told others bought together is more than the noise that keeps anybody from being seen."""

import numpy as np

from app.learning.paired import _beyond_chance, _matrix
from app.learning.rates import Rate
from store.records import Floats, Ints

KINDS, PER_KIND = 60, 4
GROUPS: Ints = np.repeat(np.arange(KINDS), PER_KIND).astype(np.int32)
POPULAR: Floats = np.ones(KINDS * PER_KIND, np.float32)
DOMAIN: Ints = np.arange(KINDS * PER_KIND, dtype=np.int32)


def released(size: int, real: dict[tuple[int, int], float], seed: int) -> Rate:
    """A table of pairs as it leaves the door: what is real, under noise of 20."""
    table = np.random.default_rng(seed).normal(0, 20, (size, size))
    table = np.triu(table) + np.triu(table, 1).T
    for (first, second), count in real.items():
        table[first, second] += count
        table[second, first] += count
    rate = Rate(np.zeros((size, size)))
    rate.add(table, exposure=90, sigma=20, at=0, half_life_days=60)
    return rate


def together(groups: Rate, items: Rate) -> list[list[int]]:
    """Per product those told to be bought with it, best first."""
    matrix, _ = _matrix(_beyond_chance(groups), items, DOMAIN, GROUPS, POPULAR, POPULAR > 0, 100, certain=True)
    return [matrix[[item]].indices.tolist() for item in DOMAIN.tolist()]


def test_what_nobody_bought_together_is_not_said_to_be() -> None:
    told = [together(released(KINDS, {}, seed), released(len(DOMAIN), {}, seed + 1)) for seed in range(0, 20, 2)]
    said = np.mean([len(row) > 0 for rows in told for row in rows])
    assert said < 0.05


def test_what_stands_out_of_the_noise_is() -> None:
    of_kind = set(range(7 * PER_KIND, 8 * PER_KIND))
    real = {(first, second): 25.0 for first in range(3 * PER_KIND, 4 * PER_KIND) for second in of_kind}
    rows = together(released(KINDS, {(3, 7): 400.0}, 1), released(len(DOMAIN), real | {(40, 90): 200.0}, 2))
    assert all(of_kind <= set(rows[item]) for item in range(3 * PER_KIND, 4 * PER_KIND))
    assert rows[40][0] == 90


def test_without_noise_every_pair_counts() -> None:
    rate = Rate(np.zeros((3, 3)))
    rate.add(np.array([[0.0, 1, 0], [1, 0, 0], [0, 0, 0]]), exposure=90, sigma=0, at=0, half_life_days=60)
    assert _beyond_chance(rate) is rate


def test_how_far_neighbours_are_more_than_noise_is_known() -> None:
    def trust(items: Rate) -> float:
        return _matrix(released(KINDS, {}, 1), items, DOMAIN, GROUPS, POPULAR, POPULAR > 0, 100, certain=False)[1]

    many = {(first, second): 900.0 for first in range(0, 200, 2) for second in range(first + 1, first + 4)}
    assert trust(released(len(DOMAIN), {}, 2)) < 0.15
    assert trust(released(len(DOMAIN), many, 2)) > 0.7
    exact = Rate(np.zeros((len(DOMAIN), len(DOMAIN))))
    exact.add(np.ones((len(DOMAIN), len(DOMAIN))), exposure=90, sigma=0, at=0, half_life_days=60)
    nothing = Rate(np.zeros((0, 0)))
    assert _matrix(nothing, exact, DOMAIN, GROUPS - 1 - GROUPS, POPULAR, POPULAR > 0, 100, certain=False)[1] == 1
