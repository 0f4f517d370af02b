"""`exact` item vectors beside the field's: time and loss per iteration, the same matrix, objective and threads, one
iteration of each in turns.

    .venv/bin/python -m tests.bench.als_speed --threads 2
    .venv/bin/python -m tests.bench.als_speed --threads 2 --implicit /path/to/python   # one with implicit==0.7.3

6 million interactions of 53,000 people with 10,000 items, d = 64. The other library is none of ours: the Python that
has it runs it, in the same minutes. Its objective has one weight more in the target than in the square; with the ridge
and the vectors scaled by it, it is this one exactly (`OTHER_WEIGHT`): 20 per observed (1 - x.y)^2, 1 per any (x.y)^2,
10 per squared length.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
from scipy.sparse import csr_matrix, save_npz

from app.learning.als import Half, nearer

PEOPLE, ITEMS, ENTRIES, DIMENSIONS = 53_000, 10_000, 6_000_000, 64
WEIGHT, RIDGE, ITERATIONS = 20.0, 10.0, 8
OTHER_WEIGHT = (WEIGHT + 1) / WEIGHT

OTHER = """
import sys, time, numpy as np
from scipy.sparse import load_npz
from implicit.cpu.als import AlternatingLeastSquares
table, out, threads, iterations, weight, ridge = load_npz(sys.argv[1]), *sys.argv[2:]
table.data[:] = float(weight)
model = AlternatingLeastSquares(64, regularization=float(ridge), alpha=1.0, iterations=int(iterations), use_cg=True,
                                num_threads=int(threads), random_state=1)
mark = [0.0, 0.0]
def wait():
    sys.stdin.readline()
    mark[:] = time.time(), time.process_time()
def heard(iteration, *rest):
    now, used = time.time(), time.process_time()
    np.savez(f"{out}-{iteration}.npz", people=model.user_factors, items=model.item_factors)
    print(now - mark[0], used - mark[1], flush=True)
    wait()
wait()
model.fit(table, show_progress=False, callback=heard)
"""


@dataclass(frozen=True)
class Took:
    """One iteration: seconds, seconds of CPU, and the loss after it."""

    wall: float
    cpu: float
    loss: float


def shop(seed: int) -> csr_matrix:
    """Uneven popularity and histories, with a taste behind them."""
    random = np.random.default_rng(seed)
    lengths = random.lognormal(0, 1.0, PEOPLE)
    lengths = np.maximum((lengths * ENTRIES * 1.25 / lengths.sum()).astype(np.int64), 2)
    popularity = random.lognormal(0, 1.2, ITEMS)
    kind = random.integers(0, 40, ITEMS)
    person = np.repeat(np.arange(PEOPLE), lengths)
    drawn = random.choice(ITEMS, len(person), p=popularity / popularity.sum())
    own = random.random(len(person)) < 0.6
    likes = random.integers(0, 40, (PEOPLE, 3))[person, random.integers(0, 3, len(person))]
    for number in range(40):
        items = np.flatnonzero(kind == number)
        here = np.flatnonzero(own & (likes == number))
        drawn[here] = random.choice(items, len(here), p=popularity[items] / popularity[items].sum())
    table = csr_matrix((np.ones(len(person), np.float32), (person, drawn)), shape=(PEOPLE, ITEMS))
    table.data[:] = 1
    return table


def loss(table: csr_matrix, people: np.ndarray, items: np.ndarray) -> float:
    """The objective per observed entry."""
    everywhere = float(np.sum((people.T.astype(float) @ people) * (items.T.astype(float) @ items)))
    rows = np.repeat(np.arange(table.shape[0]), np.diff(table.indptr))
    observed = 0.0
    for first in range(0, table.nnz, 500_000):
        part = slice(first, first + 500_000)
        scores = np.einsum("nd,nd->n", people[rows[part]], items[table.indices[part]])
        observed += float(((1 - scores) ** 2).sum())
    lengths = float((people**2).sum() + (items**2).sum())
    return (WEIGHT * observed + everywhere + RIDGE * lengths) / table.nnz


def ours(table: csr_matrix, threads: int) -> Iterator[Took]:
    by_person = csr_matrix(table * np.float32(WEIGHT), dtype=np.float32)
    by_item = csr_matrix(by_person.T)
    items = np.random.default_rng(1).normal(0, 0.1 / 8, (ITEMS, DIMENSIONS)).astype(np.float32)
    people = np.zeros((PEOPLE, DIMENSIONS), np.float32)
    half = Half(1.0, 1e-9, RIDGE / 1e-9)  # a ridge that is the same for every row, whatever it holds
    while True:
        began, used = time.time(), time.process_time()
        people = nearer(by_person, items, people, half, threads)
        items = nearer(by_item, people, items, half, threads)
        wall, cpu = time.time() - began, time.process_time() - used
        yield Took(wall, cpu, loss(table, people, items))


def theirs(table: csr_matrix, python: str, threads: int) -> Iterator[Took]:
    """Each iteration when it is asked for, so that both libraries meet the same minutes of the machine."""
    with TemporaryDirectory() as folder:
        save_npz(Path(folder) / "table.npz", table)
        arguments = [f"{folder}/table.npz", f"{folder}/out", str(threads), str(ITERATIONS), str(WEIGHT + 1),
                     str(RIDGE * OTHER_WEIGHT)]  # fmt: skip
        with subprocess.Popen(
            [python, "-c", OTHER, *arguments], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        ) as process:  # fmt: skip
            assert process.stdin is not None
            assert process.stdout is not None
            for number in range(ITERATIONS):
                process.stdin.write("\n")
                process.stdin.flush()
                line = process.stdout.readline()
                if not line:
                    sys.exit("the other library ended; its reason stands above")
                wall, cpu = map(float, line.split())
                found = np.load(f"{folder}/out-{number}.npz")
                people, items = (found[name] / np.float32(np.sqrt(OTHER_WEIGHT)) for name in ("people", "items"))
                yield Took(wall, cpu, loss(table, people, items))
            process.stdin.close()


def told(name: str, number: int, took: Took) -> None:
    print(f"{name:<12} {number}: {took.wall:.2f} s, {took.cpu:.2f} s of CPU, loss {took.loss:.4f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--implicit", default="", help="a Python in which implicit==0.7.3 is installed")
    asked = parser.parse_args()
    table = shop(1)
    print(f"{table.shape[0]:,} x {table.shape[1]:,}, {table.nnz:,} interactions, {asked.threads} threads")
    sides = {"personalize": ours(table, asked.threads)}
    if asked.implicit:
        sides["implicit"] = theirs(table, asked.implicit, asked.threads)
    found: dict[str, list[Took]] = {name: [] for name in sides}
    for number in range(ITERATIONS):
        for name, side in sides.items():
            found[name].append(next(side))
            told(name, number, found[name][-1])
    if asked.implicit:
        mine, others = found["personalize"], found["implicit"]
        first = next((place for place, took in enumerate(mine) if took.loss <= others[-1].loss), ITERATIONS - 1)
        for what in ("cpu", "wall"):
            one, other = ([getattr(took, what) for took in side] for side in (mine, others))
            print(f"{what} of an iteration, ours over theirs: {median(one) / median(other):.2f}; to the loss they reach"
                  f" after {ITERATIONS}: {sum(one[: first + 1]) / sum(other):.2f}")  # fmt: skip


if __name__ == "__main__":
    main()
