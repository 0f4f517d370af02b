"""CPU of a list or a search in this checkout against another one, asked in turns, so that a slow moment of the machine
meets both. Run: python tests/bench/against.py OTHER_CHECKOUT WORLD OTHER_WORLD [--search]

Each world is a folder of its own as `make bench` builds it (a database brought up to date serves no older program).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import mean, median
from time import thread_time
from typing import Any

import numpy as np

BATCH = 25
HEADERS = [(b"host", b"bench"), (b"content-type", b"application/json")]


async def answer(world: Path, search: bool) -> None:
    """A node in this process: for every line that comes in, one with the µs of CPU of each of BATCH questions."""
    from app.bench.questions import recommendations, searches
    from app.bench.world import _read_mark
    from app.config import load_config
    from app.node import open_node
    from app.routes import create_app

    config, mark = load_config(world / "personalize.toml"), _read_mark(world)
    assert mark is not None, f"{world} is no world of the benchmark"
    async with open_node(config, world / "personalize.toml") as node:
        app, random = create_app(node), np.random.default_rng(11)
        asked = searches(mark, node.catalogue, 1 << 20, random) if search else recommendations(mark, 1 << 20, random)
        path = "/v1/search" if search else "/v1/recommendations"
        print("ready", flush=True)
        for _ in sys.stdin:
            bodies = [next(asked).partition(b"\r\n\r\n")[2] for _ in range(BATCH)]
            print(*[round(1e6 * await cost(app, path, body), 1) for body in bodies], flush=True)


async def cost(app: Any, path: str, body: bytes) -> float:  # noqa: ANN401  an ASGI application
    """Seconds of CPU of one answer, without a network."""
    heard: list[dict[str, Any]] = []
    scope = {
        "type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b"",
        "headers": HEADERS, "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 2), "scheme": "http",
        "http_version": "1.1", "root_path": "", "state": {}, "extensions": {}, "asgi": {"version": "3.0"},
    }  # fmt: skip

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        heard.append(message)

    begun = thread_time()
    await app(scope, receive, send)
    took = thread_time() - begun
    assert heard[0]["status"] == 200, heard
    return took


@contextlib.contextmanager
def answering(checkout: Path, world: Path, search: bool) -> Iterator[subprocess.Popen[str]]:
    environment = os.environ | {"PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, __file__, str(checkout), str(world), str(world), "--answer"]
    command += ["--search"] if search else []
    with subprocess.Popen(
        command, cwd=checkout, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "ready"
        yield process
        assert process.stdin is not None
        process.stdin.close()


def ask(process: subprocess.Popen[str]) -> list[float]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    return [float(number) for number in process.stdout.readline().split()]


def main(other: Path, world: Path, other_world: Path, *, search: bool, rounds: int) -> None:
    here = Path(__file__).parents[2]
    with answering(here, world, search) as ours, answering(other, other_world, search) as theirs:
        turns = [(ask(ours), ask(theirs)) for _ in range(rounds + rounds // 3)][rounds // 3 :]
    for name, place in (("here", 0), ("there", 1)):
        costs = np.array([turn[place] for turn in turns]).ravel()
        p10, p50, p99 = np.percentile(costs, [10, 50, 99])
        print(f"{name:<6} p10 {p10:6.0f}  p50 {p50:6.0f}  p99 {p99:6.0f}  mean {costs.mean():6.0f} µs of CPU")
    ratio = median(mean(one) / mean(another) for one, another in turns)
    print(f"here ÷ there, median of {rounds} turns of {BATCH}: {ratio:.3f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("other", type=Path)
    parser.add_argument("world", type=Path)
    parser.add_argument("other_world", type=Path)
    parser.add_argument("--search", action="store_true")
    parser.add_argument("--rounds", type=int, default=36)
    parser.add_argument("--answer", action="store_true", help=argparse.SUPPRESS)
    told = parser.parse_args()
    if told.answer:
        asyncio.run(answer(told.world, told.search))
    else:
        main(told.other, told.world, told.other_world, search=told.search, rounds=told.rounds)
