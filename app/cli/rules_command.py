"""`personalize rules`: carry rules as a TOML file out of a shop and into it. Works beside a running server, which obeys
what is published within half a second."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from app.cli import fail, read_config

if TYPE_CHECKING:
    from app.merchandising.book import RuleBook

T = TypeVar("T")


@click.group()
def command() -> None:
    """Carry rules as a TOML file."""


@command.command("export")
@click.option("--version", "version", default="draft", help="Such as r41; the draft if left out.", show_default=True)
@click.pass_context
def export(ctx: click.Context, version: str) -> None:
    """Print the draft, or a published version, as TOML."""
    from app.merchandising.book import NoSuchRule, Unreadable, number_of
    from app.merchandising.exchange import to_toml
    from app.rules.model import read_rules

    async def work(book: RuleBook) -> str:
        if version == "draft":
            return to_toml((await book.draft())[1])
        return to_toml(read_rules((await book.version(number_of(version))).body))

    try:
        click.echo(_with_book(ctx, work), nl=False)
    except (NoSuchRule, Unreadable) as error:
        fail(str(error))


@command.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--publish", is_flag=True, help="In force at once; else it is the draft.")
@click.option("--note", default="", help="Why, for the list of versions.")
@click.pass_context
def take_in(ctx: click.Context, file: Path, publish: bool, note: str) -> None:
    """Replace the draft by the rules of a TOML file; every mistake is told, and then nothing is changed."""
    from app.merchandising.book import NotRules, RuleChanged, name_of
    from app.merchandising.exchange import NotToml, from_toml
    from store.clock import Clock

    try:
        rules = from_toml(file.read_text("utf-8"))
    except UnicodeDecodeError:
        fail(f"{file}: its text is not UTF-8")
    except NotToml as error:
        fail("\n".join(f"{file}: {each.pointer} {each.detail}".replace(":  ", ": ") for each in error.problems))

    async def work(book: RuleBook) -> str:
        now = Clock().now()
        draft = await book.store.draft()
        written = await book.replace(rules, draft.revision, author="shell", now=now)
        if not publish:
            return f"{len(rules)} rules are the draft now; publish them in the console, or with --publish"
        made = await book.publish(written.revision, author="shell", now=now, note=note)
        return f"{len(rules)} rules are in force as {name_of(made.number)}"

    try:
        said = _with_book(ctx, work)
    except NotRules as wrong:
        fail("\n".join(f"{file}: {each.pointer}: {each.detail}" for each in wrong.problems))
    except RuleChanged:
        fail("somebody changed the draft at this very moment; try again")
    _note(ctx, "rules published" if publish else "rules imported", f"{len(rules)} rules")
    click.echo(said)


def _with_book(ctx: click.Context, work: Callable[[RuleBook], Awaitable[T]]) -> T:
    from zoneinfo import ZoneInfo

    from app.merchandising.book import RuleBook
    from app.rules.engine import Rules
    from app.serving.placements import placements_of
    from store.database import open_database
    from store.rules import RuleStore
    from store.shop import read_catalogue

    config = read_config(ctx)
    folder = ctx.obj.parent / config.node.data

    async def run() -> T:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        async with open_database(folder / "shop.db", "shop") as database:
            rules = Rules(read_catalogue(folder / "shop.db"), ZoneInfo(config.shop.timezone), config.rules)
            return await work(RuleBook(RuleStore(database), rules, sorted(placements_of(config.placements))))

    return asyncio.run(run())


def _note(ctx: click.Context, action: str, target: str) -> None:
    from store.admin import open_admin
    from store.clock import Clock

    config = read_config(ctx)

    async def run() -> None:
        async with open_admin(ctx.obj.parent / config.node.data / "admin.db") as store:
            await store.audit.note("shell", action, target, "done", Clock().now())

    asyncio.run(run())
