"""`personalize train`: learn a new generation from what is stored, publish it."""

from __future__ import annotations

import click

from app.cli import fail, read_config
from app.config import Config
from app.learning.runs import REFUSED, bound_memory


@click.command()
@click.option("--quiet", is_flag=True, help="No progress, only the result.")
@click.option("--by", default="shell", hidden=True, help="Who asked for it.")
@click.pass_context
def command(ctx: click.Context, quiet: bool, by: str) -> None:
    """Train a new generation and publish it if it is good enough; a running server takes it over by itself."""
    config = read_config(ctx)
    bound_memory(config.training.memory_mb)
    try:
        _train(ctx, config, quiet, by)
    except MemoryError:  # outside of any step: not even the program fits
        fail(f"a training needs more than [training] memory_mb = {config.training.memory_mb}; raise it")


def _train(ctx: click.Context, config: Config, quiet: bool, by: str) -> None:
    from app.demo.beside_exact import beside_exact
    from app.learning.train import train

    def progress(step: str, seconds: float) -> None:
        if not quiet:
            click.echo(f"  {step:<28} {seconds:6.1f} s")

    card = train(config, ctx.obj, progress, by, beside_exact)
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
