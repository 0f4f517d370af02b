"""Rotation of the pseudonym keys: profiles survive it, links to the past do not."""

import sqlite3
from pathlib import Path

import numpy as np
import pytest

from app.node import Node
from app.privacy.gatekeeper import ConsentSignal
from app.privacy.identity import Claim
from app.privacy.retention import sweep
from app.privacy.rotation import due, finish_rotation, keep_rotating, rotate
from app.serving.visitors import VisitorReader
from plugins.contract import Visitor
from store.epochs import Domain
from store.keys import open_keys
from store.records import PersonRow, Purpose
from tests.open_shop import ANON, EVERYTHING, batch, event, logged, open_shop, outcomes, row, send
from tests.waiting import until

pytestmark = pytest.mark.anyio
BEGAN = 1_750_000_000
"""Epoch seconds, a Sunday in June."""
DAY = 86_400
OTHER = "0f1e2d3c" * 4
EVENTS = {"clock": "events"}
VAULT = ["vault.purchases", "vault.searches"]


def at(node: Node, seconds: float) -> None:
    """Set the node's clock, which only goes forward."""
    node.clock.observe(int(seconds * 1000))


def visitor(node: Node, anon: str = ANON) -> Visitor:
    """What the ranking is told of somebody who says nothing new."""
    reader = VisitorReader(
        lambda: node.gatekeeper, node.keys, node.person, node.vault, node.config.features, node.catalogue
    )
    return reader.read(Claim(anon=anon), ConsentSignal(), node.clock.now())[0]


async def shops(node: Node, name: str, *items: str, anon: str = ANON, buys: str = "") -> list[str]:
    """Somebody looks at some products and perhaps buys one, now; what became of it."""
    events = [event(node, "view_item", f"{name} {item}", item) for item in items]
    if buys:
        events.append(event(node, "purchase", f"{name} order", items=[{"item_id": buys, "quantity": 1}]))
    return outcomes(await send(node, batch(*events, anon=anon, session=f"visit {name}", purposes=VAULT), kind="server"))


async def carried_over(node: Node) -> None:
    """Nothing of the vault is on its way any more."""
    await until(lambda: not node.moves.pending(1))


def count(node: Node, table: str) -> int:
    reader = {"purchases": node.vault._reader, "person_keys": node.keys._reader}.get(table, node.reader)
    (found,) = reader.execute(f"SELECT count(*) FROM {table}").fetchone()
    return int(found)


def bought(node: Node, known: PersonRow | None) -> list[str]:
    assert known is not None
    found = node.vault.read(known.surrogate, Purpose.PURCHASES, EVERYTHING) or []
    return [node.catalogue.item(each.item).id for each in found]


def everything_in(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file())


def number(surrogate: int) -> bytes:
    """As SQLite and msgpack write it."""
    return surrogate.to_bytes(8, "big")


async def test_a_profile_survives_rotation_in_one_row_under_a_new_number(tmp_path: Path) -> None:
    async with open_shop(tmp_path, node=EVENTS) as node:
        at(node, BEGAN)
        await shops(node, "june", "S1", "S4", "S4", buys="S7")
        before, told = row(node), visitor(node)
        assert before is not None
        assert await rotate(node) == 2
        assert row(node) is None
        found = visitor(node)
        assert found.affinities == told.affinities, "read where it lies, before the person is back"
        assert bought(node, before) == ["S7"]
        at(node, BEGAN + 40 * DAY)
        assert await shops(node, "july", "S2") == ["accepted"]
        after = row(node)
        assert after is not None
        assert after.surrogate != before.surrogate
        assert (after.consent, after.consent_version, after.consent_at) == (
            before.consent, before.consent_version, before.consent_at,
        )  # fmt: skip
        assert count(node, "people") == count(node, "profiles") == 1
        assert {node.catalogue.item(int(item)).id for item in visitor(node).history} >= {"S1", "S4", "S2", "S7"}
        assert bought(node, after) == ["S7"], "at once, wherever it lies"
        await carried_over(node)
        assert bought(node, after) == ["S7"]
        assert count(node, "purchases") == count(node, "person_keys") == 1
        assert count(node, "moves") == 0


