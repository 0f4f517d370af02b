"""`personalize keys`: who may use the API."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import click

from app.cli import fail, read_config, tell_first_keys
from app.config import Config
from store.api_keys import Kind
from store.clock import Clock
from store.keys import KeyRing

T = TypeVar("T")


@click.group()
def command() -> None:
    """List, make and revoke API keys. A running server learns of changes at its next start."""


@command.command("list")
@click.pass_context
def list_keys(ctx: click.Context) -> None:
    """Every key: number, kind, origins, when it was made. Server keys are not shown again."""

    async def show(keys: KeyRing) -> None:
        for key in keys.api_keys():
            made = datetime.fromtimestamp(key.created, UTC).date()
            origins = ", ".join(key.origins) or "any origin"
            click.echo(f"{key.id:>4}  {key.kind:<7} {key.shown:<36} {origins}  made {made}")

    _with_keys(ctx, show)


@command.command("create")
@click.argument("kind", type=click.Choice(["public", "server"]))
@click.option("--origin", "origins", multiple=True, help="Storefront a public key may be used from; may be repeated.")
@click.option("--event", "events", multiple=True, help="Event name it may send; may be repeated; default any.")
@click.pass_context
def create(ctx: click.Context, kind: Kind, origins: tuple[str, ...], events: tuple[str, ...]) -> None:
    """Make a key and print it; a server key is shown only this once."""

    async def make(keys: KeyRing) -> None:
        click.echo(await keys.create_api_key(kind, origins, events, now=Clock().now()))

    _with_keys(ctx, make)


@command.command("revoke")
@click.argument("number", type=int)
@click.pass_context
def revoke(ctx: click.Context, number: int) -> None:
    """Refuse the key with this number from now on."""

    async def end(keys: KeyRing) -> None:
        if number not in {key.id for key in keys.api_keys()}:
            fail(f"there is no key {number}; `personalize keys list` shows them")
        await keys.revoke_api_key(number)

    _with_keys(ctx, end)


@command.command("epochs")
@click.pass_context
def epochs(ctx: click.Context) -> None:
    """The epochs of the pseudonym keys: which are live, and when keys were made and destroyed."""

    async def show(keys: KeyRing) -> None:
        for epoch in keys.epochs():
            word = "current" if epoch == keys.epoch else "previous" if epoch == keys.epoch - 1 else "ending"
            click.echo(f"epoch {epoch:>4}  {word:<9} began {_when(keys.began(epoch))}")
        for at, epoch, what, detail in keys.history():
            click.echo(f"{_when(at)}  epoch {epoch} {what}{f' ({detail})' if detail else ''}")

    _with_keys(ctx, show)


def _when(at: int) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M}"


@command.command("signing-secret")
@click.pass_context
def signing_secret(ctx: click.Context) -> None:
    """The secret with which the shop's server signs user ids for browsers (HMAC-SHA-256, hex)."""

    async def show(keys: KeyRing) -> None:
        click.echo(keys.signing_secret)

    _with_keys(ctx, show)


def _with_keys(ctx: click.Context, work: Callable[[KeyRing], Awaitable[T]]) -> None:
    import asyncio

    from store.keys import open_keys

    config: Config = read_config(ctx)
    path: Path = ctx.obj
    folder = path.parent / config.node.data

    async def run() -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        async with open_keys(
            folder / "keys.db", now=Clock().now(), beside=folder / "person.db", tenant=config.node.tenant
        ) as keys:
            tell_first_keys(keys, err=True)  # what was asked for is alone on stdout
            await work(keys)

    asyncio.run(run())
