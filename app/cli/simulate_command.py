"""`personalize simulate`: does an experiment measure what is true?"""

from __future__ import annotations

from pathlib import Path

import click

from app.cli import fail


@click.command()
@click.option(
    "--shoppers", type=click.IntRange(min=100), default=1_500, show_default=True, help="Of the generated shop."
)
@click.option("--visits", type=click.IntRange(min=1, max=100), default=4, show_default=True, help="Of each shopper.")
@click.option("--seed", type=int, default=20261127, show_default=True, help="Of the shoppers' whims.")
@click.option("--url", help="A running server of the generated shop; without it one is made in a scratch folder.")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    default=Path("demo-data"),
    show_default=True,
    help="With --url: the data folder of that shop.",
)
@click.option(
    "--key",
    envvar="PERSONALIZE_SERVER_KEY",
    help="With --url: a server key, also PERSONALIZE_SERVER_KEY; an operator's account makes its own.",
)
@click.option("--name", default="admin", show_default=True, help="With --url: the account of a marketer.")
@click.option("--password", envvar="PERSONALIZE_PASSWORD", help="Of that account; also PERSONALIZE_PASSWORD.")
def command(
    shoppers: int, visits: int, seed: int, url: str | None, data: Path, key: str | None, name: str,
    password: str | None,
) -> None:  # fmt: skip
    """Let the demo shop's simulated shoppers take part in experiments through the HTTP API of a running server, and
    compare what comes out with what is true; exit code 1 where it is not the same."""
    from tempfile import TemporaryDirectory

    from app.demo.mark import read_mark
    from app.simulate.client import CannotSimulate
    from app.simulate.run import Access, made_up, report, scratch_server, simulate

    try:
        if url:
            shop = read_mark(data)
            if shop is None:
                raise CannotSimulate(f"{data} is not the data folder of the generated shop; say which with --data")
            told = password or click.prompt(f"Password of {name}", hide_input=True)
            outcome = simulate(Access(url, key or "", name, told), shop, shoppers, visits, seed, click.echo)
        else:
            with (
                TemporaryDirectory(prefix="personalize-simulate-") as folder,
                scratch_server(Path(folder), shoppers, click.echo) as (access, shop),
            ):
                outcome = simulate(access, shop, shoppers, visits, seed, click.echo)
        right = report(outcome, made_up(), click.echo)
    except CannotSimulate as cannot:
        fail(str(cannot))
    if not right:
        fail("an experiment says what is not so")