async def test_the_vault_follows_and_new_purchases_stand_beside_the_old(tmp_path: Path) -> None:
    async with open_shop(tmp_path, node=EVENTS) as node:
        at(node, BEGAN)
        await shops(node, "june", "S1", buys="S7")
        await rotate(node)
        at(node, BEGAN + DAY)
        await shops(node, "again", "S2", buys="S8")
        assert bought(node, row(node)) == ["S7", "S8"]
        await carried_over(node)
        assert bought(node, row(node)) == ["S7", "S8"]


async def test_raw_events_keep_the_old_number_and_nothing_leads_to_them(tmp_path: Path) -> None:
    async with open_shop(tmp_path, node=EVENTS) as node:
        at(node, BEGAN)
        await shops(node, "june", "S1", buys="S2")
        before = row(node)
        await rotate(node)
        await shops(node, "later", "S3")
        after = row(node)
        assert before is not None
        assert after is not None
        assert [each.person for each in await logged(node)] == [before.surrogate] * 2 + [after.surrogate]
        assert len({each.session for each in await logged(node)}) == 2
        first_day = node.reader.execute("SELECT trace FROM profiles").fetchone()[0]
        assert first_day != before.trace
        rows = [tuple(found) for found in node.reader.execute("SELECT * FROM people JOIN profiles USING (surrogate)")]
        assert not [value for found in rows for value in found if value == before.surrogate]


async def test_a_rotation_in_the_middle_of_a_visit_does_not_end_the_visit(tmp_path: Path) -> None:
    async with open_shop(tmp_path, node=EVENTS) as node:
        at(node, BEGAN)
        await shops(node, "visit", "S1")
        await rotate(node)
        at(node, BEGAN + 60)
        await shops(node, "visit", "S2")
        assert len(visitor(node).viewed) == 2


async def test_an_event_repeated_across_a_rotation_counts_once(tmp_path: Path) -> None:
    async with open_shop(tmp_path, node=EVENTS) as node:
        at(node, BEGAN)
        body = batch(event(node, "view_item", "e1", "S1"))
        assert outcomes(await send(node, body)) == ["accepted"]
        await rotate(node)
        assert outcomes(await send(node, body)) == ["duplicate"]
        assert outcomes(await send(node, body)) == ["duplicate"]
        assert len(await logged(node)) == 1


async def test_a_batch_prepared_just_before_a_rotation_is_not_lost_and_makes_no_second_person(tmp_path: Path) -> None:
    async with open_shop(tmp_path, node=EVENTS) as node:
        from app.ingest.wire import read_batch
        from tests.open_shop import key_of

        at(node, BEGAN)
        await shops(node, "june", "S1")
        late = node.intake.prepare(read_batch(batch(event(node, "view_item", "late", "S2")), 100), key_of(node))
        await rotate(node)
        assert outcomes(await node.intake.submit(late)) == ["accepted"]
        await shops(node, "july", "S3")
        assert {node.catalogue.item(int(item)).id for item in visitor(node).history} == {"S1", "S2", "S3"}
        assert count(node, "people") == count(node, "profiles") == 1


async def test_who_says_no_is_not_carried_over(tmp_path: Path) -> None:
    async with open_shop(tmp_path, node=EVENTS) as node:
        at(node, BEGAN)
        await shops(node, "june", "S1")
        before = row(node)
        await rotate(node)
        assert outcomes(await send(node, batch(event(node, "view_item", "no", "S2"), consent="denied"))) == [
            "no_consent"
        ]
        assert row(node) is None
        assert before is not None
        assert [surrogate for (surrogate,) in node.reader.execute("SELECT surrogate FROM profiles")] == [
            before.surrogate
        ]
        await rotate(node)
        assert count(node, "people") == count(node, "profiles") == 0


async def test_whoever_was_not_seen_for_two_epochs_goes_with_the_key(tmp_path: Path) -> None:
    async with open_shop(tmp_path, node=EVENTS) as node:
        at(node, BEGAN)
        await shops(node, "june", "S1", buys="S7")
        await shops(node, "june too", "S1", anon=OTHER, buys="S8")
        await rotate(node)
        await shops(node, "july", "S2")
        await carried_over(node)
        assert count(node, "people") == count(node, "purchases") == count(node, "person_keys") == 2
        await rotate(node)
        assert count(node, "people") == count(node, "profiles") == 1
        assert count(node, "purchases") == count(node, "person_keys") == 1
        assert not len(visitor(node, OTHER).history)
        assert "1 people not seen since were removed" in node.keys.history()[-1][3]
        await shops(node, "august", "S3")
        assert bought(node, row(node)) == ["S7"]


