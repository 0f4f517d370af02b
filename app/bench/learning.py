"""Learning beside answering: a new generation is swapped in under load, a training runs beside the server."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from time import perf_counter, sleep  # noqa: TID251  the benchmark waits for a server of its own

import msgspec
import numpy as np

from app.bench.answering import all_well, percentiles
from app.bench.figures import Figure
from app.bench.load import Answer, ask, open_loop
from app.bench.questions import get, recommendations
from app.bench.scene import Scene
from app.bench.served import LOAD_CORE, CannotMeasure, Served
from store.generation import current, publish

SWAP_RATE = 300.0
SWAPS = 3
APART_SECONDS = 2.0
"""Between two swaps: a shop has hours, and on the server's core a generation is read beside the answers."""
TRAINING_RATE = 500.0
ROUNDS = 3
PATIENCE_SECONDS = 60.0


def swap_under_load(scene: Scene, server: Served) -> list[Figure]:
    """The slowest answer while generations of the world's size are taken over again and again; none may fail."""
    home = own_generations(scene.folder)
    name = current(home)
    if name is None:
        raise CannotMeasure(f"{home}: nothing is published")
    copies = [copied(home, name, f"{name}-swap{number}") for number in range(SWAPS)]
    seconds = max(scene.seconds, SWAPS * (APART_SECONDS + 2.0))
    questions = list(recommendations(scene.world, int(SWAP_RATE * seconds), scene.random))
    quiet = _at_rate(scene, server, questions[: len(questions) // 2], SWAP_RATE)
    taken: list[float] = []

    def swap() -> None:
        for each in copies:
            begun = perf_counter()
            publish(home, each)
            while _serving(server) != each:
                if perf_counter() - begun > PATIENCE_SECONDS:
                    return
                sleep(0.05)
            taken.append(perf_counter() - begun)
            sleep(APART_SECONDS)

    swapping = Thread(target=swap)
    swapping.start()
    answers = _at_rate(scene, server, questions, SWAP_RATE)
    swapping.join()
    publish(home, name)
    if len(taken) < len(copies):
        raise CannotMeasure(f"only {len(taken)} of {len(copies)} generations were taken over")
    before, during = (max(answer.seconds for answer in each) * 1000 for each in (quiet, answers))
    return [
        Figure(name=f"slowest answer while {SWAPS} generations are swapped in", value=during, unit="ms", floor=50,
               note=f"quiet: {before:.0f} ms; {len(answers)} answers at {SWAP_RATE:.0f}/s, none failed"),
        Figure(name="from publishing to serving", value=max(taken), unit="s",
               note=f"{scene.world.items:,} items; it looks twice a second"),
    ]  # fmt: skip


def training_beside(scene: Scene, server: Served) -> list[Figure]:
    """p99 with a training of the world at the lowest priority on the load generator's core, against without."""
    questions = list(recommendations(scene.world, int(TRAINING_RATE * scene.seconds / 2), scene.random))
    quiet, busy = [], []
    for _ in range(ROUNDS):  # in turns: a slow moment of the machine meets both
        quiet += _at_rate(scene, server, questions, TRAINING_RATE)
        with training(scene):
            busy += _at_rate(scene, server, questions, TRAINING_RATE)
    before, during = percentiles(quiet, 99)[0], percentiles(busy, 99)[0]
    return [
        Figure(name=f"recommend p99 at {TRAINING_RATE:.0f}/s beside a training ÷ quiet", value=during / before,
               unit="×", floor=2, note=f"{during:.1f} and {before:.1f} ms"),
    ]  # fmt: skip


@contextmanager
def training(scene: Scene) -> Iterator[None]:
    """The very steps of `personalize train`, over and over, in a process like the one the schedule starts."""
    command = ["nice", "-n", "19", sys.executable, "-m", "app.bench.trainer", str(scene.cache / _size(scene))]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1",
                                "OPENBLAS_NUM_THREADS": "1"}  # fmt: skip
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            if LOAD_CORE in os.sched_getaffinity(0):
                os.sched_setaffinity(process.pid, {LOAD_CORE})
            assert process.stdout is not None
            if "learning" not in process.stdout.readline():
                raise CannotMeasure("the training did not begin")
            yield
        finally:
            process.kill()
            process.wait()


def own_generations(folder: Path) -> Path:
    """The copy's own folder of generations instead of the link to the world's: what is published stays in the copy."""
    home = folder / "generations"
    if home.is_symlink():
        world = home.resolve()
        made = folder / "generations.own"
        made.mkdir(mode=0o700)
        for each in world.iterdir():
            (made / each.name).symlink_to(each, target_is_directory=each.is_dir())
        (made / "current").unlink()
        (made / "current").write_text((world / "current").read_text())
        home.unlink()
        made.rename(home)
    return home


def copied(home: Path, name: str, other: str) -> str:
    """The same generation under another name: its files linked, its manifest its own."""
    target = home / other
    target.mkdir(mode=0o700, exist_ok=True)
    for file in (home / name).iterdir():
        if file.name != "manifest.json":
            (target / file.name).symlink_to(file.resolve())
    manifest = msgspec.json.decode((home / name / "manifest.json").read_bytes())
    manifest["id"] = manifest["card"]["id"] = other
    (target / "manifest.json").write_bytes(msgspec.json.encode(manifest))
    return other


def _size(scene: Scene) -> str:
    return scene.folder.name.removesuffix("-run")


def _serving(server: Served) -> str:
    generation: str = msgspec.json.decode(ask(server.address, get("/readyz")).body)["generation"]
    return generation


def _at_rate(scene: Scene, server: Served, questions: Sequence[bytes], rate: float) -> list[Answer]:
    due = np.cumsum(scene.random.exponential(1 / rate, len(questions))).tolist()
    answers = open_loop(server.address, questions, due)
    all_well(answers)
    return answers
