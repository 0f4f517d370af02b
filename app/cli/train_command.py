"""`personalize train`: learn a new generation from what is stored, publish it."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

import click

from app.cli import fail, read_config
from app.config import Config
from app.learning.runs import REFUSED, bounded_memory


@click.command()
@click.option("--quiet", is_flag=True, help="No progress, only the result.")
@click.option("--by", default="shell", hidden=True, help="Who asked for it.")
@click.pass_context
def command(ctx: click.Context, quiet: bool, by: str) -> None:
    """Train a new generation and publish it if it is good enough; a running server takes it over by itself."""
    config = read_config(ctx)
    work = _work()
    try:
        with bounded_memory(config.training.memory_mb):
            _train(ctx, config, quiet, by, *work)
    except (MemoryError, RuntimeError, OSError) as error:  # not even the program or a thread fits
        if not _out_of_memory(error):
            raise
        fail(f"a training needs more than [training] memory_mb = {config.training.memory_mb}; raise it")


def _out_of_memory(error: Exception) -> bool:
    """Whether it is one of the ways in which Python says so."""
    return (
        isinstance(error, MemoryError)
        or "can't start new thread" in str(error)
        or (isinstance(error, OSError) and error.errno == errno.ENOMEM)
    )


def _work() -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The training and what is learned beside it, loaded before memory is bound: a library for matrices that gets none
    for itself, when it is loaded or first used, ends the process without a word of ours."""
    import numpy as np
    from scipy.linalg import blas

    from app.demo.beside_exact import beside_exact
    from app.learning.train import train

    square = np.ones((512, 512), np.float32, order="F")  # large enough for all their threads
    blas.sgemm(1.0, square @ square, square)
    return train, beside_exact


def _train(
    ctx: click.Context, config: Config, quiet: bool, by: str, train: Callable[..., Any], beside: Callable[..., Any]
) -> None:
    def progress(step: str, seconds: float) -> None:
        if not quiet:
            click.echo(f"  {step:<28} {seconds:6.1f} s")

    card = train(config, ctx.obj, progress, by, beside)
    if card["refused"]:
        fail(f"generation {card['id']} is kept aside, the one before it serves on: {card['refused']}", REFUSED)
    learned = f"{card['interactions']} interactions"
    if card["interactions"] is None:  # how many there are is nobody's to know
        learned = f"of about {card['people']} people"
        if card["privacy"].get("why"):
            learned += f"; {card['privacy']['why']}"
    click.echo(f"published generation {card['id']}: {card['items']} items, {learned}")
    if card.get("vectors_left_out"):
        click.echo(f"left out: {card['vectors_left_out']}")
