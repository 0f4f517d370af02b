"""`personalize audit`: does what is released across people keep the promise of the privacy budget?"""

from __future__ import annotations

import click

from app.cli import fail, read_config


@click.command()
@click.option("--epsilon", type=click.FloatRange(0.1, 50), help="Instead of the configured one.")
@click.option("--canaries", type=click.IntRange(100, 100_000), default=2_000, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@click.pass_context
def command(ctx: click.Context, epsilon: float | None, canaries: int, as_json: bool) -> None:
    """Train on made-up people, as visible as anybody can be, and find out who took part, knowing everything else: by
    the item vectors, the counts and the pairs that are released.

    Uses the code that trains and releases, and a budget of its own that is thrown away; nothing of the shop is read.
    Exit code 1 when more is spent than is claimed, or when the audit saw too little to say.
    """
    import msgspec

    from app.learning.audit import audit, membership
    from app.learning.audit_sums import audit_sums

    privacy = read_config(ctx).privacy
    if epsilon is not None:
        privacy = msgspec.structs.replace(privacy, epsilon=epsilon)
    results = [audit(privacy, canaries), *audit_sums(privacy, canaries)]
    if as_json:
        click.echo(msgspec.json.encode(results))
    else:
        for found in results:
            claimed = f"{found.release}: claimed ε = {found.claimed:g} (δ = {found.delta:g})"
            proved = f"prove at least {found.at_least:.2f} ({found.confidence:.0%} sure)"
            click.echo(f"{claimed}; {found.canaries:,} canaries {proved}")
        attacked = membership(privacy, 10 * canaries)
        click.echo(f"by the published vectors alone {attacked.found:.2%} of those who took part are found, and"
                   f" {attacked.false:.2%} of the others; the promise allows {attacked.at_most:.2%}")  # fmt: skip
    failed = [f"FAILED  {found.verdict}" for found in results if found.verdict]
    if failed:
        fail("\n".join(failed))