async def test_after_two_rotations_a_known_id_all_files_and_the_live_keys_find_no_old_row(tmp_path: Path) -> None:
    async with open_shop(tmp_path, node=EVENTS) as node:
        at(node, BEGAN)
        await shops(node, "june", "S1", buys="S7")
        old = row(node)
        assert old is not None
        pseudonym = node.keys.pseudonym("anon", ANON)
        dead = [node.keys.key(domain) for domain in Domain]
        assert all(key in everything_in(tmp_path) for key in dead), "the search finds what is there"
        assert pseudonym in everything_in(tmp_path)
        assert number(old.surrogate) in everything_in(tmp_path)
        at(node, BEGAN + 90 * DAY)
        await rotate(node)
        await shops(node, "september", "S2")
        new = row(node)
        assert new is not None
        at(node, BEGAN + 180 * DAY)
        await rotate(node)
        await sweep(node)
        await carried_over(node)
        await finish_rotation(node)
        files = everything_in(tmp_path)
        assert pseudonym not in files
        assert number(old.surrogate) not in files
        survivors = [domain for domain, key in zip(Domain, dead, strict=True) if key in files]
        assert survivors == [Domain.SUPPRESSION]
        assert node.keys.epochs() == [3, 2]
        for known in node.keys.pseudonyms("anon", ANON):
            found = node.person.read(known, EVERYTHING)
            assert found is None or found.surrogate == new.surrogate
        assert bought(node, new) == ["S7"]
        with pytest.raises(KeyError):
            node.keys.key(Domain.PROFILE, 1)


async def test_a_destroyed_key_is_proved_to_be_in_no_file_and_a_reader_only_delays_it(tmp_path: Path) -> None:
    async with open_keys(tmp_path / "keys.db", now=1.0) as keys:
        dead = keys.key(Domain.PROFILE)
        await keys.add_epoch(2.0)
        await keys.add_epoch(3.0)
        reader = sqlite3.connect(tmp_path / "keys.db")
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM epoch_keys").fetchone()
        assert not await keys.destroy_outlived(4.0, 0)
        assert keys.outlived(4.0, 0), "it is asked for again until it is proved"
        assert keys.epochs() == [3, 2]
        reader.close()
        assert await keys.destroy_outlived(5.0, 0)
        assert dead not in everything_in(tmp_path)
        assert not keys.outlived(5.0, 0)
        assert [(epoch, what) for _, epoch, what, _ in keys.history()] == [
            (2, "began"), (3, "began"), (1, "keys destroyed"),
        ]  # fmt: skip


async def test_a_rotation_that_was_cut_short_is_finished_at_the_next_start(tmp_path: Path) -> None:
    async with open_shop(tmp_path, node=EVENTS) as node:
        at(node, BEGAN)
        await shops(node, "june", "S1", buys="S7")
        await node.keys.add_epoch(BEGAN + 1)
        await node.keys.add_epoch(BEGAN + 2)  # and here the process is killed
    async with open_shop(tmp_path, node=EVENTS) as node:
        assert node.keys.epochs() == [3, 2, 1]
        assert not len(visitor(node).history), "an epoch that is to die is looked under no more"
        assert await finish_rotation(node)
        assert count(node, "people") == count(node, "profiles") == count(node, "purchases") == 0
        assert node.keys.epochs() == [3, 2]
        assert await finish_rotation(node)


async def test_an_erased_person_is_remembered_for_as_long_as_events_can_be_replayed(tmp_path: Path) -> None:
    async with open_keys(tmp_path / "keys.db", now=1.0) as keys:
        tombstones = set(keys.suppression_keys("anon", ANON))
        for now in (DAY, 2 * DAY):
            await keys.add_epoch(now)
            await keys.destroy_outlived(now, 90 * DAY)
        assert keys.epochs() == [3, 2]
        assert tombstones <= set(keys.suppression_keys("anon", ANON))
        await keys.destroy_outlived(92 * DAY, 90 * DAY)
        assert not tombstones & set(keys.suppression_keys("anon", ANON))


