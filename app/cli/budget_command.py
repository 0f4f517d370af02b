"""`personalize budget`: what learning across people has cost, by release, and what is left."""

from __future__ import annotations

import click

from app.cli import read_config


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """What learning across people has cost in this window, by release, and what is left. Can run beside the server."""
    import msgspec

    from app.learning.budget_report import readable, report_of
    from app.learning.read import time_of
    from store.clock import Clock

    config = read_config(ctx)
    folder = ctx.obj.parent / config.node.data
    report = report_of(folder, config.privacy, time_of(config, folder, Clock()))
    click.echo(msgspec.json.format(msgspec.json.encode(report), indent=1) if as_json else readable(report))
