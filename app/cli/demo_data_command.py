"""`personalize demo-data`: the step of `personalize demo` that fills the node; a process of its own."""

from __future__ import annotations

import click

from app.cli import read_config


@click.command(hidden=True)
@click.argument("shoppers", type=int)
@click.pass_context
def command(ctx: click.Context, shoppers: int) -> None:
    """Generate the demo shop's catalogue and history into the configured node."""
    import asyncio

    from app.demo.prepare import prepare
    from store.clock import Clock

    config = read_config(ctx)
    asyncio.run(prepare(config, ctx.obj, Clock().now(), lambda text: click.echo(f"  {text}"), shoppers))
