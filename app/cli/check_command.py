"""`personalize check`: is the configuration right, do the plugins load?"""

from __future__ import annotations

import click

from app.cli import read_config


@click.command()
@click.option("--article30", is_flag=True, help="Print the record of processing activities (GDPR Art. 30), as Markdown.")
@click.pass_context
def command(ctx: click.Context, article30: bool) -> None:
    """Check the configuration and the plugins; print every problem at once."""
    from app.node import configured_plugins
    from app.privacy.article30 import record

    config = read_config(ctx)
    plugins = configured_plugins(config, ctx.obj)
    if article30:
        click.echo(record(config, plugins), nl=False)
        return
    click.echo(f"{ctx.obj}: fine; {len(plugins.describe())} plugins on")
