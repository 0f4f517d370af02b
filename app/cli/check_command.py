"""`personalize check`: is the configuration right, do the plugins load?"""

from __future__ import annotations

import click

from app.cli import read_config


@click.command()
@click.pass_context
def command(ctx: click.Context) -> None:
    """Check the configuration and the plugins; print every problem at once."""
    from app.node import configured_plugins

    config = read_config(ctx)
    plugins = configured_plugins(config, ctx.obj)
    click.echo(f"{ctx.obj}: fine; {len(plugins.describe())} plugins on")
