"""`personalize init`: a commented configuration with the answers filled in."""

from __future__ import annotations

from pathlib import Path

import click

from app.cli import fail


@click.command()
@click.option("--name", help="The shop's name.")
@click.option("--currency", help="Its currency, such as EUR.")
@click.option("--bind", help="Address to serve at.")
@click.option("--data", help="Folder to keep everything in.")
@click.option("--minimal", is_flag=True, help="Only the answers, without the commented rest.")
@click.pass_context
def command(
    ctx: click.Context, name: str | None, currency: str | None, bind: str | None, data: str | None, minimal: bool
) -> None:
    """Write a commented personalize.toml; never overwrites one."""
    from app.config import ConfigError, parse_config
    from app.config.template import fill

    answers = {
        table: {key: value for key, value in settings.items() if value is not None}
        for table, settings in {
            "shop": {"name": name, "currency": currency},
            "server": {"bind": bind},
            "node": {"data": data},
        }.items()
    }
    path: Path = ctx.obj
    try:
        parse_config(answers, "your answers")
        with path.open("x", encoding="utf-8") as file:
            file.write(fill(answers, minimal=minimal))
    except ConfigError as wrong:
        fail(str(wrong), 2)
    except FileExistsError:
        fail(f"{path} exists already; it was left as it is")
    except OSError as error:
        fail(f"{path}: {error.strerror}")
    click.echo(f"wrote {path}; next: personalize check, personalize import, personalize serve")
