"""`personalize map-worker`: computes shards for the training that started it, until that one closes the pipe."""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from app.cli import fail

if TYPE_CHECKING:
    from plugins.engine import Mapped


@click.command(hidden=True)
def command() -> None:
    """Started by a training with several workers ([plugins.process_pool]); nothing to call by hand."""
    if sys.stdin.isatty():
        fail("personalize map-worker is started by a training, with its pipes; set [plugins.process_pool] workers")
    # Whatever is printed below must not get into the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve(sys.stdin.buffer, answers)


def serve(questions: BinaryIO, answers: BinaryIO) -> None:
    """Answer every frame with the arrays its function gives, or with what went wrong."""
    from plugins.frames import read_frame, write_frame

    while (frame := read_frame(questions)) is not None:
        head, shard = frame
        try:
            result = function_of(head.function)(shard)
        except Exception as error:  # the function is somebody else's code: its failure is an answer too
            write_frame(answers, {}, failed=f"{type(error).__name__}: {error}")
        else:
            write_frame(answers, result)


def function_of(name: str) -> Mapped:
    """The function "module:name"."""
    module, _, qualified = name.partition(":")
    found: Any = importlib.import_module(module)
    for part in qualified.split("."):
        found = getattr(found, part)
    mapped: Mapped = found
    return mapped
