"""`personalize check`: is the configuration right, do the plugins load?"""

from __future__ import annotations

import click

from app.cli import fail, read_config


@click.command()
@click.pass_context
def command(ctx: click.Context) -> None:
    """Check the configuration and the plugins; print every problem at once."""
    from app.node import load_configured_plugins
    from plugins.manager import PluginProblems

    config = read_config(ctx)
    try:
        plugins = load_configured_plugins(config)
    except PluginProblems as wrong:
        fail(str(wrong), 2)
    click.echo(f"{ctx.obj}: fine; {len(plugins.describe())} plugins on")
