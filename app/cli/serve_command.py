"""`personalize serve`: the server, until SIGTERM."""

from __future__ import annotations

import click

from app.cli import fail, read_config, tell_first_keys, tell_first_password
from app.node import Node


@click.command()
@click.option("--bind", help="Address to listen on instead of [server] bind.")
@click.pass_context
def command(ctx: click.Context, bind: str | None) -> None:
    """Serve the shop until SIGTERM or Ctrl-C."""
    import msgspec

    from app.logs import set_up_logs
    from app.serve import CannotListen, run, serve

    config = read_config(ctx)
    if bind:
        config = msgspec.structs.replace(config, server=msgspec.structs.replace(config.server, bind=bind))
        if problems := config.contradictions():
            fail("\n".join(problems), 2)
    set_up_logs()
    try:
        run(serve(config, ctx.obj, announce), uvloop=config.server.uvloop)
    except CannotListen as busy:
        fail(f"{busy}; set [server] bind or --bind to a free address of this machine")


def announce(node: Node, address: str) -> None:
    click.echo(f"personalize serves {node.config.shop.name} at {address}")
    model = node.model
    click.echo(f"  {node.catalogue.size} items, generation {model.id or 'none yet (personalize train)'}")
    click.echo("  the console is at /console/ there")
    tell_first_keys(node.keys)
    tell_first_password(node.staff)
