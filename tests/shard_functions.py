"""What the workers of tests/test_map_merge.py compute; a module of its own, so that they start fast."""

import os
import signal
import sys
from pathlib import Path

import numpy as np

from plugins.engine import Arrays


def total(shard: Arrays) -> Arrays:
    return {"total": shard["numbers"].sum(keepdims=True), "process": np.array([os.getpid()])}


def without_process(first: Arrays, second: Arrays) -> Arrays:
    return {"total": first["total"] + second["total"]}


def in_a_row(first: Arrays, second: Arrays) -> Arrays:
    return {name: np.concatenate([first[name], second[name]]) for name in first}


def killed_once(shard: Arrays) -> Arrays:
    """As a process is that takes too much memory; the file remembers that it happened."""
    mark = Path(bytes(shard["path"]).decode())
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return {"numbers": shard["numbers"]}


def killed_always(shard: Arrays) -> Arrays:
    os.kill(os.getpid(), signal.SIGKILL)
    return shard


def fails(shard: Arrays) -> Arrays:
    raise ValueError(f"no sum of {len(shard['numbers'])} numbers")


def talks(shard: Arrays) -> Arrays:
    sys.stdout.write("a plugin's print must not get into the answers")
    os.write(1, b"nor what a library writes\n")
    return shard
