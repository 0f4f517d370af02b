"""Private item vectors of a million people: minutes and memory, by shards in one process or several.

    .venv/bin/python -m tests.bench.dp_als_speed --workers 2

Floor: 1,000,000 people, 10,000 items, d = 32, 3 steps in under 10 minutes and 4 GB (all processes) on two cores.
"""

from __future__ import annotations

import argparse
import os
import threading
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import psutil  # type: ignore[import-untyped]  # ships no types
from scipy.sparse import csr_matrix

from app.config import parse_config
from app.learning.contributions import contributions
from app.learning.dp_als import PART, Behind, Recipe, starting_vectors, steps
from app.learning.engine import sums_over
from app.learning.release import open_door
from app.program import program
from plugins.engine import EngineSetup
from plugins.process_pool import Plugin


def shop(people: int, items: int, mean: float, seed: int) -> csr_matrix:
    """Interactions with popularity and lengths of histories as uneven as a shop's."""
    random = np.random.default_rng(seed)
    lengths = np.clip(random.lognormal(np.log(mean) - 0.4, 0.9, people).astype(np.int64), 1, 200)
    popularity = random.lognormal(0, 1.2, items)
    drawn = random.choice(items, int(lengths.sum()), p=popularity / popularity.sum()).astype(np.int32)
    table = csr_matrix(
        (np.ones(len(drawn), np.float32), drawn, np.concatenate([[0], np.cumsum(lengths)])), shape=(people, items)
    )
    table.sum_duplicates()
    return table


class Peak(threading.Thread):
    """Watches what this process and its children hold together."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.megabytes = 0.0
        self.ended = threading.Event()

    def run(self) -> None:
        mine = psutil.Process()
        while not self.ended.wait(0.2):
            held = 0
            for process in (mine, *mine.children(recursive=True)):
                try:
                    held += process.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
            self.megabytes = max(self.megabytes, held / 1e6)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=1_000_000)
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--mean", type=float, default=20.0)
    parser.add_argument("--dimensions", type=int, default=32)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()
    table = shop(asked.people, asked.items, asked.mean, 1)
    counts = np.bincount(table.indices, minlength=asked.items)
    recipe = replace(Recipe(), dimensions=asked.dimensions, steps=asked.steps)
    peak = Peak()
    peak.start()
    began, used = time.time(), os.times()
    people = contributions(table, counts, exponent=recipe.exponent, per_person=recipe.per_person)
    entries = table.nnz
    del table
    engine = Plugin(workers=asked.workers).training_engine(EngineSetup(tuple(program())))
    sums = sums_over(people, recipe, engine, shard_people=65_536, statistics_bytes=256 << 20)
    config = parse_config({"privacy": {"learned": "dp", "shares": {PART: 1.0}}})
    start = starting_vectors(asked.items, asked.dimensions, np.random.default_rng(1))
    with TemporaryDirectory() as folder, open_door(Path(folder), config, 0.0) as door:
        for number, _ in enumerate(steps(sums, recipe, door, start, Behind(counts, asked.people))):
            print(f"step {number + 1}: {time.time() - began:.0f} s", flush=True)
    engine.close()
    took, now = time.time() - began, os.times()
    peak.ended.set()
    cpu = sum(now[:4]) - sum(used[:4])
    print(f"{asked.people:,} people x {asked.items:,} items, {entries:,} entries, d = {asked.dimensions},"
          f" {asked.steps} steps, {asked.workers} workers: {took:.0f} s ({cpu:.0f} s of CPU),"
          f" {peak.megabytes:,.0f} MB")  # fmt: skip


if __name__ == "__main__":
    main()
