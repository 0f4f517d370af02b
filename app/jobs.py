"""What runs beside the requests: the retention sweep, the training schedule, the watch for a new generation."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

from app.experiments.reports import tell_all
from app.feeds.schedule import pull_on_schedule
from app.learning.pin import pin
from app.learning.runs import REFUSED
from app.learning.trainings import SCHEDULE
from app.node import Node
from app.privacy.retention import sweep
from app.privacy.rotation import rotate_on_schedule
from app.program import NICE, program
from plugins.calls import PluginFailed
from store.beside import in_thread
from store.faults import StoreFault

logger = logging.getLogger("personalize")

SOON = 60.0
"""Seconds after the start in which the machine is left to the requests."""

Job = Callable[[], Coroutine[Any, Any, None]]


def background_jobs(node: Node) -> list[tuple[str, Job]]:
    """Name and coroutine function of every job; a crash of one ends the process."""
    jobs: list[tuple[str, Job]] = [
        ("generation watch", lambda: watch_generations(node)),
        ("retention sweep", lambda: sweep_on_schedule(node)),
        ("key rotation", lambda: rotate_on_schedule(node)),
        ("search descriptions", node.shop.finish_search),
        ("training schedule", lambda: train_on_schedule(node)),
        ("experiment reports", lambda: report_experiments(node)),
        ("rules watch", node.rule_book.watch),
        ("rules impact", node.impact.write_on_schedule),
        ("audit expiry", lambda: forget_old_audit(node)),
    ]
    jobs += [
        (f"feed {name}", partial(pull_on_schedule, node, name))
        for name, feed in node.config.feeds.items()
        if feed.every_minutes
    ]
    jobs += [(f"plugin job {job.__name__}", job) for job in node.plugins.background(node)]
    return jobs


async def watch_generations(node: Node, every_seconds: float = 0.5) -> None:
    """Take over what `personalize train` publishes, whoever ran it: in a thread that rests most of the time, so that no
    request waits for the disk or for the processor."""
    while True:
        await in_thread(node.generations.take_over)
        await asyncio.sleep(every_seconds)


async def sweep_on_schedule(node: Node) -> None:
    """Remove what has outlived its time to live. A sweep that cannot write is said by /readyz until one succeeds."""
    while True:
        try:
            await sweep(node)
        except (StoreFault, PluginFailed) as fault:
            logger.error("the retention sweep stopped: %s", fault)
            told = fault.what if isinstance(fault, StoreFault) else str(fault)
            node.stalled["retention sweep"] = f"what has expired could not be removed: {told}"
        else:
            node.stalled.pop("retention sweep", None)
        await asyncio.sleep(node.config.retention.sweep_minutes * 60)


async def forget_old_audit(node: Node) -> None:
    """Once a day, take what is too old out of the book of what staff did. The disk may be full: it tries again."""
    while True:
        with contextlib.suppress(StoreFault):
            await node.staff.forget_old()
        await asyncio.sleep(86_400)


async def report_experiments(node: Node) -> None:
    """Every hour publish what may be told of experiments by now, so that there is a report for every day."""
    while True:
        with contextlib.suppress(StoreFault):
            await tell_all(node)
        await asyncio.sleep(3_600)


async def train_on_schedule(node: Node) -> None:
    """A child process, so that its memory and its crashes stay out of the server. While a generation is pinned, none
    begins by itself."""
    counted = node.metrics.counter("training_runs", "Training runs by outcome.", ["outcome"])
    period = node.config.training.every_hours * 3600
    wait: float | None = first_training_in(node) if period else None
    while True:
        by = await node.trainings.next(wait)
        if node.catalogue.size and (by != SCHEDULE or pin(node.generations.folder) is None):
            node.trainings.at_work = True
            code, said = await train_in_child(node.config_path, by, node.config.training.threads)
            outcome = {0: "published", REFUSED: "refused"}.get(code, "failed")
            counted.labels(outcome).inc()
            if outcome == "failed":
                told = said if code > 0 else f"it was killed by {_signal(-code)}"
                logger.error("training failed, the serving generation stays: %s", told)
            elif outcome == "refused":
                logger.warning("training: %s", said)
        node.trainings.at_work = False
        wait = (period if node.catalogue.size else SOON) if period else None


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def first_training_in(node: Node) -> float:
    """Seconds from the start to the first training: when the serving generation is old enough, restarts or not; soon
    where nothing was learned yet."""
    period = node.config.training.every_hours * 3600
    created = float(node.generations.serving.card.get("created", 0))
    return min(max(created + period - node.clock.now(), SOON), period)


async def train_in_child(config_path: Path, by: str = SCHEDULE, threads: int = 1) -> tuple[int, str]:
    """Run `personalize train` as this very program: exit code and last line said."""
    cores = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    child = await asyncio.create_subprocess_exec(
        *NICE, *program(), "-c", str(config_path), "train", "--quiet", "--by", by,
        env={**os.environ, **cores}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        output, _ = await child.communicate()
    except asyncio.CancelledError:
        child.terminate()
        await child.wait()
        raise
    lines = output.decode(errors="replace").strip().splitlines()
    return child.returncode or 0, lines[-1] if lines else ""
