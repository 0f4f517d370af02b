"""A server as a process of its own on a core of its own, and what it costs: CPU time and memory, as the kernel says."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from app.bench.load import Address

SERVER_CORE, LOAD_CORE = 0, 1
STOP_SECONDS = 30.0


class CannotMeasure(Exception):
    """What is needed is missing, or a server did not start; the message says what to do."""


@dataclass(frozen=True)
class Served:
    """A running server."""

    process: subprocess.Popen[str]
    address: Address
    started: float
    """perf_counter when the process was started."""

    def cpu_seconds(self) -> float:
        """CPU time of all its threads so far (/proc/…/schedstat, nanoseconds)."""
        total = 0
        for task in Path(f"/proc/{self.process.pid}/task").iterdir():
            with contextlib.suppress(FileNotFoundError):
                total += int((task / "schedstat").read_text().split()[0])
        return total / 1e9

    def settle(self, at_most: float = 120.0) -> float:
        """Wait until what a start brings with it (the first sweep, texts to be read) is done; CPU seconds it took."""
        first = before = self.cpu_seconds()
        idle, stop = 0, perf_counter() + at_most
        while idle < 4 and perf_counter() < stop:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(0.25)
                raise CannotMeasure("the server ended while it was measured")
            now = self.cpu_seconds()
            idle = idle + 1 if now - before < 0.02 else 0
            before = now
        return before - first

    def memory_mb(self, field: str = "VmRSS") -> float:
        """Resident memory now, or at most so far (`VmHWM`)."""
        text = Path(f"/proc/{self.process.pid}/status").read_text("ascii")
        return int(text.partition(f"{field}:")[2].split()[0]) / 1024


@contextlib.contextmanager
def served(command: Sequence[str], cwd: Path, log: Path) -> Iterator[Served]:
    """Start a server that prints its address, on SERVER_CORE; stopped by SIGTERM at the end."""
    if not Path("/proc/self/schedstat").exists():
        raise CannotMeasure("CPU time is read from Linux's /proc/…/schedstat, which is not here")
    home = Path(__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": str(home), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    with log.open("w", encoding="utf-8") as said, on_core(SERVER_CORE):
        started = perf_counter()
        process = subprocess.Popen(command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=said, text=True)
    try:
        yield Served(process, _address(process, log), started)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()


def _address(process: subprocess.Popen[str], log: Path) -> Address:
    assert process.stdout is not None
    for line in process.stdout:
        _, scheme, rest = line.partition("http://")
        if scheme:
            host, _, port = rest.split()[0].partition("/")[0].rpartition(":")
            return host, int(port)
    raise CannotMeasure(f"the server ended without an address; {log} says why:\n{log.read_text()[-2000:]}")


@contextlib.contextmanager
def on_core(core: int) -> Iterator[None]:
    """Run on one core (and start processes there); on the cores from before afterwards."""
    before = os.sched_getaffinity(0)
    if core in before and len(before) > 1:
        os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def calibration_ms(rounds: int = 5) -> float:
    """Milliseconds of a fixed loop of pure Python on the server's core: what to divide by when comparing machines."""
    times = []
    with on_core(SERVER_CORE):
        for _ in range(rounds):
            begun = perf_counter()
            total = 0
            for number in range(200_000):
                total += number * number % 7
            times.append(perf_counter() - begun)
    return sorted(times)[rounds // 2] * 1000
