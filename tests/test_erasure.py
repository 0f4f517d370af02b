import asyncio
import os
import sys
from pathlib import Path

import pytest

from app.node import Node
from app.privacy.byte_scan import Sighting
from app.privacy.erasure import STEPS
from app.privacy.erasure_receipt import ErasureReceipt, erasure_receipt
from app.privacy.receipts import receipt_is_genuine
from store.database import open_reader
from store.faults import DatabaseFull
from store.records import Purpose
from tests.open_shop import ANON, batch, event, logged, open_shop, outcomes, row, send
from tests.people import OTHER, case_of, known, search, shop_for

pytestmark = pytest.mark.anyio
PATIENCE = 20.0


def files_of(sightings: tuple[Sighting, ...]) -> set[str]:
    return {sighting.file.removesuffix("-wal") for sighting in sightings}


def shape(receipt: ErasureReceipt) -> dict[str, object]:
    """A receipt without what differs between any two of them."""
    own = ("record_id", "commitment", "signature", "requested_at", "erased_at", "verified_at", "search")
    return {name: getattr(receipt, name) for name in receipt.__struct_fields__ if name not in own}


async def receipt_of(node: Node, erased: object) -> ErasureReceipt:
    facts = node.erasures.stands(erased.number)  # type: ignore[attr-defined]
    assert facts is not None
    return erasure_receipt(erased.number, erased.commitment, facts, node.keys)  # type: ignore[attr-defined]


