"""`personalize quality`: recommendations and search on real data, against a static shop in the same run."""

from __future__ import annotations

from pathlib import Path

import click

from app.cli import fail


@click.command()
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    default=Path("../shared/data"),
    show_default=True,
    help="Folder of the data sets.",
)
@click.option("--output", type=click.Path(path_type=Path), default=Path("quality.json"), show_default=True)
@click.option("--only", type=click.Choice(["shop", "sessions"]), default=None, help="One protocol alone.")
@click.option("--validate", is_flag=True, help="The month before the test: what settings are chosen on.")
def command(data: Path, output: Path, only: str | None, validate: bool) -> None:
    """Measure recommendations and search on real data; exit code 1 below a floor."""
    from app.quality.run import run
    from app.quality.scratch import QualityFailed

    try:
        passed = run(data, output, click.echo, only or "", validate=validate)
    except QualityFailed as failed:
        fail(str(failed))
    if not passed:
        fail("a floor does not hold")
