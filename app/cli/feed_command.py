"""`personalize feed`: take over a shop's catalogue as it exports it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.cli import fail, read_config, tell_first_keys

if TYPE_CHECKING:
    from app.config import Config
    from app.feeds.options import FeedOptions
    from app.feeds.take import Taken

HAND_IT = """{data}: in use by another personalize process. A server takes the feed itself, with a server key:
  PERSONALIZE_SERVER_KEY=sk_… personalize feed {source}
  curl -X POST '{where}/v1/imports?feed={label}' -H 'authorization: Bearer sk_…'{body}
Nothing was changed. `personalize keys create server` makes a key, which counts from the server's next start."""


@dataclass(frozen=True)
class Wanted:
    """What the command was told."""

    source: str
    name: str
    kind: str
    fields: tuple[str, ...]
    preview: bool
    shrink: bool
    server: str | None
    key: str | None


@click.command()
@click.argument("source")
@click.option("--as", "name", default="", help="The feed's name; a file's own name where it is not said.")
@click.option(
    "--format", "kind", default="", help="google-xml, google-tsv, shopify, woocommerce, json-ld, ndjson, csv, yaml."
)
@click.option("--field", "fields", multiple=True, metavar="OURS=THEIRS", help="title=name; several are possible.")
@click.option("--preview", is_flag=True, help="Say what would change, and change nothing.")
@click.option("--shrink", is_flag=True, help="Take it however many items are gone from it.")
@click.option("--server", metavar="URL", help="A running server that takes it; else the one beside, if one runs.")
@click.option("--key", envvar="PERSONALIZE_SERVER_KEY", help="A server key for it; also PERSONALIZE_SERVER_KEY.")
@click.pass_context
def command(
    ctx: click.Context, source: str, name: str, kind: str, fields: tuple[str, ...], preview: bool, shrink: bool,
    server: str | None, key: str | None,
) -> None:  # fmt: skip
    """Take over SOURCE: a file, an https:// address, or the name of a [feeds.NAME] of the configuration.

    Beside a running server the file, or the name, is handed to it with a server key, as POST /v1/imports does.
    """
    from time import perf_counter

    from app.cli.handing import NotHanded
    from app.node import InUse

    config = read_config(ctx)
    wanted = Wanted(source, name, kind, fields, preview, shrink, server, key)
    options, path = _feed(wanted, config, ctx.obj)
    started = perf_counter()
    try:
        try:
            taken = _hand(wanted, config, path) if server else _take(wanted, config, ctx.obj, options, path)
        except InUse:
            taken = _hand(wanted, config, path)
    except NotHanded as reason:
        fail(str(reason))
    _tell(taken, perf_counter() - started)


def _feed(wanted: Wanted, config: Config, configuration: Path) -> tuple[FeedOptions, Path | None]:
    """How the feed is read, and its file if it is one; ends the command where it cannot be."""
    import msgspec

    from app.config import ConfigError
    from app.config.loading import parse_table
    from app.feeds.options import FeedOptions
    from app.suggestion import suggest

    source, path = wanted.source, Path(wanted.source)
    known = config.feeds.get(source)
    if known is None:
        told: dict[str, object] = {"url": source} if source.startswith(("http://", "https://")) else {"file": source}
        known = parse_table(FeedOptions, told, "feed")
        if known.file and not path.is_file():
            fail(f"{source}: neither a file nor a feed of the configuration{suggest(source, config.feeds)}")
    elif known.file:
        path = configuration.parent / known.file
    pairs = dict(pair.partition("=")[::2] for pair in wanted.fields)
    try:
        changed = {"format": wanted.kind} if wanted.kind else {}
        options = parse_table(FeedOptions, msgspec.to_builtins(known) | changed, "feed")
    except ConfigError as wrong:
        fail(str(wrong), 2)
    options = msgspec.structs.replace(options, fields={**options.fields, **pairs})
    return options, path if options.file else None


def _label(wanted: Wanted, config: Config, path: Path | None) -> str:
    """The feed's name."""
    return wanted.name or (wanted.source if wanted.source in config.feeds else path.stem if path else "pulled")


def _take(wanted: Wanted, config: Config, configuration: Path, options: FeedOptions, path: Path | None) -> Taken:
    """Here, where no server runs. Raises InUse where one does."""
    import asyncio

    from app.node import open_node

    label = _label(wanted, config, path)

    async def run() -> Taken:
        async with open_node(config, configuration) as node:
            tell_first_keys(node.keys)
            return await node.feeds.take(label, options, path, preview=wanted.preview, shrink=wanted.shrink)

    return asyncio.run(run())


def _hand(wanted: Wanted, config: Config, path: Path | None) -> Taken:
    """By the running server. Raises NotHanded."""
    from app.cli.handing import address_of, hand_over

    where = wanted.server or address_of(config.server.bind)
    label = _label(wanted, config, path)
    configured = wanted.source in config.feeds
    if not wanted.key:
        body = "" if configured else f" --data-binary @{wanted.source}"
        fail(HAND_IT.format(data=config.node.data, where=where, label=label, source=wanted.source, body=body))
    if wanted.fields or not (configured or path):
        fail("a running server takes an address, and --field, only as a [feeds.NAME] of its configuration", 2)
    query = {
        "feed": label, "format": wanted.kind, "preview": "1" * wanted.preview, "shrink": "1" * wanted.shrink,
    }  # fmt: skip
    said = {name: value for name, value in query.items() if value}
    return hand_over(where, wanted.key, None if configured else path, said)


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
