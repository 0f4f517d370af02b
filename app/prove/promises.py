"""What is promised, each with the trial that would show it broken: it returns what it looked at, or raises Broken."""

from __future__ import annotations

import asyncio
import signal
import sys
import zlib
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec

from app.privacy.backup import back_up, restore
from app.privacy.byte_scan import Scanned, scan
from app.privacy.erasure import STEPS, SWITCHES
from app.privacy.receipts import receipt_is_genuine
from app.privacy.rotation import rotate
from app.program import program
from app.prove.canary import LOG, Canary, Scene, batch_of, live, scene, scratch_config
from store.database import open_reader
from store.erasure import DELETIONS, find_people
from store.records import Purpose
from store.withdrawals import note_withdrawals

EVERYTHING = Purpose(127)
PATIENCE = 60.0
WITHOUT = [*SWITCHES, *DELETIONS]
"""Every part of the erasure that can be switched off."""


class Broken(Exception):
    """A promise is not kept; the text says how it showed."""


def must(kept: object, otherwise: str) -> None:
    if not kept:
        raise Broken(otherwise)


def looked(found: Scanned) -> str:
    return f"{found.files} files, {found.bytes:,} bytes, {found.streams} streams inflated"


async def search_finds(folder: Path) -> str:
    """The search finds every needle in every spelling, also inside compressed data"""
    async with scene(folder, Canary()) as stage:
        await live(stage)
        needles = [*stage.needles(), *stage.canary.of_catalogue()]
    control = folder / "control"
    control.mkdir()
    for number, needle in enumerate(needles):
        (control / f"{number}").write_bytes(b"\x00 something before " + needle.pattern + b" and after")
        (control / f"{number}.z").write_bytes(b"head" + zlib.compress(b"inside " * 9 + needle.pattern))
    found = scan(control, needles)
    files = {sighting.file for sighting in found.sightings}
    missed = [needle.name for number, needle in enumerate(needles) if not {f"{number}", f"{number}.z"} <= files]
    must(not missed, f"not found where it was put: {', '.join(missed[:5])}")
    return f"{len(needles)} needles, each found in a file and in a compressed one"


async def known_before(folder: Path) -> str:
    """Before the erasure the visitor is in every store, so that finding nothing later means something"""
    async with scene(folder, Canary()) as stage:
        await live(stage)
        found = scan(stage.node.folder, stage.needles())
        files = {sighting.file.removesuffix("-wal") for sighting in found.sightings}
        must(files >= {"person.db", "vault.db", "keys.db"}, f"only found in {', '.join(sorted(files)) or 'no file'}")
        told = (await stage.ask("GET", "/v1/me/export", **stage.server, **stage.canary.header)).body.decode()
        held = [stage.canary.query, stage.canary.item, repr(stage.canary.lat), repr(stage.canary.lon)]
        must(all(each in told for each in held), "the export does not tell what was kept")
        must(scan(stage.node.folder, stage.canary.of_catalogue()).sightings, "the product is not in the catalogue")
        crashed = [name for name, status in stage.called.items() if status >= 500]
        must(not crashed, f"endpoints failed: {', '.join(crashed)}")
        return f"{len(stage.called)} endpoints used; found in {', '.join(sorted(files))}; {looked(found)}"


async def nothing_in_clear(folder: Path) -> str:
    """Ids, search texts and places are in no file in clear at any time; products bought are not named beside people"""
    async with scene(folder, Canary()) as stage:
        await live(stage)
        in_clear = scan(stage.node.folder, stage.canary.in_clear())
        goods = [each for each in stage.search().sightings if each.needle.startswith("item")]
        must(not in_clear.sightings and not goods, _where([*in_clear.sightings, *goods]))
        return looked(in_clear)


async def forgotten(folder: Path) -> str:
    """After the erasure nothing can be read, no byte is in any file, under any epoch's pseudonym, nor in a DEBUG log"""
    async with scene(folder, Canary()) as stage:
        await live(stage)
        await rotate(stage.node)
        former, stage.case.people, stage.counted = stage.case.people, [], []
        await stage.ask("POST", "/v1/events", batch_of(stage, number=2), **{"content-type": "text/plain"})
        await stage.node.intake.until_vaulted()
        stage.notice()
        must(set(former) - set(stage.case.people), "nobody went on under a new number")
        found = await erased(stage)
        must((stage.node.folder / LOG).stat().st_size > 0, "nothing was logged")
        return f"{len(stage.needles())} needles under {len(stage.node.keys.epochs())} epochs; {looked(found)}"


