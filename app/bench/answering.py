"""How fast lists and searches are answered, and what an answer costs beside the least a server can do."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import cycle

import msgspec
import numpy as np

from app.bench.figures import Figure
from app.bench.load import Answer, closed_loop, open_loop
from app.bench.questions import post, recommendations, searches
from app.bench.scene import Scene
from app.bench.served import CannotMeasure, Served, served

RATE = 300.0
WARM_UP = 300
SETTLED = 1500
"""Lists after which every filter of the world was asked in every region."""
PATIENCE_SECONDS = 60.0
CONNECTIONS = 16
TURNS = 12


class _List(msgspec.Struct):
    strategy: str
    items: list[_Id]


class _Id(msgspec.Struct):
    id: str


class _Lists(msgspec.Struct):
    results: list[_List]


_read = msgspec.json.Decoder(_Lists).decode


def recommend_latency(scene: Scene, server: Served) -> list[Figure]:
    """Open loop, Poisson arrivals: a slow answer delays nobody's question, and its own wait is counted."""
    closed_loop(server.address, recommendations(scene.world, WARM_UP, scene.random), CONNECTIONS, scene.seconds)
    answers = _at_rate(scene, server, list(recommendations(scene.world, int(RATE * scene.seconds), scene.random)))
    p50, p90, p99 = percentiles(answers, 50, 90, 99)
    lists = [_read(answer.body).results[0] for answer in answers]
    personal = sum(one.strategy == "personalized" for one in lists) / len(lists)
    distinct = len({tuple(item.id for item in one.items) for one in lists}) / len(lists)
    full = sum(len(one.items) == 10 for one in lists) / len(lists)
    at = f"recommend at {RATE:.0f}/s"
    return [
        Figure(name=f"{at}, p50", value=p50, unit="ms", floor=3, goal=1.5),
        Figure(name=f"{at}, p90", value=p90, unit="ms", floor=7),
        Figure(name=f"{at}, p99", value=p99, unit="ms", floor=15, goal=6),
        Figure(name="answers personalized", value=100 * personal, unit="%", floor=95, better="higher"),
        Figure(
            name="lists unlike each other", value=100 * distinct, unit="%", note=f"{100 * full:.0f} % of full length"
        ),
    ]


def recommend_saturation(scene: Scene, server: Served) -> list[Figure]:
    """As fast as one core answers, and the CPU time of one answer (all of the server's threads)."""
    rate, cpu = _saturated(scene, server)
    return [
        Figure(name="recommend, one core saturated", value=rate, unit="requests/s",
               floor=600, goal=1500, better="higher"),
        Figure(name="CPU of a recommend", value=cpu, unit="µs"),
    ]  # fmt: skip


def cost_beside_echo(scene: Scene) -> list[Figure]:
    """CPU time of a list and of an echo of the same body, both on stock Hypercorn, and of an echo on fast_http.

    All three are asked in turns, the others idle, so that a slow moment of the machine meets all of them.
    """
    lists = list(recommendations(scene.world, int(2500 * scene.seconds), scene.random))
    echoes = [post("/echo", request.partition(b"\r\n\r\n")[2]) for request in lists]
    with scene.server(stock=True) as server, _echo(scene, "stock") as echo, _echo(scene, "fast") as fast:
        server.settle()
        # A server that runs has met its filters and bestsellers before: a fresh one makes 200 masks and texts first.
        closed_loop(server.address, lists[-SETTLED:], CONNECTIONS, PATIENCE_SECONDS)
        asked = [(server, cycle(lists)), (echo, cycle(echoes)), (fast, cycle(echoes))]
        costs = np.array([[_cost(one, questions, scene.seconds / TURNS) for one, questions in asked]
                          for _ in range(TURNS + 1)])[1:]  # fmt: skip
    ratio = float(np.median(costs[:, 0] / costs[:, 1]))
    recommend, stock, quick = np.median(costs, axis=0).tolist()
    return [
        Figure(name="CPU of a recommend ÷ an echo, both stock", value=ratio, unit="×", floor=5, goal=3),
        Figure(name="    a recommend, stock Hypercorn", value=recommend, unit="µs"),
        Figure(name="    an echo, stock Hypercorn", value=stock, unit="µs"),
        Figure(name="    an echo, fast_http", value=quick, unit="µs"),
    ]


def _echo(scene: Scene, kind: str) -> AbstractContextManager[Served]:
    return served([sys.executable, "-m", "app.bench.echo", kind], scene.folder, scene.folder / f"echo-{kind}.log")


def _cost(server: Served, questions: Iterator[bytes], seconds: float) -> float:
    """Microseconds of CPU per answer, kept busy."""
    before = server.cpu_seconds()
    answers, _ = closed_loop(server.address, questions, CONNECTIONS, seconds)
    all_well(answers)
    return (server.cpu_seconds() - before) / len(answers) * 1e6


def _saturated(scene: Scene, server: Served) -> tuple[float, float]:
    """Requests a second, and microseconds of CPU of each."""
    questions = list(recommendations(scene.world, int(3000 * scene.seconds), scene.random))
    before = server.cpu_seconds()
    answers, took = closed_loop(server.address, questions, CONNECTIONS, scene.seconds)
    cpu = (server.cpu_seconds() - before) / len(answers) * 1e6
    all_well(answers)
    return len(answers) / took, cpu


def search_latency(scene: Scene, server: Served) -> list[Figure]:
    """Queries of one to three words, some misspelt, by random visitors; open loop."""
    closed_loop(server.address, searches(scene.world, scene.catalogue, 100, scene.random), CONNECTIONS, scene.seconds)
    questions = list(searches(scene.world, scene.catalogue, int(RATE * scene.seconds), scene.random))
    before = server.cpu_seconds()
    answers = _at_rate(scene, server, questions)
    cpu = (server.cpu_seconds() - before) / len(answers) * 1e6
    p50, p99 = percentiles(answers, 50, 99)
    return [
        Figure(name=f"search at {RATE:.0f}/s, p50", value=p50, unit="ms"),
        Figure(name=f"search at {RATE:.0f}/s, p99", value=p99, unit="ms", floor=30, goal=10),
        Figure(name="CPU of a search", value=cpu, unit="µs"),
    ]


def _at_rate(scene: Scene, server: Served, questions: Sequence[bytes]) -> list[Answer]:
    due = np.cumsum(scene.random.exponential(1 / RATE, len(questions))).tolist()
    answers = open_loop(server.address, questions, due)
    all_well(answers)
    return answers


def percentiles(answers: Sequence[Answer], *wanted: float) -> list[float]:
    return [float(found) for found in np.percentile([answer.seconds * 1000 for answer in answers], wanted)]


def all_well(answers: Sequence[Answer]) -> None:
    wrong = [answer for answer in answers if answer.status >= 300]
    if wrong or not answers:
        said = wrong[0].body.decode(errors="replace")[:500] if wrong else "nothing"
        raise CannotMeasure(f"{len(wrong)} of {len(answers)} answers are no answer; the first: {said}")
