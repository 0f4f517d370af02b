"""`personalize erase`: forget a person in every store, beside a running server or without one."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.cli import fail, read_config

if TYPE_CHECKING:
    from app.config import Config
    from app.privacy.erasure_case import Ids
    from app.privacy.erasure_receipt import ErasureReceipt

PATIENCE_SECONDS = 300.0


@click.command()
@click.option("--user", default="", help="The shop's user id.")
@click.option("--anon", default="", help="The beacon's id.")
@click.option("--session", default="", help="The visit's id.")
@click.pass_context
def command(ctx: click.Context, user: str, anon: str, session: str) -> None:
    """Forget whoever has these ids, search every byte, and print the signed receipt."""
    import msgspec

    ids = ids_of(user, anon, session)
    config = read_config(ctx)
    receipt, opening = asyncio.run(_erase(config, ctx.obj, ids))
    told = {**msgspec.to_builtins(receipt), "opening": opening}
    click.echo(msgspec.json.format(msgspec.json.encode(told), indent=2).decode())
    if receipt.state != "verified":
        fail(f"The state is '{receipt.state}': the server goes on with it, and so does the next start.", 3)


def ids_of(user: str, anon: str, session: str) -> list[tuple[str, str]]:
    """The ids that were given; ends the command where there is none."""
    ids = [(kind, name) for kind, name in (("user", user), ("anon", anon), ("session", session)) if name]
    if not ids:
        fail("name the person: --user, --anon or --session", 2)
    return ids


async def _erase(config: Config, path: Path, ids: Ids) -> tuple[ErasureReceipt, str]:
    from app.node import InUse, open_node
    from app.privacy.erasure_receipt import erasure_receipt

    try:
        async with open_node(config, path) as node:
            erased = await node.erasures.erase(ids)
            await node.erasures.until_verified(erased.number, PATIENCE_SECONDS)
            facts = node.erasures.stands(erased.number) or erased.facts
            receipt = erasure_receipt(erased.number, erased.commitment, facts, node.keys, counted=True)
            return receipt, erased.opening.hex()
    except InUse:
        return await _leave_word(config, path, ids)


async def _leave_word(config: Config, path: Path, ids: Ids) -> tuple[ErasureReceipt, str]:
    """Write the erasure down for the server that holds the folder, and wait for it."""
    import secrets

    from app.privacy.erasure_case import new_case, new_number, save_case
    from app.privacy.erasure_receipt import erasure_receipt, facts_of
    from store.clock import Clock
    from store.database import open_database, open_reader
    from store.erasure import Sagas
    from store.keys import open_keys
    from store.requests import Requests

    folder = path.parent / config.node.data
    now, number, opening = int(Clock().now()), new_number(), secrets.token_bytes(16)
    case = new_case(ids, opening, config, folder, now)
    async with open_keys(folder / "keys.db", now=now, beside=folder / "person.db", tenant=config.node.tenant) as keys:
        reader = open_reader(folder / "person.db", cache_mb=1)
        requests = Requests(reader)
        async with (
            open_database(folder / "person.db", "person", cache_mb=4) as database,
            database.transaction() as transaction,
        ):
            save_case(
                transaction, Sagas(reader), requests, keys, number=number, step="mark", case=case,
                jurisdiction=config.consent.home,
            )  # fmt: skip
        facts = case.facts
        waited = 0.0
        while not facts.verified and waited < PATIENCE_SECONDS:
            await asyncio.sleep(0.5)
            waited += 0.5
            row = requests.get(number)
            facts = (facts_of(row.receipt) if row else None) or facts
        reader.close()
        return erasure_receipt(number, case.commitment, facts, keys, counted=True), opening.hex()