async def late_events(folder: Path) -> str:
    """Late, repeated and future events of whoever is forgotten are refused, until they decide anew"""
    async with scene(folder, Canary()) as stage:
        await live(stage)
        await erased(stage)
        for number, ago in ((0, 0), (7, 3_600_000), (8, 0), (9, -60_000)):
            told = batch_of(stage, number=number, ago_ms=ago)
            said = await stage.ask("POST", "/v1/events", told, **{"content-type": "text/plain"})
            kept = [each for each in said.json()["results"] if each["status"] != "dropped"]
            must(not kept, f"{len(kept)} events were kept")
        found = stage.search()
        must(not found.sightings, _where(found.sightings))
        return "4 batches refused"


async def unknown_alike(folder: Path) -> str:
    """Whoever was never known, and whoever is forgotten twice, is told the same"""
    async with scene(folder, Canary()) as stage:
        await live(stage)
        told = []
        for canary in (stage.canary, Canary(), stage.canary):
            said = await stage.ask("DELETE", "/v1/me", **stage.server, **canary.header)
            must(said.status == 200, f"answered {said.status}")
            receipt = said.json()["receipt"]
            must(receipt_is_genuine(receipt, stage.node.keys.receipt_public_key), "a receipt is not genuine")
            own = ("record_id", "commitment", "signature", "requested_at", "erased_at")
            told.append({name: receipt[name] for name in receipt if name not in own})
        must(told[0] == told[1] == told[2], "the receipts differ")
        return f"3 receipts, {len(told[0])} fields alike"


async def open_reader_waits(folder: Path) -> str:
    """While a reader holds a file open the receipt says pending; once it lets go, nothing is left"""
    async with scene(folder, Canary()) as stage:
        await live(stage)
        reader = open_reader(stage.node.folder / "person.db")
        cursor = reader.execute("SELECT name FROM sqlite_schema, event_log")
        cursor.fetchone()
        result = await stage.node.erasures.erase(stage.canary.ids)
        must(not result.facts.erased, "the receipt did not wait")
        cursor.close()
        reader.close()
        must(await stage.node.erasures.until_verified(result.number, PATIENCE), "it never ended")
        found = stage.search()
        must(not found.sightings, _where(found.sightings))
        return looked(found)


async def killed(folder: Path) -> str:
    """kill -9 at any step only interrupts an erasure: the next start finishes it before it serves"""
    for step in STEPS:
        canary, home = Canary(), folder / step
        home.mkdir(parents=True)
        (home / "canary.json").write_bytes(msgspec.json.encode(canary))
        child = await asyncio.create_subprocess_exec(
            *program(), "prove", "--die-at", step, "--scratch", str(home), stdout=asyncio.subprocess.DEVNULL
        )
        must(await child.wait() == -signal.SIGKILL, f"the process at step '{step}' was not killed")
        (home / "canary.json").unlink()
        async with scene(home, canary) as stage:
            if step == "mark":  # nothing was begun
                stage.notice()
                await erased(stage)
            (row,) = stage.node.requests.closed(2)
            must(await stage.node.erasures.until_verified(row.id, PATIENCE), f"killed at '{step}' it never ended")
            found = stage.search()
            must(not found.sightings, f"killed at '{step}': {_where(found.sightings)}")
    return f"{len(STEPS)} kills: {', '.join(STEPS)}"


async def restored(folder: Path) -> str:
    """A backup made before the erasure does not bring anyone back"""
    canary, copy = Canary(), folder / "copy"
    async with scene(folder / "node", canary) as stage:
        await live(stage)
        await back_up(stage.node.folder, copy, folder / "apart" / "keys.db")
        needles, case = stage.needles(), stage.case
        must(scan(copy, needles).sightings, "the backup holds nothing to forget")
        await erased(stage)
    done = await restore(scratch_config(), folder / "node" / "data", copy, None)
    must(done.forgotten, "nobody was forgotten in the backup")
    async with scene(folder / "node", canary) as stage:
        stage.case = case
        found = await asyncio.to_thread(stage.search)
        must(not found.sightings, _where(found.sightings))
        return f"{done.forgotten} ids of the visitor forgotten in the backup; {looked(found)}"


