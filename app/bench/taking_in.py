"""How fast events become durable features, and how soon a list shows them."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from time import perf_counter

import msgspec
import numpy as np

from app.bench.answering import all_well, percentiles
from app.bench.figures import Figure
from app.bench.goods import item_id
from app.bench.load import Address, Answer, ask, closed_loop, connected, open_loop
from app.bench.questions import EVENTS_PER_BATCH, batches, get, post, viewing, visitor
from app.bench.scene import Scene
from app.bench.served import CannotMeasure, Served
from app.ingest.bulk import ImportResult

CONNECTIONS = 32
BACKGROUND_EVENTS = 1000
MOST_EVENTS_PER_SECOND = 30_000
TRIES = 200
_STEP = re.compile(r'personalize_ingest_step_(events|seconds)_total\{step="(\w+)"\} (\S+)')


def ingest_over_http(scene: Scene, server: Served) -> list[Figure]:
    """Batches of ten events of random visitors on keep-alive connections, each acknowledged after its commit."""
    count = int(MOST_EVENTS_PER_SECOND / EVENTS_PER_BATCH * scene.seconds)
    bodies = batches(scene.world, count, scene.now_ms(), scene.random, scene.words)
    requests = [scene.post("/v1/events", body) for body in bodies]
    closed_loop(server.address, requests[:100], CONNECTIONS, scene.seconds)
    before, cpu = _steps(server), server.cpu_seconds()
    answers, took = closed_loop(server.address, requests[100:], CONNECTIONS, scene.seconds)
    cpu = (server.cpu_seconds() - cpu) / len(answers) / EVENTS_PER_BATCH * 1e6
    after = _steps(server)
    all_well(answers)
    _all_accepted(answers)
    p50, p99 = percentiles(answers, 50, 99)
    rate = len(answers) * EVENTS_PER_BATCH / took
    return [
        Figure(name="ingest over HTTP, durable", value=rate, unit="events/s", floor=6000, goal=20_000, better="higher",
               note=f"acknowledged p50 {p50:.1f} ms, p99 {p99:.1f} ms"),
        Figure(name="CPU of an event, all in", value=cpu, unit="µs"),
        *_step_figures(before, after),
    ]  # fmt: skip


def ingest_by_import(scene: Scene, server: Served) -> list[Figure]:
    """The same batches as lines of one request."""
    count = int(10_000 / EVENTS_PER_BATCH * scene.seconds)
    body = b"\n".join(batches(scene.world, count, scene.now_ms(), scene.random, scene.words))
    begun = perf_counter()
    answer = ask(server.address, scene.post("/v1/events:import", body, "application/x-ndjson"))
    took = perf_counter() - begun
    all_well([answer])
    result = msgspec.json.decode(answer.body, type=ImportResult)
    if result.accepted != count * EVENTS_PER_BATCH:
        raise CannotMeasure(f"of {count * EVENTS_PER_BATCH} events {result.accepted} were accepted: {result}")
    return [
        Figure(name="ingest through :import", value=result.accepted / took, unit="events/s",
               floor=10_000, goal=40_000, better="higher")
    ]  # fmt: skip


def event_to_list(scene: Scene, server: Served) -> list[Figure]:
    """A visitor looks at an item, and the next list shows it, while others send BACKGROUND_EVENTS a second."""
    seconds = scene.seconds
    count = int(BACKGROUND_EVENTS / EVENTS_PER_BATCH * seconds)
    bodies = batches(scene.world, count, scene.now_ms(), scene.random, scene.words)
    requests = [scene.post("/v1/events", body) for body in bodies]
    others: list[Answer] = []
    crowd = threading.Thread(
        target=lambda: others.extend(open_loop(server.address, requests, np.linspace(0, seconds, count).tolist()))
    )
    crowd.start()
    times: list[float] = []
    late = 0
    stop = perf_counter() + seconds - 0.2
    while perf_counter() < stop and len(times) < TRIES:
        person = int(scene.random.integers(scene.world.people))
        # One that is shown in every region.
        item = int(scene.random.integers(scene.world.items // 20)) * 20 + 1
        took, tries = _until_shown(scene, server.address, person, item)
        times.append(took)
        late += tries > 1
    crowd.join()
    all_well(others)
    p50, p99 = np.percentile(np.array(times) * 1000, [50, 99])
    rate = len(others) * EVENTS_PER_BATCH / seconds
    note = f"beside {rate:,.0f} events/s, {len(times)} tries, {late} not by the very next request"
    return [
        Figure(name="event to changed list, p50", value=float(p50), unit="ms"),
        Figure(name="event to changed list, p99", value=float(p99), unit="ms", floor=100, goal=20, note=note),
    ]


class _Item(msgspec.Struct):
    id: str


class _List(msgspec.Struct):
    items: list[_Item]


class _Lists(msgspec.Struct):
    results: list[_List]


def _until_shown(scene: Scene, address: Address, person: int, item: int) -> tuple[float, int]:
    """Seconds from sending the event to holding a list that begins with the item, and how many lists it took."""
    event = scene.post("/v1/events", viewing(person, item, scene.now_ms()))
    asks = [{"placement": "recently-viewed", "limit": 3}, {"placement": "home", "limit": 10}]
    question = post(
        "/v1/recommendations",
        msgspec.json.encode({"visitor": visitor(person), "context": {"region": "DE"}, "requests": asks}),
    )
    with connected(address, 1) as (connection,):
        begun = perf_counter()
        connection.ask(event, begun)
        all_well([connection.answer()])
        for tries in range(1, 100):
            connection.ask(question, perf_counter())
            shown = msgspec.json.decode(connection.answer().body, type=_Lists).results[0].items
            if shown and shown[0].id == item_id(item):
                return perf_counter() - begun, tries
    raise CannotMeasure("an event that was acknowledged shows in no list")


def _all_accepted(answers: Sequence[Answer]) -> None:
    refused = [answer.body for answer in answers if answer.body.count(b'"accepted"') != EVENTS_PER_BATCH]
    if refused:
        raise CannotMeasure(f"{len(refused)} of {len(answers)} batches were not accepted whole: {refused[0][:300]!r}")


def _steps(server: Served) -> dict[str, tuple[float, float]]:
    """Step -> (events, seconds) so far."""
    text = ask(server.address, get("/metrics")).body.decode()
    found: dict[str, dict[str, float]] = {}
    for kind, step, value in _STEP.findall(text):
        found.setdefault(step, {})[kind] = float(value)
    return {step: (sums["events"], sums["seconds"]) for step, sums in found.items()}


def _step_figures(before: dict[str, tuple[float, float]], after: dict[str, tuple[float, float]]) -> list[Figure]:
    figures = []
    for step, (events, seconds) in after.items():
        old_events, old_seconds = before.get(step, (0.0, 0.0))
        if events > old_events:
            cost = (seconds - old_seconds) / (events - old_events) * 1e6
            figures.append(Figure(name=f"    step {step}", value=cost, unit="µs an event"))
    return figures
