import shutil
from pathlib import Path

import pytest

from app.config import parse_config
from app.node import CannotOpen
from app.privacy.backup import back_up, restore
from app.privacy.byte_scan import scan
from app.privacy.erasure_case import needles_of
from store.records import Purpose
from tests.open_shop import ANON, batch, event, logged, open_shop, outcomes, row, send
from tests.people import OTHER, case_of, known, search, shop_for

pytestmark = pytest.mark.anyio
CONFIG = parse_config({})
THIRD = "77665544" * 4


async def test_a_backup_taken_beside_a_running_server_brings_everything_back(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as node:
        await shop_for(node, ANON)
        copied = await back_up(node.folder, tmp_path / "copy", tmp_path / "keys" / "keys.db")
        assert {"person.db", "vault.db", "shop.db", "keys.db"} <= set(copied)
        await shop_for(node, OTHER)
    shutil.rmtree(tmp_path / "data")
    (tmp_path / "data").mkdir()
    done = await restore(CONFIG, tmp_path / "data", tmp_path / "copy", tmp_path / "keys" / "keys.db")
    assert not done.kept_keys
    assert not done.sure, "nobody can know who was erased since"
    async with open_shop(tmp_path) as node:
        assert known(node, ANON)
        assert not known(node, OTHER)
        person = row(node)
        assert person is not None
        assert len(node.vault.read(person.surrogate, Purpose.PURCHASES, Purpose(127)) or ()) == 1
        await shop_for(node, OTHER)
        other = row(node, name=OTHER)
        assert other is not None
        assert len(node.vault.read(other.surrogate, Purpose.PURCHASES, Purpose(127)) or ()) == 1, "the vault counts on"


async def test_who_was_erased_after_the_backup_is_erased_in_it_before_it_is_served(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as node:
        for anon in (ANON, OTHER, THIRD):
            await shop_for(node, anon)
        case = case_of(node, ANON)
        await back_up(node.folder, tmp_path / "copy", tmp_path / "apart" / "keys.db")
        await node.erasures.erase([("anon", ANON)])
        await node.erasures.erase([("anon", THIRD)])
        back = batch(event(node, "consent_update", "c"), event(node, "view_item", "v", "S1"), anon=THIRD)
        assert outcomes(await send(node, back)) == ["accepted", "accepted"]
        assert scan(tmp_path / "copy", needles_of(case, node.keys)).sightings, "the backup still has the person"
    done = await restore(CONFIG, tmp_path / "data", tmp_path / "copy", None)
    assert done.kept_keys
    assert done.sure
    assert done.forgotten == 2, "whoever came back is not there with what was known before"
    async with open_shop(tmp_path) as node:
        assert search(node, case).sightings == ()
        assert not known(node, ANON)
        assert not known(node, THIRD)
        assert known(node, OTHER)
        assert {each.person for each in await logged(node)} == {row(node, name=OTHER).surrogate}  # type: ignore[union-attr]
        late = batch(event(node, "view_item", "late", "S3", ago=60))
        assert outcomes(await send(node, late)) == ["erased"]


async def test_the_keys_in_place_stay_so_that_what_was_shredded_stays_shredded(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as node:
        await shop_for(node, ANON)
        person = row(node)
        assert person is not None
        await back_up(node.folder, tmp_path / "copy", tmp_path / "apart" / "keys.db")
        await node.erasures.erase([("anon", ANON)])
    await restore(CONFIG, tmp_path / "data", tmp_path / "copy", tmp_path / "apart" / "keys.db")
    async with open_shop(tmp_path) as node:
        assert node.keys.data_key(person.surrogate) is None


async def test_a_backup_never_overwrites_and_never_lies_where_it_would_be_of_no_use(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as node:
        await back_up(node.folder, tmp_path / "copy", None)
        for target, keys in (
            (tmp_path / "copy", None),
            (node.folder / "inside", None),
            (tmp_path / "new", tmp_path / "new" / "keys.db"),
        ):
            with pytest.raises(CannotOpen):
                await back_up(node.folder, target, keys)
        with pytest.raises(CannotOpen, match="in use"):
            await restore(CONFIG, node.folder, tmp_path / "copy", None)
    with pytest.raises(CannotOpen):
        await back_up(tmp_path / "nothing here", tmp_path / "other", None)
    with pytest.raises(CannotOpen):
        await restore(CONFIG, tmp_path / "data", tmp_path / "nothing here", None)
    (tmp_path / "data" / "keys.db").unlink()
    with pytest.raises(CannotOpen, match="--keys"):
        await restore(CONFIG, tmp_path / "data", tmp_path / "copy", None)