async def test_after_an_erasure_no_byte_of_the_person_is_in_any_file(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as node:
        await shop_for(node, ANON)
        await shop_for(node, OTHER)
        case = case_of(node, ANON)
        before = search(node, case)
        assert files_of(before.sightings) == {"person.db", "vault.db", "keys.db"}, "else the search proves nothing"
        surrogate = case.people[0]
        erased = await node.erasures.erase([("anon", ANON)])
        assert erased.facts.erased
        assert not known(node, ANON)
        assert {each.person for each in await logged(node)} == {row(node, name=OTHER).surrogate}  # type: ignore[union-attr]
        assert node.vault.read(surrogate, Purpose.PURCHASES, Purpose(127)) is None
        assert node.keys.data_key(surrogate) is None
        assert search(node, case).sightings == ()
        assert await node.erasures.until_verified(erased.number, PATIENCE)
        assert search(node, case).sightings == ()
        facts = node.erasures.stands(erased.number)
        assert facts is not None
        assert facts.search is not None
        assert facts.counts | {"plugins": 0} == facts.counts | {"plugins": 0} | {
            "people": 1, "profiles": 1, "events": 3, "event ids": 3, "data keys": 1,
            "vault.purchases": 1, "vault.searches": 1, "vault.location": 1,
        }  # fmt: skip
        assert node.sagas.open("erasure") == []
        assert known(node, OTHER)
        other = row(node, name=OTHER)
        assert other is not None
        assert len(node.vault.read(other.surrogate, Purpose.PURCHASES, Purpose(127)) or ()) == 1
        case_of_other = case_of(node, OTHER)
    assert known_in_files(tmp_path, case_of_other.ciphertexts[0])


def known_in_files(folder: Path, needle: bytes) -> bool:
    return any(needle in file.read_bytes() for file in (folder / "data").rglob("*") if file.is_file())


async def test_who_was_never_known_or_is_erased_twice_gets_the_same_receipt(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as node:
        await shop_for(node, ANON)
        receipts = []
        for name in (ANON, ANON, "never seen by anyone before"):
            erased = await node.erasures.erase([("anon", name)])
            assert await node.erasures.until_verified(erased.number, PATIENCE)
            receipts.append(await receipt_of(node, erased))
        assert shape(receipts[0]) == shape(receipts[1]) == shape(receipts[2])
        assert len({receipt.record_id for receipt in receipts}) == 3
        assert all(receipt.counts is None for receipt in receipts)


async def test_a_receipt_is_signed_and_a_changed_one_is_not_genuine(tmp_path: Path) -> None:
    import msgspec

    async with open_shop(tmp_path) as node:
        receipt = await receipt_of(node, await node.erasures.erase([("anon", ANON)]))
        told = msgspec.json.decode(msgspec.json.encode(receipt))
        assert receipt_is_genuine(told, node.keys.receipt_public_key)
        assert not receipt_is_genuine(told | {"state": "verified", "erased_at": ""}, node.keys.receipt_public_key)


async def test_events_of_an_erased_person_are_refused_until_the_person_decides_anew(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as node:
        old = batch(event(node, "view_item", "late", "S3", ago=60), event(node, "consent_update", "c0", ago=60))
        assert outcomes(await send(node, old)) == ["accepted", "accepted"]
        await node.erasures.erase([("anon", ANON)])
        assert outcomes(await send(node, old)) == ["erased", "erased"], "a repetition is no decision"
        future = batch(event(node, "view_item", "future", "S3", ago=-60))
        assert outcomes(await send(node, future)) == ["erased"]
        assert not known(node, ANON)
        anew = batch(event(node, "consent_update", "c1"), event(node, "view_item", "new", "S3"))
        assert outcomes(await send(node, anew)) == ["accepted", "accepted"]
        assert outcomes(await send(node, old)) == ["erased", "erased"]
        assert [each.name for each in await logged(node)] == ["view_item"]
        assert all([await node.erasures.until_verified(each.id, PATIENCE) for each in node.requests.closed(9)])
        await node.erasures.erase([("anon", ANON)])
        assert outcomes(await send(node, anew)) == ["erased", "erased"], "erased again, refused again"


async def test_an_open_reader_keeps_the_receipt_pending_until_it_lets_go(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as node:
        await shop_for(node, ANON)
        case = case_of(node, ANON)
        reader = open_reader(node.folder / "person.db")
        cursor = reader.execute("SELECT name FROM sqlite_schema, event_log")
        cursor.fetchone()
        erased = await node.erasures.erase([("anon", ANON)])
        assert not erased.facts.erased
        assert not known(node, ANON)
        assert (await receipt_of(node, erased)).state == "pending"
        assert search(node, case).sightings, "the log still holds it"
        cursor.close()
        reader.close()
        assert await node.erasures.until_verified(erased.number, PATIENCE)
        assert search(node, case).sightings == ()


@pytest.mark.parametrize("step", STEPS)
async def test_a_kill_at_any_step_only_interrupts_an_erasure(tmp_path: Path, step: str) -> None:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "tests/erasure_killed.py", str(tmp_path), step,
        env={**os.environ, "PYTHONPATH": ".", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert await child.wait() == -9
    async with open_shop(tmp_path) as node:
        if step == "mark":
            assert known(node, ANON), "nothing was begun"
            await node.erasures.erase([("anon", ANON)])
        assert not known(node, ANON), "before anything is served"
        assert known(node, OTHER)
        (closed,) = node.requests.closed(10)
        assert await node.erasures.until_verified(closed.id, PATIENCE)
        late = batch(event(node, "view_item", "late", "S3", ago=60))
        assert outcomes(await send(node, late)) == ["erased"]
        needles = case_of(node, ANON)
        assert search(node, needles).sightings == ()


async def test_a_full_disk_refuses_an_erasure_whole_or_finishes_it_later(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as node:
        await shop_for(node, ANON)
        ((pages,),) = await node.database.fetch("PRAGMA page_count")
        await node.database.execute("CREATE TABLE filler(body BLOB)")
        await node.database.execute(f"PRAGMA max_page_count = {pages + 1}")
        with pytest.raises(DatabaseFull):
            await fill(node)
        assert known(node, ANON)
        await node.database.execute("PRAGMA max_page_count = 1000000")
        erased = await node.erasures.erase([("anon", ANON)])
        assert await node.erasures.until_verified(erased.number, PATIENCE)


async def fill(node: Node) -> None:
    for _ in range(2_000):
        await node.database.execute("INSERT INTO filler VALUES (zeroblob(900))")
    for number in range(200):  # some room is left inside pages
        await node.erasures.erase([("anon", f"nobody {number} {'x' * 900}")])


@pytest.mark.parametrize("switch", ["people", "profiles", "events", "keys", "vault", "truncate"])
async def test_a_deletion_that_is_left_out_is_noticed(tmp_path: Path, switch: str) -> None:
    async with open_shop(tmp_path) as node:
        await shop_for(node, ANON)
        case = case_of(node, ANON)
        node.erasures.without = frozenset([switch])
        erased = await node.erasures.erase([("anon", ANON)])
        assert search(node, case).sightings
        assert await node.erasures.finish() == 1
        facts = node.erasures.stands(erased.number)
        assert facts is not None
        assert not facts.verified
