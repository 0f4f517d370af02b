"""The ladder at work: counted, cut off, gone; told at /v1/privacy, red when it stands still."""

import asyncio
import re
from collections import Counter
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.metrics import Metrics
from app.node import Node
from app.privacy.counting import SEARCHED
from app.privacy.retention import sweep
from app.privacy.sweeps import Sweeps
from app.routes import create_app
from store.database import open_reader
from store.faults import StoreFault
from tests.open_shop import batch, event, logged, open_shop, row, send
from tests.signed_in import headers_of

pytestmark = pytest.mark.anyio
BEGAN = 1_750_000_000
"""Epoch seconds, a Sunday afternoon in June."""
DAY = 86_400
EVENTS = {"clock": "events"}
LEARNING = {"learned": "exact"}


def at(node: Node, seconds: float) -> None:
    node.clock.observe(int(seconds * 1000))


async def views(node: Node, users: Iterable[int], item: str = "S1", order: str = "1") -> None:
    """Each of them looks at a product, all in one group of the writer."""

    async def view(user: int) -> None:
        seen = event(node, "view_item", f"{user}-{item}-{order}", item)
        who = {"anon": None, "user": f"user {user}", "session": f"visit of {user} {order}", "region": "FR"}
        (result,) = (await send(node, batch(seen, **who), kind="server")).results
        assert result.status == "accepted"

    await asyncio.gather(*(view(user) for user in users))


def told(node: Node, report: str) -> dict[str, int]:
    return {figure.cell: figure.people for figure in node.aggregates.read(report, 0, 1 << 31)}


async def ask(node: Node, path: str, **headers: str) -> httpx.Response:
    transport = httpx.ASGITransport(create_app(node))
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
        return await client.get(path, headers=headers)


async def asked_by_the_officer(node: Node, path: str) -> dict[str, Any]:
    answer = await ask(node, path, **await headers_of(node, "privacy"))
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


# ---- raw -> aggregate -> gone


async def test_a_day_is_counted_before_it_goes_and_its_figures_outlive_it(tmp_path: Path) -> None:
    async with open_shop(tmp_path, node=EVENTS, privacy=LEARNING, retention={"raw_events_days": 30}) as node:
        at(node, BEGAN)
        await views(node, range(23))
        await views(node, range(5), "S2")
        at(node, BEGAN + 2 * DAY)
        await sweep(node)
        assert told(node, "items viewed") == {}
        at(node, BEGAN + 4 * DAY)
        await sweep(node)
        assert told(node, "items viewed") == {"S1": 20}
        assert told(node, "regions") == {"FR": 20}
        at(node, BEGAN + 31 * DAY)
        removed = await sweep(node)
        assert (removed["events"], removed["event days"]) == (28, 1)
        assert await logged(node) == []
        assert told(node, "items viewed") == {"S1": 20}
        at(node, BEGAN + 26 * 31 * DAY)
        assert (await sweep(node))["aggregates"] > 0
        assert told(node, "items viewed") == {}


async def test_a_published_day_never_changes_whoever_is_erased_or_comes_late(tmp_path: Path) -> None:
    async with open_shop(tmp_path, node=EVENTS, privacy=LEARNING) as node:
        at(node, BEGAN)
        await views(node, range(20))
        at(node, BEGAN + 4 * DAY)
        await sweep(node)
        before = told(node, "items viewed")
        for table in ("people", "profiles"):
            await node.database.execute(f"DELETE FROM {table}")
        late = batch(
            *(event(node, "view_item", f"late {number}", "S1", ago=4 * DAY) for number in range(3)),
            anon=None,
            user="late",
        )
        await send(node, late, kind="server")
        at(node, BEGAN + 5 * DAY)
        await sweep(node)
        assert told(node, "items viewed") == before == {"S1": 20}


async def test_who_withdrew_or_was_erased_before_the_day_is_counted_is_not_in_it(tmp_path: Path) -> None:
    async with open_shop(tmp_path, node=EVENTS, privacy=LEARNING) as node:
        at(node, BEGAN)
        await views(node, range(20))
        for user in range(2):
            known = row(node, "user", f"user {user}")
            assert known is not None
            await node.database.execute("UPDATE profiles SET consent = ? WHERE surrogate = ?", (user, known.surrogate))
        at(node, BEGAN + 4 * DAY)
        await sweep(node)
        assert told(node, "items viewed") == {"S1": 10}