async def test_a_rotation_comes_by_the_age_of_the_keys_and_a_clock_jumping_back_brings_none(tmp_path: Path) -> None:
    path = tmp_path / "personalize.toml"
    async with open_shop(tmp_path, node=EVENTS, pseudonyms={"epoch_days": 90}) as node:
        at(node, BEGAN)
        await keep_rotating(node)
        assert node.keys.epoch == 1
        assert node.keys.began() == BEGAN, "made before there was any time"
        at(node, BEGAN + 89 * DAY)
        await keep_rotating(node)
        assert node.keys.epoch == 1
        at(node, BEGAN + 90 * DAY)
        await keep_rotating(node)
        assert (node.keys.epoch, node.keys.began()) == (2, BEGAN + 90 * DAY)
        await keep_rotating(node)
        assert node.keys.epoch == 2
        assert not node.stalled
    assert path.parent.exists()
    async with open_shop(tmp_path, node=EVENTS) as node:
        at(node, BEGAN + 89 * DAY)  # a day back
        assert not due(node)
        await keep_rotating(node)
        assert (node.keys.epoch, node.keys.began()) == (2, BEGAN + 90 * DAY)
        assert await shops(node, "back", "S1") == ["accepted"]
        assert count(node, "people") == 1


async def test_a_clock_that_was_years_ahead_does_not_stop_rotation_for_years(tmp_path: Path) -> None:
    async with open_shop(tmp_path, node=EVENTS) as node:
        at(node, BEGAN)
        await node.keys.restart_epoch(BEGAN + 3_650 * DAY)
        await keep_rotating(node)
        assert (node.keys.epoch, node.keys.began()) == (1, BEGAN)
        assert [what for _, _, what, _ in node.keys.history()][-1] == "clock corrected"


async def test_personalize_rotate_beside_a_running_server_leaves_word(tmp_path: Path) -> None:
    async with open_shop(tmp_path, node=EVENTS) as node:
        at(node, BEGAN)
        async with open_keys(tmp_path / "data" / "keys.db", now=BEGAN) as theirs:
            await theirs.ask_rotation(BEGAN)
        assert due(node)
        await keep_rotating(node)
        assert node.keys.epoch == 2
        assert not due(node)


async def test_the_ranking_is_told_the_same_before_and_after(tmp_path: Path) -> None:
    """The ranking is told nearly the same: the order of tastes stays, weights move by 1 % at most. (What becomes of
    the lists: tests/test_pseudonyms.py.)"""
    async with open_shop(tmp_path, node=EVENTS) as node:
        at(node, BEGAN)
        await shops(node, "june", "S1", "S4", "S4", "S7", "S1", "S1", "S2")
        before = visitor(node)
        await rotate(node)
        await shops(node, "touch")
        await send(node, batch(event(node, "view_cart", "touch")))
        assert row(node) is not None
        after = visitor(node)
        assert sorted(before.affinities, key=lambda key: (-before.affinities[key], key)) == sorted(
            after.affinities, key=lambda key: (-after.affinities[key], key)
        )
        assert after.affinities == pytest.approx(before.affinities, rel=0.01)
        assert dict(zip(after.history.tolist(), after.weights.tolist(), strict=True)) == pytest.approx(
            dict(zip(before.history.tolist(), before.weights.tolist(), strict=True)), rel=0.01
        )
        assert not np.array_equal(after.weights, before.weights)


async def test_what_is_taken_back_on_coming_back_does_not_follow(tmp_path: Path) -> None:
    async with open_shop(tmp_path, node=EVENTS) as node:
        at(node, BEGAN)
        await shops(node, "june", "S1", buys="S7")
        await rotate(node)
        at(node, BEGAN + 60)
        await send(node, batch(event(node, "consent_update", "decides"), purposes=[]), kind="server")
        await carried_over(node)
        await until(lambda: not node.reader.execute("SELECT 1 FROM withdrawals").fetchone())
        known = row(node)
        assert known is not None
        assert not known.consent & Purpose.PURCHASES
        assert count(node, "purchases") == count(node, "person_keys") == 0
        assert len(visitor(node).history), "the rest did"
