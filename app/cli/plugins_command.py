"""`personalize plugins`: what is on, in call order, with options and hooks."""

from __future__ import annotations

import click

from app.cli import read_config


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """List the plugins that are on, in the order in which they are called."""
    import msgspec

    from app.node import configured_plugins
    from plugins.loading import shipped_names

    config = read_config(ctx)
    plugins = configured_plugins(config, ctx.obj)
    described = plugins.describe()
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(described), indent=2))
        return
    for plugin in described:
        options = "  ".join(f"{name}={value!r}" for name, value in plugin.options.items())
        origin = "" if plugin.shipped else f"  [{plugin.file}]"
        click.echo(f"{click.style(plugin.name, bold=True):<28} {', '.join(plugin.hooks)}{origin}")
        click.echo(f"  {plugin.summary}")
        if options:
            click.echo(f"  {options}")
    off = sorted(set(shipped_names()) - {plugin.name for plugin in described})
    if off:
        click.echo(f"\noff, switched on by [plugins.NAME]: {', '.join(off)}")
