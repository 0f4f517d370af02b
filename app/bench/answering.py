"""How fast lists and searches are answered, and what an answer costs beside the least a server can do."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import msgspec
import numpy as np

from app.bench.figures import Figure
from app.bench.load import Answer, closed_loop, open_loop
from app.bench.questions import post, recommendations, searches
from app.bench.scene import Scene
from app.bench.served import CannotMeasure, Served, served

RATE = 300.0
WARM_UP = 300
CONNECTIONS = 16


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
    """CPU time of a list and of an echo, both on stock Hypercorn, and of an echo on HTTP as it is served."""
    with scene.server(stock=True) as server:
        server.settle()
        closed_loop(server.address, recommendations(scene.world, WARM_UP, scene.random), CONNECTIONS, scene.seconds)
        rate, recommend = _saturated(scene, server)
    echo, echo_rate = _echo(scene, "stock")
    fast, fast_rate = _echo(scene, "fast")
    return [
        Figure(name="CPU of a recommend ÷ an echo, both stock", value=recommend / echo, unit="×", floor=5, goal=3),
        Figure(name="    a recommend, stock Hypercorn", value=recommend, unit="µs", note=f"{rate:,.0f} requests/s"),
        Figure(name="    an echo, stock Hypercorn", value=echo, unit="µs", note=f"{echo_rate:,.0f} requests/s"),
        Figure(name="    an echo, fast_http", value=fast, unit="µs", note=f"{fast_rate:,.0f} requests/s"),
    ]


def _saturated(scene: Scene, server: Served) -> tuple[float, float]:
    """Requests a second, and microseconds of CPU of each."""
    questions = list(recommendations(scene.world, int(3000 * scene.seconds), scene.random))
    before = server.cpu_seconds()
    answers, took = closed_loop(server.address, questions, CONNECTIONS, scene.seconds)
    cpu = (server.cpu_seconds() - before) / len(answers) * 1e6
    all_well(answers)
    return len(answers) / took, cpu


def _echo(scene: Scene, kind: str) -> tuple[float, float]:
    """Microseconds of CPU, and requests a second, asked the same way with bodies of the same size."""
    questions = [
        post("/echo", request.partition(b"\r\n\r\n")[2])
        for request in recommendations(scene.world, int(8000 * scene.seconds / 2), scene.random)
    ]
    command = [sys.executable, "-m", "app.bench.echo", kind]
    with served(command, scene.folder, scene.folder / "echo.log") as server:
        closed_loop(server.address, questions[:WARM_UP], CONNECTIONS, scene.seconds)
        before = server.cpu_seconds()
        answers, took = closed_loop(server.address, questions, CONNECTIONS, scene.seconds / 2)
        cpu = (server.cpu_seconds() - before) / len(answers) * 1e6
    all_well(answers)
    return cpu, len(answers) / took


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
