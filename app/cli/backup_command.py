"""`personalize backup`: copy what the node holds, beside a running server."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from app.cli import read_config


@click.command()
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--keys", type=click.Path(path_type=Path), help="Copy the keys to this file, on another disk if you can.")
@click.pass_context
def command(ctx: click.Context, target: Path, keys: Path | None) -> None:
    """Copy every database into the new folder TARGET. Without the keys no copy can be read or linked to anyone."""
    from app.privacy.backup import back_up

    config = read_config(ctx)
    path: Path = ctx.obj
    copied = asyncio.run(back_up(path.parent / config.node.data, target, keys))
    click.echo(f"{target}: {', '.join(copied)}")
    if keys is None:
        click.echo("The keys were not copied (--keys FILE): if keys.db is lost, the copy is of no use.")
