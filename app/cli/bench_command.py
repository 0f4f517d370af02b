"""`personalize bench`: speed and memory in the benchmark world, beside their floors and goals."""

from __future__ import annotations

from pathlib import Path

import click

from app.cli import fail

CACHE = Path("~/.cache/personalize-bench")
PARTS = ("start", "recommend", "swap", "training", "search", "events", "items", "demo")


@click.command()
@click.option(
    "--size",
    type=click.Choice(["full", "small", "tiny"]),
    default="full",
    show_default=True,
    help="100,000 items and 1,000,000 visitors; or 10,000 and 20,000; or 1,000 and 2,000.",
)
@click.option("--small", is_flag=True, help="The same as --size small: whether it works, in a minute.")
@click.option(
    "--seconds", type=click.FloatRange(0.2, 600), help="Of each measurement under load [10; small worlds: 2]."
)
@click.option("--only", "parts", type=click.Choice(PARTS), multiple=True, help="May be repeated; all by default.")
@click.option(
    "--cache",
    type=click.Path(path_type=Path),
    default=CACHE,
    show_default=True,
    help="Where worlds are kept between runs.",
)
@click.option("--output", type=click.Path(path_type=Path), default=Path("bench.json"), show_default=True)
def command(
    size: str, small: bool, seconds: float | None, parts: tuple[str, ...], cache: Path, output: Path
) -> None:  # fmt: skip
    """Measure; exit code 1 when a floor is missed in the full world. Server on one core, load from another."""
    import asyncio

    import msgspec

    from app.bench.figures import table
    from app.bench.load import NoAnswer
    from app.bench.run import run
    from app.bench.served import CannotMeasure
    from app.bench.world import SIZES

    chosen = SIZES["small" if small else size]
    seconds = seconds or (10.0 if chosen.name == "full" else 2.0)
    try:
        report = asyncio.run(run(cache.expanduser(), chosen, seconds, parts or PARTS, click.echo))
    except (CannotMeasure, NoAnswer) as problem:
        fail(str(problem))
    click.echo(f"\n{report.machine}; {chosen.items:,} items, {chosen.people:,} visitors;"
               f" calibration loop {report.calibration_ms:.1f} ms\n")  # fmt: skip
    for line in table(report.figures):
        click.echo(line)
    output.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1))
    missed = [figure.name for figure in report.figures if figure.verdict == "MISSED"]
    if missed and chosen.name == "full":
        fail(f"\nbelow the floor: {', '.join(missed)}")
