"""`personalize restore`: put a backup in place; who was erased since stays erased."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from app.cli import fail, read_config


@click.command()
@click.argument("source", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--keys", type=click.Path(path_type=Path, exists=True), help="Copy of the keys, where keys.db is lost.")
@click.option("--yes", is_flag=True, help="Replace what is there without asking.")
@click.pass_context
def command(ctx: click.Context, source: Path, keys: Path | None, yes: bool) -> None:
    """Replace what the data directory holds by the backup in SOURCE. The server has to be stopped."""
    from app.privacy.backup import restore

    config = read_config(ctx)
    path: Path = ctx.obj
    folder = path.parent / config.node.data
    if not yes and (folder / "person.db").exists() and not click.confirm(f"Replace what {folder} holds?"):
        fail("nothing was changed")
    done = asyncio.run(restore(config, folder, source, keys))
    click.echo(f"{folder}: {', '.join(done.files)} restored" + (", keys in place stayed" if done.kept_keys else ""))
    click.echo(f"{done.forgotten} people of the backup had been erased since, and are erased in it.")
    if not done.sure:
        click.echo("The replaced person.db could not be read: who was erased since the backup is not known.")
