"""`personalize check`: is the configuration right, do the plugins load?"""

from __future__ import annotations

from pathlib import Path

import click

from app.cli import read_config


@click.command()
@click.option("--article30", is_flag=True, help="Print the record of processing activities (GDPR Art. 30), Markdown.")
@click.option("--ledger", is_flag=True, help="Follow the chain of consent decisions: a changed byte breaks it.")
@click.option(
    "--receipt",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Tell whether a consent receipt (JSON) is genuine.",
)
@click.pass_context
def command(ctx: click.Context, article30: bool, ledger: bool, receipt: Path | None) -> None:
    """Check the configuration and the plugins; print every problem at once."""
    from app.cli.ledger_check import check_ledger, check_receipt
    from app.node import configured_plugins
    from app.privacy.article30 import record

    config = read_config(ctx)
    plugins = configured_plugins(config, ctx.obj)
    if ledger:
        check_ledger(config, ctx.obj.parent)
    if receipt is not None:
        check_receipt(config, ctx.obj.parent, receipt)
    if ledger or receipt is not None:
        return
    if article30:
        click.echo(record(config, plugins), nl=False)
        return
    click.echo(f"{ctx.obj}: fine; {len(plugins.describe())} plugins on")
