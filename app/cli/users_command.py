"""`personalize users`: who operates the node. Works beside a running server, which obeys at the next request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import click

from app.cli import fail, read_config
from store.accounts import ROLE_NAMES, NameTaken, names_of, roles_named
from store.admin import AdminStore
from store.clock import Clock

ROLES = click.option(
    "--role", "roles", multiple=True, required=True, type=click.Choice(list(ROLE_NAMES)),
    help="What it may do; may be repeated.",
)  # fmt: skip


@click.group()
def command() -> None:
    """List, add, change and remove accounts of those who operate the node."""


@command.command("list")
@click.pass_context
def list_accounts(ctx: click.Context) -> None:
    """Every account: name, roles, when it was made."""

    async def show(store: AdminStore) -> None:
        for account in store.accounts.all():
            made = datetime.fromtimestamp(account.created, UTC).date()
            click.echo(f"{account.name:<24} {', '.join(names_of(account.roles)):<30} made {made}")

    _with_accounts(ctx, show)


@command.command("add")
@click.argument("name")
@ROLES
@click.pass_context
def add(ctx: click.Context, name: str, roles: tuple[str, ...]) -> None:
    """Add an account and print its password, which is shown only this once."""
    from app.admin.passwords import generate, stored

    password = generate()

    async def make(store: AdminStore) -> None:
        try:
            await store.accounts.add(name, roles_named(roles), stored(password, generated=True), Clock().now())
        except NameTaken:
            fail(f"there is an account '{name}'; `personalize users list` shows them")
        await store.audit.note("shell", "account added", name, f"done: {', '.join(roles)}", Clock().now())
        click.echo(password)

    _with_accounts(ctx, make)


@command.command("roles")
@click.argument("name")
@ROLES
@click.pass_context
def change_roles(ctx: click.Context, name: str, roles: tuple[str, ...]) -> None:
    """Give an account these roles and no others; it has to sign in again."""

    async def change(store: AdminStore) -> None:
        _must(await store.accounts.change(name, roles=roles_named(roles)), name)
        await store.audit.note("shell", "roles changed", name, f"done: {', '.join(roles)}", Clock().now())

    _with_accounts(ctx, change)


@command.command("password")
@click.argument("name")
@click.pass_context
def new_password(ctx: click.Context, name: str) -> None:
    """Give an account a new password and print it: for who forgot theirs."""
    from app.admin.passwords import generate, stored

    password = generate()

    async def change(store: AdminStore) -> None:
        _must(await store.accounts.change(name, password=stored(password, generated=True)), name)
        await store.audit.note("shell", "password changed", name, "done", Clock().now())
        click.echo(password)

    _with_accounts(ctx, change)


@command.command("remove")
@click.argument("name")
@click.pass_context
def remove(ctx: click.Context, name: str) -> None:
    """Remove an account; its sessions are over. The next start makes `admin` again where nobody is left."""

    async def end(store: AdminStore) -> None:
        _must(await store.accounts.remove(name), name)
        await store.audit.note("shell", "account removed", name, "done", Clock().now())

    _with_accounts(ctx, end)


def _must(found: bool, name: str) -> None:
    if not found:
        fail(f"there is no account '{name}'; `personalize users list` shows them")


def _with_accounts(ctx: click.Context, work: Callable[[AdminStore], Awaitable[None]]) -> None:
    import asyncio

    from store.admin import open_admin

    config = read_config(ctx)
    path: Path = ctx.obj
    folder = path.parent / config.node.data

    async def run() -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        async with open_admin(folder / "admin.db") as store:
            await work(store)

    asyncio.run(run())
