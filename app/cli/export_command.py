"""`personalize export`: everything that is held about a person, as a file; also beside a running server."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.cli import fail, read_config
from app.cli.erase_command import ids_of

if TYPE_CHECKING:
    from app.config import Config
    from app.privacy.erasure_case import Ids


@click.command()
@click.option("--user", default="", help="The shop's user id.")
@click.option("--anon", default="", help="The beacon's id.")
@click.option("--session", default="", help="The visit's id.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write to this new file, private to you.")
@click.pass_context
def command(ctx: click.Context, user: str, anon: str, session: str, out: Path | None) -> None:
    """Write everything that is held about a person, in clear (GDPR Art. 15 and 20), as JSON."""
    import os

    ids = ids_of(user, anon, session)
    told = asyncio.run(_export(read_config(ctx), ctx.obj, ids))
    if out is None:
        click.echo(told)
        return
    try:
        with os.fdopen(os.open(out, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            file.write(told + b"\n")
    except FileExistsError:
        fail(f"{out}: exists already")


async def _export(config: Config, path: Path, ids: Ids) -> bytes:
    import msgspec

    from app.privacy.holdings import find_held
    from app.privacy.reading import open_for_reading
    from app.routes.me import export_of

    async with open_for_reading(config, path) as node:
        held = await find_held(node, ids)
        return msgspec.json.format(msgspec.json.encode(export_of(held)), indent=2)
