"""Looks for erased people in every byte of the data directory, and writes anew what still names them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from app.privacy.byte_scan import Scanned, scan
from app.privacy.erasure_case import Case, needles_of
from store.database import Database, Transaction
from store.erasure import find_people, write_keys_anew

if TYPE_CHECKING:
    from app.node import Node


async def look(cases: list[Case], node: Node, *, clean: bool) -> Scanned:
    """Read every file, once for all of them. With `clean`, pages that still name somebody are written anew, then whole
    files; what is found after that is what is left."""
    found = await _scan(cases, node)
    for again in (_write_anew, _vacuum):
        if not found.sightings or not clean:
            break
        await again(cases, node, {sighting.file.removesuffix("-wal") for sighting in found.sightings})
        found = await _scan(cases, node)
    return found


def databases_of(node: Node) -> dict[str, Database]:
    """The files that hold people."""
    return {"person.db": node.database, "vault.db": node.vault.database, "keys.db": node.keys.database}


async def _scan(cases: list[Case], node: Node) -> Scanned:
    needles = [each for case in cases for each in needles_of(case, node.keys, _back_again(case, node))]
    return await asyncio.to_thread(scan, node.folder, needles)


def _back_again(case: Case, node: Node) -> bool:
    """Whether the person has decided anew since: under the same pseudonym, with another number."""
    names = [name for kind, told in case.ids for name in node.keys.pseudonyms(kind, told)]
    return any(each.surrogate not in case.numbers for each in find_people(node.reader, names))


async def _write_anew(cases: list[Case], node: Node, files: set[str]) -> None:
    if "person.db" not in files:
        return
    keys = [key for case in cases for key in case.keys]
    people = [person for case in cases for person in case.people]

    async def anew(transaction: Transaction) -> None:
        await transaction.run(lambda connection: write_keys_anew(connection, keys, people))

    await node.intake.writer.exclusive(anew)
    await node.database.checkpoint_truncate()


async def _vacuum(_: list[Case], node: Node, files: set[str]) -> None:
    for name, database in databases_of(node).items():
        if name in files:
            await database.vacuum()
            await database.checkpoint_truncate()