async def test_nothing_is_counted_where_nothing_may_be_learned(tmp_path: Path) -> None:
    async with open_shop(tmp_path, node=EVENTS, privacy={"learned": "off"}) as node:
        at(node, BEGAN)
        await views(node, range(20))
        at(node, BEGAN + 40 * DAY)
        await sweep(node)
        assert node.aggregates.reports().keys() <= {"consent"}


async def test_searches_are_counted_as_what_they_meant_and_only_of_many(tmp_path: Path) -> None:
    async with open_shop(tmp_path, node=EVENTS, privacy=LEARNING) as node:
        at(node, BEGAN)
        for user in range(25):
            words = "red shoe" if user < 21 else "blue shoe"
            body = batch(event(node, "search", f"{user}", search_term=words), anon=None, user=f"user {user}")
            await send(node, body, kind="server")
        at(node, BEGAN + 4 * DAY)
        await sweep(node)
        found = told(node, SEARCHED)
        assert found
        assert set(found.values()) == {20}
        assert not any("blue" in cell for cell in found)


# ---- raw -> without people -> gone


async def test_events_lose_their_people_before_they_go(tmp_path: Path) -> None:
    plugins = {"anonymize": {"days": {"events": 7}}}
    async with open_shop(tmp_path, node=EVENTS, privacy=LEARNING, plugins=plugins) as node:
        at(node, BEGAN)
        await views(node, range(30), order="a")
        await views(node, range(3), "S2", order="b")
        before = await logged(node)
        at(node, BEGAN + 8.5 * DAY)
        removed = await sweep(node)
        assert (removed["event people"], removed["events"]) == (33, 0)
        after = await logged(node)
        assert Counter(each.lines for each in after) == Counter(each.lines for each in before)
        assert {(each.person, each.session, each.purposes, each.request, each.counted) for each in after} == {
            (0, 0, 0, "", 0)
        }
        assert all(each.at_ms % 3_600_000 == 0 for each in after)
        assert [each.lines for each in after] != [each.lines for each in before], "neighbours stay neighbours"
        assert told(node, "items viewed") == {"S1": 30}, "counted before they lost their people"
        surrogates = {each.person for each in before}
        with_reader = open_reader(node.database.path)
        (day,) = node.log.days()
        bodies = b"".join(body for (body,) in with_reader.execute(f"SELECT body FROM events_{day:%Y%m%d}"))
        with_reader.close()
        assert not any(surrogate.to_bytes(8, "big") in bodies for surrogate in surrogates)
        # What comes late to such a day loses its person too; a handful would hide nobody and goes.
        late = batch(event(node, "view_item", "late", "S1", ago=8 * DAY), anon=None, user="late")
        await send(node, late, kind="server")
        again = await sweep(node)
        assert (again["event people"], again["events"]) == (0, 1)
        assert all(each.person == 0 for each in await logged(node))


# ---- people


async def test_a_visit_of_somebody_whose_use_is_suspended_does_not_take_the_profile_along(tmp_path: Path) -> None:
    async with open_shop(tmp_path, node=EVENTS) as node:
        at(node, BEGAN)
        await views(node, [1])
        await node.database.execute("UPDATE profiles SET consent = 0, restricted = 128 + 3")
        at(node, BEGAN + 3600)
        assert (await sweep(node))["people"] == 0
        assert row(node, "user", "user 1") is not None


async def test_a_sweep_that_broke_off_between_the_files_is_finished_by_the_next(tmp_path: Path) -> None:
    async with open_shop(tmp_path, node=EVENTS) as node:
        at(node, BEGAN)
        bought = event(node, "purchase", "bought", items=[{"item_id": "S1", "quantity": 1}])
        await send(node, batch(bought, anon=None, user="user 1", purposes=["vault.purchases"]), kind="server")
        known = row(node, "user", "user 1")
        assert known is not None
        at(node, BEGAN + 200 * DAY)
        await node.vault._database.execute("PRAGMA query_only = ON")
        with pytest.raises(StoreFault):
            await sweep(node)
        assert node.keys.data_key(known.surrogate) is None, "what is left can no longer be read"
        await node.vault._database.execute("PRAGMA query_only = OFF")
        await sweep(node)
        assert row(node, "user", "user 1") is None
        for reader, table in ((node.reader, "profiles"), (node.vault._reader, "purchases")):
            assert reader.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)


