"""`personalize import`: load a shop's past from its files."""

from __future__ import annotations

from pathlib import Path

import click

from app.cli import read_config, tell_first_keys


@click.command()
@click.argument("mapping")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--until", default="", help="Leave out rows from this time on, written as the files write times.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
@click.pass_context
def command(ctx: click.Context, mapping: str, folder: Path, until: str, quiet: bool) -> None:
    """Load FOLDER as MAPPING describes: the name of a preset (online-retail, serenade) or a mapping file.

    Resumable and idempotent: run it again after an interruption, or twice.
    """
    import asyncio
    from time import perf_counter

    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from app.importing.mapping import load_mapping
    from app.importing.run import Imported, import_files
    from app.node import open_node

    config = read_config(ctx)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())

    async def load() -> Imported:
        async with open_node(config, ctx.obj) as node:
            tell_first_keys(node.keys)
            with Progress(*columns, disable=quiet) as bar:
                task = bar.add_task(mapping, total=None)
                return await import_files(
                    node, spec, folder, lambda done, total: bar.update(task, completed=done, total=total), until
                )

    started = perf_counter()
    spec = load_mapping(mapping)
    done = asyncio.run(load())
    seconds = perf_counter() - started
    rows = done.rows - done.resumed_at
    click.echo(f"{rows:,} rows in {seconds:.1f} s ({rows / seconds:,.0f} a second), {done.items:,} items")
    if done.resumed_at:
        click.echo(f"  {done.resumed_at:,} rows had been imported before")
    for outcome, count in sorted(done.outcomes.items()):
        click.echo(f"  {count:>9,} events {outcome}")
    for reason, count in sorted(done.skipped.items()):
        click.echo(f"  {count:>9,} rows skipped: {reason}")
    if done.moved_days:
        click.echo(
            f"  every time was moved by {done.moved_days:,.0f} days, so that the history ends now ([time] ends_now)"
        )
    if config.privacy.learned == "off":
        click.echo('  nothing will be learned across people: [privacy] learned is "off"')
    click.echo("next: personalize train, personalize serve")
