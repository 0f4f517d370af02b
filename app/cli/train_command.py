"""`personalize train`: learn a new generation from what is stored, publish it."""

from __future__ import annotations

import click

from app.cli import fail, read_config
from app.learning.runs import REFUSED


@click.command()
@click.option("--quiet", is_flag=True, help="No progress, only the result.")
@click.pass_context
def command(ctx: click.Context, quiet: bool) -> None:
    """Train a new generation and publish it; a running server takes it over within a second."""
    from app.learning.train import train

    config = read_config(ctx)

    def progress(step: str, seconds: float) -> None:
        if not quiet:
            click.echo(f"  {step:<28} {seconds:6.1f} s")

    card = train(config, ctx.obj, progress)
    if card["refused"]:
        fail(f"generation {card['id']} is kept aside, the one before it serves on: {card['refused']}", REFUSED)
    click.echo(f"published generation {card['id']}: {card['items']} items, {card['interactions']} interactions")