async def test_a_row_that_leads_nowhere_goes(tmp_path: Path) -> None:
    async with open_shop(tmp_path, node=EVENTS) as node:
        at(node, BEGAN)
        await views(node, [1, 2])
        await node.database.execute("DELETE FROM profiles WHERE surrogate = (SELECT surrogate FROM people LIMIT 1)")
        assert (await sweep(node))["people"] == 1


async def test_old_ids_are_found_wherever_their_hour_lies(tmp_path: Path) -> None:
    async with open_shop(tmp_path, node=EVENTS) as node:
        at(node, BEGAN)
        hours = [0, int(BEGAN // 3600) % (1 << 14), (1 << 14) - 1]
        day = BEGAN // DAY
        rows = [(hour << 49 | number, day - 9 * (number % 2)) for hour in hours for number in range(1, 401)]
        async with node.database.transaction() as transaction:
            transaction.insert("INSERT INTO seen(id, day)", rows)
        assert (await sweep(node))["event ids"] == 600
        old = [(hours[0] << 49 | 5_000 + number, day - 9) for number in range(300)]
        async with node.database.transaction() as transaction:
            transaction.insert("INSERT INTO seen(id, day)", old)
        assert (await sweep(node))["event ids"] == 300, "also in the sweeps that look at the hours out of use only"
        assert node.reader.execute("SELECT count(*) FROM seen").fetchone() == (600,)


async def test_what_still_waits_for_the_vault_goes_with_its_event(tmp_path: Path) -> None:
    async with open_shop(tmp_path, node=EVENTS) as node:
        at(node, BEGAN)
        await views(node, [1, 2])
        (first, _), _ = await node.log.read_from(0, 10)
        async with node.database.transaction() as transaction:
            transaction.insert("INSERT INTO sealed(seq, person, parts)", [(first, 1, b"\x80"), (10_000, 1, b"\x80")])
        at(node, BEGAN + 40 * DAY)
        await sweep(node)
        assert node.reader.execute("SELECT seq FROM sealed").fetchall() == [(10_000,)]


# ---- what is told


async def test_the_retention_table_tells_every_kind_with_what_the_sweeps_did(tmp_path: Path) -> None:
    async with open_shop(tmp_path, node=EVENTS, plugins={"keep_for": {"days": {"events": 20}}}) as node:
        before = await asked_by_the_officer(node, "/v1/privacy/retention")
        assert (before["last_run"], before["next_run"], before["problems"]) == (0, 0, [])
        at(node, BEGAN)
        await views(node, range(3))
        at(node, BEGAN + 22 * DAY)
        await views(node, range(2), order="2")
        await sweep(node)
    async with open_shop(tmp_path, node=EVENTS, plugins={"keep_for": {"days": {"events": 20}}}) as node:
        after = await asked_by_the_officer(node, "/v1/privacy/retention")
        assert after["last_run"] == BEGAN + 22 * DAY, "also after a restart"
        kinds = {each["kind"]: each for each in after["kinds"]}
        events, people = kinds["events"], kinds["people"]
        assert (events["keep_days"], events["removed"], events["removed_last"]) == (20, 3, 3)
        assert events["oldest"] == (BEGAN + 22 * DAY) // DAY * DAY
        assert "event person" in events["fields"]
        assert (people["removed"], people["oldest"]) == (0, BEGAN)
        assert kinds["vault.purchases"]["setting"] == "retention.vault_days"


async def test_how_many_agreed_is_told_once_a_day_and_hides_who_goes(tmp_path: Path) -> None:
    async with open_shop(tmp_path, node=EVENTS) as node:
        assert (await asked_by_the_officer(node, "/v1/privacy/consent-stats"))["people"] == {}
        at(node, BEGAN)
        await views(node, range(20))
        await sweep(node)
        first = await asked_by_the_officer(node, "/v1/privacy/consent-stats")
        assert (first["people"]["people"], first["people"]["profile"]) == (20, 20)
        assert first["day"] == str(date(2025, 6, 15))
        for day in (0, 1, 2):
            await node.database.execute("DELETE FROM profiles WHERE surrogate = (SELECT surrogate FROM people LIMIT 1)")
            at(node, BEGAN + day * DAY + 60)
            await sweep(node)
            again = await asked_by_the_officer(node, "/v1/privacy/consent-stats")
            assert again["people"] == first["people"]
        await node.database.execute("DELETE FROM profiles")
        at(node, BEGAN + 3 * DAY)
        await sweep(node)
        assert (await asked_by_the_officer(node, "/v1/privacy/consent-stats"))["people"] == {}


async def test_figures_are_read_a_report_at_a_time(tmp_path: Path) -> None:
    async with open_shop(tmp_path, node=EVENTS, privacy=LEARNING) as node:
        at(node, BEGAN)
        await views(node, range(12))
        at(node, BEGAN + 4 * DAY)
        await sweep(node)
        known = await asked_by_the_officer(node, "/v1/privacy/aggregates")
        assert known["figures"] == []
        assert known["reports"]["items viewed"] == ["2025-06-15", "2025-06-15"]
        found = await asked_by_the_officer(node, "/v1/privacy/aggregates?report=items viewed")
        assert found["figures"] == [{"day": "2025-06-15", "cell": "S1", "people": 10}]
        wrong = await ask(node, "/v1/privacy/aggregates?report=item", **await headers_of(node, "privacy"))
        assert wrong.status_code == 400
        assert "items viewed" in wrong.text


@pytest.mark.parametrize("path", ["retention", "consent-stats", "aggregates"])
async def test_only_a_privacy_officer_is_told(tmp_path: Path, path: str) -> None:
    async with open_shop(tmp_path) as node:
        assert (await ask(node, f"/v1/privacy/{path}")).status_code == 401
        answer = await ask(node, f"/v1/privacy/{path}", **await headers_of(node, "marketer"))
        assert answer.status_code == 403


# ---- standing still


def test_a_sweep_that_stands_still_for_two_turns_is_a_problem_until_it_moves() -> None:
    now = 1000.0
    sweeps = Sweeps(10, Metrics(), lambda: now)
    now += 20 * 60
    assert sweeps.problem() == ""
    now += 120
    assert "stands still for 22 minutes" in sweeps.problem()
    sweeps.moved(0.001)
    assert sweeps.problem() == ""


async def test_a_sweep_that_stands_still_turns_the_node_unready(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as node:
        hour = 0.0
        node.sweeps = Sweeps(node.config.retention.sweep_minutes, node.metrics, lambda: hour)
        assert (await ask(node, "/readyz")).status_code == 200
        hour = 3600.0
        answer = await ask(node, "/readyz")
        assert answer.status_code == 503
        assert "retention sweep" in answer.text
        await sweep(node)
        assert (await ask(node, "/readyz")).status_code == 200


async def test_what_a_sweep_did_is_in_the_metrics(tmp_path: Path) -> None:
    async with open_shop(tmp_path, node=EVENTS) as node:
        at(node, BEGAN)
        await views(node, range(2))
        at(node, BEGAN + 31 * DAY)
        await views(node, [5])
        await sweep(node)
        text = node.metrics.text().decode()
        assert 'personalize_retention_removed_total{kind="events"} 2.0' in text
        shown = dict(re.findall(r"^personalize_(retention\S+) (\S+)$", text, re.MULTILINE))
        assert float(shown['retention_oldest{kind="people"}']) == BEGAN
        assert float(shown["retention_next_sweep"]) == BEGAN + 31 * DAY + 600
        assert "personalize_retention_slice_seconds_bucket" in text


async def test_answered_requests_and_marks_of_the_erased_go_in_time(tmp_path: Path) -> None:
    async with open_shop(tmp_path, node=EVENTS) as node:
        at(node, BEGAN)
        columns = [name for _, name, *_ in node.reader.execute("PRAGMA table_info(privacy_requests)").fetchall()]
        known: dict[str, object] = {"kind": "access", "jurisdiction": "eu", "state": "done", "commitment": b"c"}
        rows = [
            [{**known, "id": number, "opened": BEGAN, "closed": closed}.get(column, 0) for column in columns]
            for number, closed in ((1, 0), (2, BEGAN), (3, BEGAN + 800 * DAY))
        ]
        async with node.database.transaction() as transaction:
            transaction.insert(f"INSERT INTO privacy_requests({', '.join(columns)})", rows)
            transaction.insert(
                "INSERT INTO suppressed(key, erased_ms, lifted_ms, until)",
                [(1, 0, 0, BEGAN + 10), (2, 0, 0, BEGAN + 800 * DAY)],
            )
        at(node, BEGAN + 731 * DAY)
        removed = await sweep(node)
        assert (removed["requests"], removed["erasures"]) == (1, 1)
        assert node.reader.execute("SELECT id FROM privacy_requests ORDER BY id").fetchall() == [(1,), (3,)]
        assert node.reader.execute("SELECT key FROM suppressed").fetchall() == [(2,)]
