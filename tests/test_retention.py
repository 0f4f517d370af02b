import asyncio
import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.jobs import sweep_on_schedule
from app.node import Node
from app.privacy.retention import sweep
from store.records import PersonRow, Purpose
from tests.open_shop import EVERYTHING, batch, event, found_in_files, open_shop, row, send
from tests.waiting import until

pytestmark = pytest.mark.anyio
BEGAN = 1_750_000_000
"""Epoch seconds, a Sunday in June."""
DAY = 86_400
VISITING = 10 * 60
EVENTS = {"clock": "events"}


def at(node: Node, seconds: float) -> None:
    """Set the node's clock, which only goes forward."""
    node.clock.observe(int(seconds * 1000))


async def visits(node: Node, user: str, *, buys: str = "", order: str = "1") -> None:
    """Somebody who agreed to everything looks at a product and perhaps buys one, now."""
    events = [event(node, "view_item", f"{user}-view-{order}", "S1")]
    if buys:
        events.append(event(node, "purchase", f"{user}-buy-{order}", items=[{"item_id": buys, "quantity": 1}]))
    body = batch(*events, anon=None, user=user, session=f"visit of {user} {order}", purposes=["vault.purchases"])
    results = (await send(node, body, kind="server")).results
    assert {each.status for each in results} == {"accepted"}


def person(node: Node, user: str) -> PersonRow | None:
    return row(node, "user", user)


def count(node: Node, table: str) -> int:
    reader = {"purchases": node.vault._reader, "person_keys": node.keys._reader}.get(table, node.person._reader)
    (found,) = reader.execute(f"SELECT count(*) FROM {table}").fetchone()
    return int(found)


def bought(node: Node, user: str) -> list[str]:
    known = person(node, user)
    assert known is not None
    purchases = node.vault.read(known.surrogate, Purpose.PURCHASES, EVERYTHING) or []
    return [node.catalogue.item(each.item).id for each in purchases]


async def test_nothing_goes_before_its_time(tmp_path: Path) -> None:
    async with open_shop(tmp_path, node=EVENTS) as node:
        at(node, BEGAN)
        await visits(node, "ann", buys="S1")
        at(node, BEGAN + VISITING)
        before = person(node, "ann")
        assert +await sweep(node) == Counter()
        assert person(node, "ann") == before
        assert before is not None
        assert before.session
        assert bought(node, "ann") == ["S1"]


async def test_raw_events_go_by_whole_days_and_what_was_learned_of_them_stays(tmp_path: Path) -> None:
    async with open_shop(tmp_path, node=EVENTS, retention={"raw_events_days": 30}) as node:
        for day in (0, 1, 20):
            at(node, BEGAN + day * DAY)
            await visits(node, "ann", order=str(day))
        at(node, BEGAN + 31.5 * DAY)
        profile = person(node, "ann")
        assert (await sweep(node))["event days"] == 2
        assert node.log.days() == [datetime.fromtimestamp(BEGAN + 20 * DAY, UTC).date()]
        after = person(node, "ann")
        assert profile is not None
        assert after is not None
        assert after.profile == profile.profile


async def test_an_event_id_is_forgotten_when_no_retry_can_come_any_more(tmp_path: Path) -> None:
    async with open_shop(tmp_path, node=EVENTS, retention={"dedup_days": 7}) as node:
        at(node, BEGAN)
        await visits(node, "ann")
        at(node, BEGAN + 5 * DAY)
        await visits(node, "bob")
        at(node, BEGAN + 7 * DAY)
        assert (await sweep(node))["event ids"] == 0
        at(node, BEGAN + 8.5 * DAY)
        assert (await sweep(node))["event ids"] == 1
        assert count(node, "seen") == 1


async def test_a_visit_ends_when_its_time_is_over_and_the_profile_stays(tmp_path: Path) -> None:
    async with open_shop(tmp_path, node=EVENTS, features={"idle_minutes": 30}) as node:
        at(node, BEGAN)
        await visits(node, "ann")
        at(node, BEGAN + 31 * 60)
        assert (await sweep(node))["visits"] == 1
        known = person(node, "ann")
        assert known is not None
        assert known.session is None
        assert known.profile is not None


