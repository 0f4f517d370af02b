"""`personalize selftest`: does this installation work, from start to stop?"""

from __future__ import annotations

from pathlib import Path

import click

from app.cli import fail


@click.command()
def command() -> None:
    """Make a small shop in a scratch folder, serve it with this very program, kill it, start it again, stop it."""
    from tempfile import TemporaryDirectory

    from app.selftest import SelfTestFailed, run

    with TemporaryDirectory(prefix="personalize-selftest-") as folder:
        try:
            run(Path(folder), lambda text: click.echo(f"  ok  {text}"))
        except SelfTestFailed as failed:
            fail(f"  FAILED  {failed}")
    click.echo("personalize works here")
