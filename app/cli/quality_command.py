"""`personalize quality`: recommendations and search on real data, against a static shop in the same run."""

from __future__ import annotations

from pathlib import Path

import click

from app.cli import fail

_FILE = click.Path(path_type=Path)
_PROTOCOLS = ["shop", "privacy", "interactions", "movies", "exploration", "sessions", "demo"]


@click.command()
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    default=Path("../shared/data"),
    show_default=True,
    help="Folder of the data sets.",
)
@click.option("--output", type=click.Path(path_type=Path), default=Path("quality.json"), show_default=True)
@click.option(
    "--only",
    type=click.Choice(_PROTOCOLS),
    help="One protocol alone; privacy is the shop with its curve, demo the generated shop.",
)
@click.option("--validate", is_flag=True, help="The month before the test: what settings are chosen on.")
@click.option(
    "--interactions",
    type=(_FILE, _FILE),
    default=None,
    metavar="TRAIN TEST",
    help="Your own files, a line is `user item item …`: Recall@20 and NDCG@20.",
)
@click.option(
    "--sessions",
    type=(_FILE, _FILE),
    default=None,
    metavar="TRAIN TEST",
    help="Your own files, tab-separated SessionId, ItemId, Time: HR@20 and MRR@20.",
)
def command(
    data: Path, output: Path, only: str | None, validate: bool,
    interactions: tuple[Path, Path] | None, sessions: tuple[Path, Path] | None,
) -> None:  # fmt: skip
    """Measure recommendations and search on real data, and on the generated shop; exit code 1 below a floor.

    With files of your own the same protocols run on them, with what ships and what is chosen on a slice of TRAIN.
    """
    from app.quality.files import FileUnreadable
    from app.quality.run import run, run_interactions, run_sessions
    from app.quality.scratch import QualityFailed

    if interactions and sessions:
        fail("--interactions and --sessions: one at a time")
    try:
        if interactions:
            run_interactions(*interactions, output, click.echo)
            return
        if sessions:
            run_sessions(*sessions, output, click.echo)
            return
        passed = run(data, output, click.echo, only or "", validate=validate)
    except (QualityFailed, FileUnreadable) as failed:
        fail(str(failed))
    if not passed:
        fail("a floor does not hold")
