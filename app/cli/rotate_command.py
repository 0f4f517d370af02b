"""`personalize rotate`: a new epoch of the pseudonym keys, now."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from app.cli import fail, read_config
from app.config import Config

WAIT_SECONDS = 60.0
_LOOK_SECONDS = 0.5


@click.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def command(ctx: click.Context, yes: bool) -> None:
    """Begin a new epoch of the pseudonym keys. Whoever was not seen since the last rotation but one is removed, and
    that epoch's keys are destroyed: nothing leads from an id to what was kept before.

    Beside a running server it asks that server to do it, and waits for it.
    """
    config = read_config(ctx)
    if not yes:
        click.confirm("Profiles of people not seen for two epochs are removed for good. Rotate now?", abort=True)
    asyncio.run(_rotate(config, ctx.obj))


async def _rotate(config: Config, path: Path) -> None:
    from app.node import CannotOpen, open_node
    from app.privacy.rotation import rotate

    folder = path.parent / config.node.data
    if not (folder / "keys.db").exists():
        fail(f"{folder}: there are no keys yet; `personalize serve` makes them")
    try:
        async with open_node(config, path) as node:
            epoch = await rotate(node)
            _tell(epoch, node.keys.history())
    except CannotOpen as reason:
        if "in use by another" not in str(reason):
            raise
        await _ask(config, folder)


async def _ask(config: Config, folder: Path) -> None:
    """Leave word for the process that has the data directory, and wait until it has done it."""
    from store.clock import Clock
    from store.keys import open_keys

    async def look(ask: bool) -> tuple[int, bool, list[tuple[int, int, str, str]]]:
        async with open_keys(folder / "keys.db", now=Clock().now(), tenant=config.node.tenant) as keys:
            if ask:
                await keys.ask_rotation(Clock().now())
            return keys.epoch, keys.rotation_asked(), keys.history()

    before, _, _ = await look(ask=True)
    click.echo("asked the running server to rotate …")
    loop = asyncio.get_running_loop()
    until = loop.time() + WAIT_SECONDS
    while loop.time() < until:
        await asyncio.sleep(_LOOK_SECONDS)
        epoch, asked, history = await look(ask=False)
        if epoch > before and not asked:
            _tell(epoch, history)
            return
    fail("the running server has not rotated yet; it does so at its next look, `personalize keys epochs` tells")


def _tell(epoch: int, history: list[tuple[int, int, str, str]]) -> None:
    click.echo(f"epoch {epoch} of the pseudonym keys has begun")
    for at, gone, what, detail in history:
        if what.endswith("destroyed") and at == history[-1][0]:
            click.echo(f"epoch {gone}: {what}{f'; {detail}' if detail else ''}")
