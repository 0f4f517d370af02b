"""Compute a training's sums over people in this process, or in several that run this program."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue
from typing import IO, Annotated, TypeVar

from msgspec import Meta

from plugins.contract import hookimpl
from plugins.engine import Arrays, EngineFailed, EngineSetup, InProcess, Mapped, Merged, TrainingEngine, merge_in_order
from plugins.frames import BrokenFrame, read_frame, write_frame

T = TypeVar("T")


@dataclass(frozen=True)
class Plugin:
    """`workers = 1` is no further process at all: the training's own. Each takes about 150 MB and its shard."""

    workers: Annotated[int, Meta(ge=1, le=256)] = 1
    attempts: Annotated[int, Meta(ge=1, le=10)] = 2
    """So often a shard is tried when its process dies, killed for its memory perhaps."""

    @hookimpl
    def training_engine(self, config: EngineSetup) -> TrainingEngine:
        return InProcess() if self.workers == 1 else Pool(config.program, self.workers, self.attempts)


class WorkerDied(Exception):
    """A worker's pipe ended before its answer."""


class Worker:
    """A process that computes one shard after the other; it ends when its standard input does."""

    def __init__(self, program: tuple[str, ...]) -> None:
        one_thread = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [*program, "map-worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=one_thread
        )

    def compute(self, function: str, shard: Arrays) -> Arrays:
        """Raises EngineFailed where the function failed, WorkerDied where the process did."""
        try:
            write_frame(self._pipe(self.process.stdin), shard, function=function)
            answer = read_frame(self._pipe(self.process.stdout))
        except (OSError, BrokenFrame) as error:
            raise WorkerDied(str(error)) from error
        if answer is None:
            raise WorkerDied("its pipe was closed")
        head, arrays = answer
        if head.failed:
            raise EngineFailed(f"{function} failed: {head.failed}")
        return arrays

    def end(self) -> int:
        """Close its pipes and wait; what it ended with."""
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                self._pipe(pipe).close()
        try:
            return self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    @staticmethod
    def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
        assert pipe is not None
        return pipe


class Pool:
    """Workers that are started when they are needed. At most one shard more than there are workers is held."""

    def __init__(self, program: tuple[str, ...], workers: int, attempts: int) -> None:
        self._program = program
        self._workers = workers
        self._attempts = attempts
        self._idle: SimpleQueue[Worker] = SimpleQueue()
        self._threads = ThreadPoolExecutor(workers, "map-merge")

    def map_merge(self, mapped: Mapped, shards: Iterable[Arrays], merged: Merged) -> Arrays:
        name = f"{mapped.__module__}:{mapped.__qualname__}"
        return merge_in_order(self._in_order(lambda shard: self._attempted(name, shard), shards), merged)

    def close(self) -> None:
        self._threads.shutdown(cancel_futures=True)
        while not self._idle.empty():
            self._idle.get().end()

    def _in_order(self, compute: Callable[[Arrays], T], shards: Iterable[Arrays]) -> Iterator[T]:
        waiting: deque[Future[T]] = deque()
        try:
            for shard in shards:
                waiting.append(self._threads.submit(compute, shard))
                if len(waiting) > self._workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()

    def _attempted(self, name: str, shard: Arrays) -> Arrays:
        ended = 0
        for _ in range(self._attempts):
            worker = Worker(self._program) if self._idle.empty() else self._idle.get()
            try:
                answer = worker.compute(name, shard)
            except WorkerDied:
                ended = worker.end()
            except EngineFailed:
                self._idle.put(worker)
                raise
            else:
                self._idle.put(worker)
                return answer
        raise EngineFailed(
            f"{name}: its process ended with {ended} before it answered, {self._attempts} times; a process killed (-9)"
            " may have had too little memory: lower [training] shard_people or [plugins.process_pool] workers"
        )
