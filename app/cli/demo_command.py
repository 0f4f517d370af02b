"""`personalize demo`: the generated shop, ready to click through."""

from __future__ import annotations

from pathlib import Path

import click

from app.cli import fail, tell_first_password
from app.node import Node

TRY = """
What to try
  1. Say yes in the banner, open three products of one kind, go back to the front page: it has changed.
  2. Search for something, misspell it; open the panel at the bottom to see why each item is there.
  3. Browse as one of the generated visitors; choose another region; say no, and see it forget you.
"""


@click.command()
@click.option("--data", type=click.Path(path_type=Path), default=Path("demo-data"), show_default=True)
@click.option("--port", type=int, envvar="DEMO_PORT", default=8787, show_default=True, help="Also by DEMO_PORT.")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--shoppers", type=int, help="Generated visitors; fewer are made faster and teach less.")
@click.option("--prepare-only", is_flag=True, help="Make and train the shop, then stop.")
def command(data: Path, port: int, host: str, shoppers: int | None, prepare_only: bool) -> None:
    """Make the generated shop, train, and serve its storefront."""
    import msgspec

    from app.config import load_config
    from app.demo.mark import read_mark
    from app.demo.prepare import prepare_in_child
    from app.demo.shoppers import SHOPPERS
    from app.logs import set_up_logs
    from app.serve import CannotListen, run, serve

    set_up_logs()
    path = data / "personalize.toml"
    try:
        mark = read_mark(data)
        if prepare_only or mark is None or not mark.complete:
            prepare_in_child(path, click.echo, shoppers or SHOPPERS)
        if prepare_only:
            return
        config = load_config(path)
        config = msgspec.structs.replace(
            config, server=msgspec.structs.replace(config.server, bind=f"{host}:{port}", demo=True)
        )
        run(serve(config, path, announce), uvloop=config.server.uvloop)
    except CannotListen as busy:
        fail(f"{busy}; choose another port with DEMO_PORT=… or --port")


def announce(node: Node, address: str) -> None:
    click.echo(f"\n{node.config.shop.name}, {node.catalogue.size} products, generation {node.model.id}\n")
    click.echo(f"  storefront  {address}/demo/")
    click.echo(f"  console     {address}/console/")
    click.echo(f"  API         {address}/openapi.json   {address}/metrics")
    click.echo(TRY)
    tell_first_password(node.staff)
