"""What trainings did: which step one is at, how far it is, how it ended. Kept beside the generations, without a person.

Only the trainer that holds the lock writes `runs.json`; whoever reads it sees by its process whether a run that never
ended is still at work or died.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Literal

import msgspec

from store.clock import Clock

REFUSED = 3
"""Exit code of a training whose result was not good enough to serve."""

KILOBYTES_PER_MB = 1024
Outcome = Literal["running", "published", "refused", "failed", "died"]


class TrainingRun(msgspec.Struct, kw_only=True):
    """One training."""

    number: int
    began: float
    """Epoch seconds, of the wall's clock."""
    by: str
    """`schedule`, `shell`, or the account that asked for it."""
    process: str = ""
    """Which process trains."""
    outcome: Outcome = "running"
    step: str = ""
    """What it is at, or was at last."""
    done: float = 0.0
    """Share of the work, 0..1, by how long the steps took last time."""
    ended: float = 0.0
    generation: str = ""
    said: str = ""
    """Why it was refused or failed, or what of it was left out."""
    seconds: dict[str, float] = {}
    """Step -> how long it took."""
    memory_mb: float = 0.0
    """The most it had."""

    def sentence(self) -> str:
        """As a person reads it."""
        began = f"{datetime.fromtimestamp(self.began, UTC):%Y-%m-%d %H:%M} UTC"
        told = {
            "running": f"at {self.step!r}, {self.done:.0%} done",
            "published": f"published {self.generation}{f'; left out: {self.said}' if self.said else ''}",
            "refused": f"{self.generation} kept aside: {self.said}",
            "failed": f"failed{f' at {self.step!r}' if self.step else ''}: {self.said}",
            "died": f"died at {self.step!r}: killed, or out of memory",
        }[self.outcome]
        return f"run {self.number}, begun {began} by {self.by}: {told}"


_read = msgspec.json.Decoder(list[TrainingRun]).decode


def runs(home: Path) -> list[TrainingRun]:
    """Those that are remembered, newest first."""
    found = _stored(home)
    for run in found:
        if run.outcome == "running" and not _alive(run.process):
            run.outcome = "died"
    return found[::-1]


def running(home: Path) -> TrainingRun | None:
    """The training at work now."""
    return next((run for run in runs(home)[:1] if run.outcome == "running"), None)


class RunLog:
    """The record of the training that holds the lock."""

    def __init__(self, home: Path, by: str, kept: int) -> None:
        self._home = home
        self._before = runs(home)[kept - 2 :: -1] if kept > 1 else []
        last = next((run.seconds for run in reversed(self._before) if run.outcome in ("published", "refused")), {})
        self._usual = last
        self._since = perf_counter()
        number = self._before[-1].number + 1 if self._before else 1
        self.run = TrainingRun(number=number, began=now(), by=by, process=this_process())
        self._write()

    def step(self, name: str, planned: list[str]) -> None:
        """A step begins; `planned` are those that follow it."""
        self._close_step()
        self.run.step = name
        self.run.done = _share(self.run.seconds, [name, *planned], self._usual)
        self._write()

    def end(self, outcome: Outcome, generation: str = "", said: str = "") -> None:
        self._close_step()
        self.run.outcome, self.run.generation, self.run.said = outcome, generation, said
        self.run.done = 1.0 if outcome in ("published", "refused") else self.run.done
        self.run.ended, self.run.memory_mb = now(), peak_memory_mb()
        self._write()

    def _close_step(self) -> None:
        at = perf_counter()
        if self.run.step:
            self.run.seconds[self.run.step] = round(at - self._since, 3)
        self._since = at

    def _write(self) -> None:
        temporary = self._home / f".runs.{os.getpid()}"
        temporary.write_bytes(msgspec.json.encode([*self._before, self.run]))
        temporary.replace(self._home / "runs.json")


@contextmanager
def recorded(home: Path, by: str, kept: int) -> Iterator[RunLog]:
    """A run's record; what is raised within is how it failed."""
    log = RunLog(home, by, kept)
    try:
        yield log
    except BaseException as error:
        log.end("failed", said=f"{error}" or type(error).__name__)
        raise


def peak_memory_mb() -> float:
    """The most resident memory this program ever had. Not `ru_maxrss` where /proc has it: to that counts, too, what the
    server had that started it."""
    try:
        told = Path("/proc/self/status").read_text()
        kilobytes = int(told.partition("VmHWM:")[2].split(maxsplit=1)[0])
    except (OSError, IndexError, ValueError):
        kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(kilobytes / KILOBYTES_PER_MB, 1)


@contextmanager
def bounded_memory(megabytes: int) -> Iterator[None]:
    """Meanwhile this process may not have more private memory; asking for more raises MemoryError. 0: no bound.

    What is mapped from files (the serving generation) does not count.
    """
    before, most = resource.getrlimit(resource.RLIMIT_DATA)
    bound = megabytes << 20
    if megabytes:
        bound = bound if most == resource.RLIM_INFINITY else min(bound, most)
        resource.setrlimit(resource.RLIMIT_DATA, (bound, most))
    try:
        yield
    finally:  # what went wrong has to be told, too
        resource.setrlimit(resource.RLIMIT_DATA, (before, most))


def now() -> float:
    """The wall's time, which an operator compares with, also where the shop's clock is its events'."""
    return Clock().now()


def _share(seconds: Mapping[str, float], left: list[str], usual: Mapping[str, float]) -> float:
    """How much of the work is done, when a step takes as long as last time; of equal parts where that is not known."""
    mean = sum(usual.values()) / len(usual) if usual else 1.0
    ahead = sum(usual.get(name, mean) for name in left)
    behind = sum(usual.get(name, mean) for name in seconds)
    return round(behind / (behind + ahead), 3) if behind + ahead else 0.0


def _stored(home: Path) -> list[TrainingRun]:
    """What cannot be read is forgotten: it is a convenience, and the next run writes it anew."""
    try:
        return _read((home / "runs.json").read_bytes())
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return []


def this_process() -> str:
    """A name that no other process has, as long as the machine is up: its number and when it started."""
    return f"{os.getpid()}:{_started(os.getpid())}"


def _alive(process: str) -> bool:
    number, _, started = process.partition(":")
    return number.isdigit() and started != "" and _started(int(number)) == started


def _started(process: int) -> str:
    """In ticks since the machine came up; empty where there is no such process."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
