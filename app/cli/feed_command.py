"""`personalize feed`: take over a shop's catalogue as it exports it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.cli import fail, read_config, tell_first_keys

if TYPE_CHECKING:
    from app.feeds.take import Taken


@click.command()
@click.argument("source")
@click.option("--as", "name", default="", help="The feed's name; a file's own name where it is not said.")
@click.option(
    "--format", "kind", default="", help="google-xml, google-tsv, shopify, woocommerce, json-ld, ndjson, csv, yaml."
)
@click.option("--field", "fields", multiple=True, metavar="OURS=THEIRS", help="title=name; several are possible.")
@click.option("--preview", is_flag=True, help="Say what would change, and change nothing.")
@click.option("--shrink", is_flag=True, help="Take it however many items are gone from it.")
@click.pass_context
def command(
    ctx: click.Context, source: str, name: str, kind: str, fields: tuple[str, ...], preview: bool, shrink: bool
) -> None:
    """Take over SOURCE: a file, an https:// address, or the name of a [feeds.NAME] of the configuration.

    Beside a running server use POST /v1/imports, which does the same.
    """
    import asyncio
    from time import perf_counter

    import msgspec

    from app.config import ConfigError
    from app.config.loading import parse_table
    from app.feeds.options import FeedOptions
    from app.node import open_node
    from app.suggestion import suggest

    config = read_config(ctx)
    path = Path(source)
    known = config.feeds.get(source)
    if known is None:
        told: dict[str, object] = {"url": source} if source.startswith(("http://", "https://")) else {"file": source}
        known = parse_table(FeedOptions, told, "feed")
        if known.file and not path.is_file():
            fail(f"{source}: neither a file nor a feed of the configuration{suggest(source, config.feeds)}")
    elif known.file:
        path = ctx.obj.parent / known.file
    pairs = dict(pair.partition("=")[::2] for pair in fields)
    try:
        changed = {"format": kind} if kind else {}
        options = parse_table(FeedOptions, msgspec.to_builtins(known) | changed, "feed")
    except ConfigError as wrong:
        fail(str(wrong), 2)
    options = msgspec.structs.replace(options, fields={**options.fields, **pairs})
    label = name or (source if source in config.feeds else path.stem if options.file else "pulled")

    async def run() -> Taken:
        async with open_node(config, ctx.obj) as node:
            tell_first_keys(node.keys)
            return await node.feeds.take(label, options, path if options.file else None, preview=preview, shrink=shrink)

    started = perf_counter()
    taken = asyncio.run(run())
    _tell(taken, perf_counter() - started)


def _tell(taken: Taken, seconds: float) -> None:
    click.echo(f"feed {taken.feed}: {taken.status} in {seconds:.1f} s")
    click.echo(f"  {taken.items:>9,} items: {taken.new:,} new, {taken.changed:,} changed, {taken.vanished:,} gone")
    if taken.rejected:
        click.echo(f"  {taken.rejected:>9,} rows not taken")
    for error in taken.errors[:20]:
        for wrong in error.errors:
            click.echo(f"    {error.place}: {error.id} {wrong.pointer.lstrip('/')}: {wrong.detail}")
    if taken.detail:
        fail(f"  {taken.detail}") if taken.status in ("failed", "refused") else click.echo(f"  {taken.detail}")
