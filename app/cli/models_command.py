"""`personalize models`: what was learned, how good it is, and the way back."""

from __future__ import annotations

import json
from pathlib import Path

import click

from app.cli import read_config


@click.group(invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """What was learned: every generation that is kept, and the trainings; without a subcommand the list."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_models)


@command.command("list")
@click.pass_context
def list_models(ctx: click.Context) -> None:
    """Every generation that is kept, the newest first, and how the last trainings went."""
    from app.learning.models import models
    from app.learning.runs import runs

    home = _home(ctx)
    found = models(home)
    for each in found:
        told = each.summary()
        click.echo(f"{each.id:<14} {each.status:<9} {told}")
    if not found:
        click.echo("no generation yet; `personalize train` makes one")
    for run in runs(home)[:5]:
        click.echo(run.sentence())


@command.command("show")
@click.argument("id")
@click.option("--json", "as_json", is_flag=True, help="The card as it is stored.")
@click.pass_context
def show(ctx: click.Context, id: str, as_json: bool) -> None:  # noqa: A002
    """The model card of a generation."""
    from app.learning.card import readable
    from app.learning.models import model

    found = model(_home(ctx), id)
    click.echo(json.dumps(found.card, indent=1) if as_json else readable(found.card, found.status))


@command.command("promote")
@click.argument("id")
@click.pass_context
def promote(ctx: click.Context, id: str) -> None:  # noqa: A002
    """Let a kept generation serve; a running server takes it over within seconds. An older one is pinned: no
    training takes its place until `personalize models unpin`."""
    from app.learning import pin
    from store.clock import Clock
    from store.sensitive import Sensitive
    from store.shop import read_catalogue

    config, home = read_config(ctx), _home(ctx)
    catalogue = read_catalogue(home.parent / "shop.db", Sensitive(config.privacy.sensitive))
    made = pin.promote(home, id, "shell", Clock().now(), catalogue, config)
    click.echo(f"generation {id} serves" if made is None else f"{made.sentence()}; no training begins until unpin")


@command.command("unpin")
@click.pass_context
def unpin(ctx: click.Context) -> None:
    """Let trainings publish again after a roll back."""
    from app.learning import pin

    found = pin.unpin(_home(ctx))
    click.echo("nothing was pinned" if found is None else f"generation {found.generation} is no longer pinned")


def _home(ctx: click.Context) -> Path:
    config = read_config(ctx)
    path: Path = ctx.obj
    return path.parent / config.node.data / "generations"