async def test_who_agreed_to_the_visit_only_is_gone_with_it(tmp_path: Path) -> None:
    async with open_shop(tmp_path, node=EVENTS) as node:
        at(node, BEGAN)
        body = batch(event(node, "view_item", "e1", "S1"), consent="session", anon=None, session="the only visit")
        await send(node, body)
        assert count(node, "people") == 1
        at(node, BEGAN + 3600)
        assert (await sweep(node))["people"] == 1
        assert (count(node, "people"), count(node, "profiles")) == (0, 0)


async def test_who_is_not_seen_again_is_gone_from_every_file_key_and_all(tmp_path: Path) -> None:
    async with open_shop(tmp_path, node=EVENTS, retention={"profile_days": 180, "raw_events_days": 30}) as node:
        at(node, BEGAN)
        await visits(node, "ann", buys="S1")
        gone = person(node, "ann")
        assert gone is not None
        at(node, BEGAN + 100 * DAY)
        await visits(node, "bob", buys="S2")
        at(node, BEGAN + 181 * DAY)
        assert (await sweep(node))["people"] == 1
        assert person(node, "ann") is None
        assert node.keys.data_key(gone.surrogate) is None
        assert node.vault.read(gone.surrogate, Purpose.PURCHASES, EVERYTHING) is None
        assert [count(node, table) for table in ("people", "profiles", "purchases", "person_keys")] == [1, 1, 1, 1]
        assert bought(node, "bob") == ["S2"]
        pseudonym = node.keys.pseudonym("user", "ann")
    # Closed, the write-ahead logs are folded in: not a byte of the way to her is left.
    assert found_in_files(tmp_path / "data", pseudonym.hex()) == []
    assert not any(pseudonym in file.read_bytes() for file in (tmp_path / "data").iterdir() if file.is_file())


async def test_old_purchases_leave_the_vault_of_who_keeps_coming(tmp_path: Path) -> None:
    async with open_shop(tmp_path, node=EVENTS, retention={"vault_days": 100, "profile_days": 1000}) as node:
        for day, item in ((0, "S1"), (60, "S2"), (90, "S3")):
            at(node, BEGAN + day * DAY)
            await visits(node, "ann", buys=item, order=item)
        await visits(node, "bob", buys="S4")
        at(node, BEGAN + 120 * DAY)
        assert (await sweep(node))["vault.purchases"] == 1
        assert bought(node, "ann") == ["S2", "S3"]
        at(node, BEGAN + 300 * DAY)
        await visits(node, "ann", order="again")
        assert (await sweep(node))["vault.purchases"] == 3
        assert count(node, "purchases") == 0


async def test_more_people_than_fit_into_one_turn_are_all_looked_at(tmp_path: Path) -> None:
    async with open_shop(tmp_path, node=EVENTS, retention={"vault_days": 10, "profile_days": 300}) as node:
        at(node, BEGAN)
        for number in range(70):
            await visits(node, f"shopper {number}", buys="S1")
        at(node, BEGAN + 11 * DAY)
        assert (await sweep(node))["vault.purchases"] == 70
        at(node, BEGAN + 301 * DAY)
        assert (await sweep(node))["people"] == 70


async def test_a_sweep_that_cannot_write_turns_the_node_unready_until_one_succeeds(tmp_path: Path) -> None:
    async with open_shop(tmp_path, retention={"sweep_minutes": 0.0005}) as node:
        await visits(node, "ann")

        async with asyncio.TaskGroup() as group:
            await node.database.execute("PRAGMA query_only = ON")
            job = group.create_task(sweep_on_schedule(node))
            await until(node.problems)
            assert "could not be removed" in node.problems()[0]
            await node.database.execute("PRAGMA query_only = OFF")
            await until(lambda: not node.problems())
            job.cancel()


async def test_what_was_removed_is_counted(tmp_path: Path) -> None:
    async with open_shop(tmp_path, node=EVENTS) as node:
        at(node, BEGAN)
        await visits(node, "ann")
        at(node, BEGAN + 400 * DAY)
        await sweep(node)
        told = node.metrics.text().decode()
        assert 'personalize_retention_removed_total{kind="people"} 1.0' in told
        (last,) = re.findall(r"^personalize_retention_last_sweep (\S+)$", told, re.MULTILINE)
        assert float(last) == BEGAN + 400 * DAY
