"""Runs the measurements one after the other on a copy of the world, and sums them up."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from app.bench import answering, learning, living, taking_in
from app.bench.figures import Figure, Report, calibrated
from app.bench.scene import Scene, own_core, warm
from app.bench.served import LOAD_CORE, CannotMeasure, calibration_ms
from app.bench.world import CONFIG_FILE, SEED, Size, build_world, copy_world
from store.shop import read_catalogue

Said = Callable[[str], None]


async def run(cache: Path, size: Size, seconds: float, parts: tuple[str, ...], said: Said) -> Report:
    """Everything asked for. Raises CannotMeasure, with what to do."""
    if getattr(sys, "frozen", False):
        raise CannotMeasure("the one-file program does not carry the benchmark; run `make bench` in a checkout")
    folder, world = await build_world(cache, size, said)
    with _copy(folder, cache / f"{size.name}-run", said) as copy:
        sys.setswitchinterval(0.0005)
        scene = Scene(
            copy, cache, world, read_catalogue(copy / "shop.db"), seconds, np.random.default_rng(SEED), said
        )  # fmt: skip
        own_core(LOAD_CORE)
        before = calibration_ms()
        figures = [*measure(scene, parts)]
        loop = (before + calibration_ms()) / 2
    figures = [calibrated(figure, loop) for figure in figures]
    shape = {"items": world.items, "people": world.people, "seconds_to_build": world.seconds}
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    return Report(shape, machine, loop, figures)


def measure(scene: Scene, parts: tuple[str, ...]) -> Iterator[Figure]:
    """In an order in which nothing that is measured has been changed by what was measured before."""
    for name, part in (("start", living.start_to_first_answer), ("recommend", answering.cost_beside_echo)):
        if name in parts:
            scene.said(f"measuring: {name}")
            yield from part(scene)
    with scene.server() as server:
        yield Figure(name="work after the start", value=server.settle(), unit="s of CPU")
        if "recommend" in parts:
            scene.said("measuring: recommend")
            yield from answering.recommend_latency(scene, server)
            yield from answering.recommend_saturation(scene, server)
        if "swap" in parts:
            scene.said("measuring: swap")
            yield from learning.swap_under_load(scene, server)
        if "training" in parts:
            scene.said("measuring: training")
            yield from learning.training_beside(scene, server)
        if "search" in parts:
            scene.said("measuring: search")
            yield from answering.search_latency(scene, server)
        if "events" in parts:
            scene.said("measuring: events")
            yield from taking_in.event_to_list(scene, server)
            yield from taking_in.ingest_over_http(scene, server)
            yield from taking_in.ingest_by_import(scene, server)
        if "items" in parts:
            scene.said("measuring: items")
            yield from living.new_item_recommendable(scene, server)
        yield from living.memory(server, "this world", 1500, 800)
    if "demo" in parts:
        scene.said("measuring: demo")
        yield from living.demo_memory(scene)


@contextmanager
def _copy(folder: Path, target: Path, said: Said) -> Iterator[Path]:
    said("copying the world")
    try:
        copy_world(folder, target)
        for path in (target / CONFIG_FILE, *target.glob("*.db")):
            warm(path)
        yield target
    finally:
        shutil.rmtree(target, ignore_errors=True)