async def noticed(folder: Path) -> str:
    """The proof itself is honest: with any one step of the erasure left out it fails"""
    for switch in WITHOUT:
        async with scene(folder / switch.replace(" ", "-"), Canary()) as stage:
            await live(stage)
            try:
                await erased(stage, without=switch)
            except Broken:
                continue
            raise Broken(f"without '{switch}' nothing was noticed")
    return f"{len(WITHOUT)} steps left out, one by one: {', '.join(WITHOUT)}"


Trial = Callable[[Path], Coroutine[Any, Any, str]]
TRIALS: tuple[Trial, ...] = (
    search_finds, known_before, nothing_in_clear, forgotten, late_events, unknown_alike, open_reader_waits, killed,
    restored, noticed,
)  # fmt: skip


async def erased(stage: Scene, without: str = "") -> Scanned:
    """Erase the canary over HTTP, and look for anything that is left in any way. Raises Broken."""
    node, canary = stage.node, stage.canary
    waiting = dict.fromkeys(stage.case.people, 1)

    async def withdraw(transaction: object) -> None:
        note_withdrawals(transaction, waiting, 0)  # type: ignore[arg-type]

    await node.intake.writer.exclusive(withdraw)
    node.erasures.without = frozenset([without]) if without else frozenset()
    said = await stage.ask("DELETE", "/v1/me", **stage.server, **canary.header)
    must(said.status == 200, f"the erasure answered {said.status}")
    receipt = said.json()["receipt"]
    must(receipt["state"] in ("erased", "verified"), f"the receipt says {receipt['state']}")
    found = await asyncio.to_thread(stage.search)
    must(not found.sightings, _where(found.sightings))
    _nothing_held(stage)
    told = batch_of(stage, number=3, ago_ms=60_000)
    late = await stage.ask("POST", "/v1/events", told, **{"content-type": "text/plain"})
    must(all(each["status"] == "dropped" for each in late.json()["results"]), "late events were kept")
    verified = await node.erasures.until_verified(int(receipt["record_id"], 16), PATIENCE)
    must(verified, "the receipt never said verified")
    found = await asyncio.to_thread(stage.search)
    must(not found.sightings, _where(found.sightings))
    return found


def _nothing_held(stage: Scene) -> None:
    node, people = stage.node, stage.case.people
    names = [name for kind, told in stage.canary.ids for name in node.keys.pseudonyms(kind, told)]
    must(not find_people(node.reader, names), "a pseudonym still leads to the person")
    for person in people:
        must(node.keys.data_key(person) is None, "the person's key is still there")
        must(node.vault.read(person, Purpose.PURCHASES, EVERYTHING) is None, "the vault can still be read")
    marks = ",".join("?" * len(stage.counted))
    left = node.reader.execute(f"SELECT count(*) FROM seen WHERE id IN ({marks})", stage.counted).fetchone()[0]
    must(not left, f"{left} of the person's events are still counted")
    must(not node.plugins.person_erased(0), "plugins still keep something")


def _where(sightings: object) -> str:
    found = sorted({f"{each.needle} in {each.file}" for each in sightings})  # type: ignore[attr-defined]
    return f"found: {'; '.join(found[:4])}{' …' if len(found) > 4 else ''}"


async def die(step: str, home: Path) -> None:
    """In a process of its own: be killed while the canary is forgotten."""
    canary = msgspec.json.decode((home / "canary.json").read_bytes(), type=Canary)

    def reached(name: str) -> None:
        if name == step:
            signal.raise_signal(signal.SIGKILL)

    async with scene(home, canary) as stage:
        await live(stage)
        stage.node.erasures.reached = reached
        await stage.ask("DELETE", "/v1/me", **stage.server, **canary.header)
        await stage.node.erasures.finish()
    sys.exit(f"step '{step}' was never reached")
