"""Starting, growing and remembering: how soon a server answers, how soon it knows a new item, what memory it takes."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path
from statistics import median
from time import perf_counter

import msgspec

from app.bench.figures import Figure
from app.bench.load import Address, ask, closed_loop, connected
from app.bench.questions import get, post, recommendations
from app.bench.scene import Scene
from app.bench.served import CannotMeasure, Served, served
from app.bench.world import new_item
from app.demo import prepare
from app.program import program

DEMO_TOML = Path(prepare.__file__).with_name("demo.toml")
STARTS = 3
NEW_ITEMS = 5
DEMO_REQUESTS = 2000
PATIENCE_SECONDS = 30.0


def start_to_first_answer(scene: Scene) -> list[Figure]:
    """From the start of the process to the first personal list: the very first start, which makes columns of every
    product, and the median of a few starts after a server that has run for a while."""
    (first,) = _starts(scene, 1)
    with scene.server() as server:
        server.settle()
    again = median(_starts(scene, STARTS))
    return [
        Figure(name=f"start to first answer, {scene.world.items:,} items", value=again, unit="s", floor=3, goal=1,
               note=f"{first:.2f} s the very first time"),
    ]  # fmt: skip


def _starts(scene: Scene, count: int) -> list[float]:
    """Seconds to the first answer of so many starts."""
    times = []
    for request in recommendations(scene.world, count, scene.random):
        with scene.server() as server:
            answer = ask(server.address, request)
            times.append(perf_counter() - server.started)
            if answer.status != 200:
                raise CannotMeasure(f"the first answer was {answer.status}: {answer.body[:300]!r}")
    return times


def new_item_recommendable(scene: Scene, server: Served) -> list[Figure]:
    """From sending `PUT /v1/items/{id}` to a list that holds the item: as new, and as similar to its twin."""
    slowest = {"new": 0.0, "similar": 0.0}
    for number in range(NEW_ITEMS):
        twin = 20 * number + 1
        item = new_item(twin, scene.catalogue, scene.now_ms() / 1000)
        with connected(server.address, 1) as (connection,):
            begun = perf_counter()
            connection.ask(_put(scene, msgspec.json.encode(item), item.id), begun)
            answer = connection.answer()
            if answer.status >= 300:
                raise CannotMeasure(f"PUT answered {answer.status}: {answer.body[:300]!r}")
        for placement, before in slowest.items():
            # Among similar ones it competes with all that is known to go with its twin: ask for what came today.
            asked = {"placement": placement, "limit": 50, "filter": f"published > {item.published - 86_400:.0f}"}
            body = {"context": {"item": scene.catalogue.ids[twin]}, "requests": [asked]}
            _until_listed(server.address, post("/v1/recommendations", msgspec.json.encode(body)), item.id)
            slowest[placement] = max(before, perf_counter() - begun)
    return [
        Figure(name="new item in the list of new ones", value=slowest["new"], unit="s", floor=5, goal=1),
        Figure(name="new item among similar ones", value=slowest["similar"], unit="s", floor=5, goal=1),
    ]


def memory(server: Served, name: str, floor: float, goal: float | None = None) -> list[Figure]:
    return [
        Figure(name=f"memory (RSS), {name}", value=server.memory_mb(), unit="MB", floor=floor, goal=goal,
               note=f"at most {server.memory_mb('VmHWM'):.0f} MB")
    ]  # fmt: skip


def demo_memory(scene: Scene) -> list[Figure]:
    """The demo shop's server after some requests; the shop itself is made once per version of its configuration."""
    home = scene.cache / f"demo-{hashlib.sha256(DEMO_TOML.read_bytes()).hexdigest()[:8]}"
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    log = scene.folder / "demo.log"
    if not (home / "prepared").exists():
        scene.said("making the demo shop")
        with log.open("w", encoding="utf-8") as said:
            command = [*program(), "demo", "--data", str(home), "--prepare-only"]
            done = subprocess.run(command, stdout=said, stderr=said, check=False)
        if done.returncode:
            raise CannotMeasure(f"the demo shop could not be made; {log} says why")
        (home / "prepared").touch()
    with served([*program(), "demo", "--data", str(home), "--port", "0"], scene.folder, log) as server:
        question = post("/v1/recommendations", b'{"requests":[{"placement":"home"}]}')
        asked = [get("/demo/"), question] * (DEMO_REQUESTS // 2)
        closed_loop(server.address, asked, 4, scene.seconds)
        return memory(server, "demo shop", 200)


def _put(scene: Scene, body: bytes, name: str) -> bytes:
    return scene.post(f"/v1/items/{name}", body).replace(b"POST ", b"PUT ", 1)


def _until_listed(address: Address, question: bytes, item: str) -> None:
    begun = perf_counter()
    with connected(address, 1) as (connection,):
        while perf_counter() - begun < PATIENCE_SECONDS:
            connection.ask(question, perf_counter())
            if f'"{item}"'.encode() in connection.answer().body:
                return
    raise CannotMeasure(f"{item} is in no list {PATIENCE_SECONDS:.0f} s after it was put")
