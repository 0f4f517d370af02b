"""`personalize prove`: the promise of erasure, tried out on a scratch node with everything that could break it."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import click


@click.command()
@click.option("--scratch", type=click.Path(path_type=Path, file_okay=False), help="Work here and leave it for a look.")
@click.option("--die-at", default="", hidden=True)
def command(scratch: Path | None, die_at: str) -> None:
    """Make a shop and a visitor, forget the visitor, and search every byte of every file, in ten ways that could fail.

    Nothing of this installation's own data is read or changed. Ends with 1 where a promise is not kept.
    """
    from app.prove.promises import die

    if die_at:
        asyncio.run(die(die_at, scratch or Path()))
        return
    if scratch is not None:
        scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
        raise SystemExit(_prove(scratch))
    with tempfile.TemporaryDirectory(prefix="personalize-prove-") as folder:
        raise SystemExit(_prove(Path(folder)))


def _prove(scratch: Path) -> int:
    from app.prove.promises import TRIALS, Broken

    broken = 0
    for trial in TRIALS:
        promise = (trial.__doc__ or "").strip()
        folder = scratch / trial.__name__.replace("_", "-")
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            looked_at = asyncio.run(trial(folder))
        except Broken as how:
            broken += 1
            click.echo(f"BROKEN  {promise}\n        {how}")
        else:
            click.echo(f"passed  {promise}\n        {looked_at}")
    click.echo(f"{len(TRIALS) - broken} of {len(TRIALS)} promises passed")
    click.echo("Left on purpose: a keyed hash under the suppression key, which refuses late events until it expires.")
    click.echo("Out of reach of any search: what a disk keeps of blocks it has given up; there only lost keys protect.")
    return 1 if broken else 0
