import asyncio
from itertools import product
from pathlib import Path

import pytest

from app.features.visitor import read_profile, read_session, visitor_of
from app.ingest.wire import read_batch
from app.node import Node
from app.privacy.gatekeeper import NOTHING, ConsentSignal, Decision
from store.faults import DatabaseFull
from store.records import PersonRow, Purpose
from store.writer import QueueFull
from tests.open_shop import (
    ANON,
    EVERYTHING,
    SESSION,
    batch,
    event,
    found_in_files,
    logged,
    open_shop,
    outcomes,
    row,
    send,
)

pytestmark = pytest.mark.anyio
VAULT_NAMES = ["vault.purchases", "vault.searches", "vault.location"]
QUERY = "GrEeN ShOe"
EU = {"consent": {"home": "eu"}}


def people(node: Node) -> int:
    """Rows about anyone in person.db."""
    reader = node.person._reader
    tables = [name for (name,) in reader.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    personal = [name for name in tables if name in ("people", "profiles", "seen", "sealed") or name[:6] == "events"]
    return sum(reader.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in personal)


def vault_rows(node: Node) -> dict[str, int]:
    reader = node.vault._reader
    tables = ("purchases", "searches", "locations")
    return {table: reader.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables}


async def test_the_next_request_after_an_accepted_event_sees_it(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as node:
        said = await send(node, batch(event(node, "view_item", "e1", "S3"), event(node, "add_to_cart", "e2", "S4")))
        assert outcomes(said) == ["accepted", "accepted"]
        known = row(node)
        decision = node.gatekeeper.allow(ConsentSignal("granted"), known, node.clock.now())
        visitor = visitor_of(known, decision, None, node.clock.now(), node.config.features)
        assert [node.catalogue.ids[number] for number in visitor.viewed] == ["S3", "S4"]
        assert visitor.affinities["brand:Alder"] > visitor.affinities["category:shoes/red"] > 0


async def test_an_event_sent_twice_counts_once_also_after_a_restart(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as node:
        body = batch(event(node, "view_item", "e1", "S3"), event(node, "view_item", "e1", "S3"))
        assert outcomes(await send(node, body)) == ["accepted", "duplicate"]
        both = await asyncio.gather(send(node, body), send(node, body))
        assert [outcomes(said) for said in both] == [["duplicate", "duplicate"]] * 2
    async with open_shop(tmp_path) as node:
        assert outcomes(await send(node, body)) == ["duplicate", "duplicate"]
        assert len(await logged(node)) == 1


async def test_an_id_says_nothing_about_another_visitors_events(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as node:
        one = event(node, "view_item", "e1", "S3")
        assert outcomes(await send(node, batch(one))) == ["accepted"]
        assert outcomes(await send(node, batch(one, anon="b" * 32))) == ["accepted"]


@pytest.mark.parametrize("state", ["pending", "denied", "anonymous", "perhaps"])
async def test_without_consent_nothing_is_written_about_anyone(tmp_path: Path, state: str) -> None:
    async with open_shop(tmp_path) as node:
        events = [event(node, "view_item", "beacon-77", "S3"), event(node, "search", "e2", search_term=QUERY)]
        update = event(node, "consent_update", "e3")
        said = await send(
            node, batch(*events, update, consent=state, purposes=VAULT_NAMES, location={"lat": 1, "lon": 2})
        )
        assert outcomes(said)[:2] == ["no_consent", "no_consent"]
        assert people(node) == 0
        assert found_in_files(tmp_path / "data", ANON, SESSION, "GrEeN", "beacon-77") == []


async def test_only_that_it_happened_is_counted_of_an_anonymous_visitor(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as node:
        await send(node, batch(event(node, "view_item", "e1", "S3"), consent="anonymous", anon=None, session=None))
        assert 'ingest_anonymous_events_total{name="view_item"} 1.0' in node.metrics.text().decode()
        assert people(node) == 0


class DenyAll:
    def allow(self, signal: ConsentSignal, record: PersonRow | None, now: float) -> Decision:
        return NOTHING

    def at_most(self, signal: ConsentSignal) -> Purpose:
        return EVERYTHING  # even if this one were fooled

    def decided(self, signal: ConsentSignal) -> Purpose | None:
        return None


async def test_a_gatekeeper_that_always_says_no_leaves_no_row(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as node:
        node.gatekeeper = DenyAll()
        names = ["view_item", "purchase", "search", "dismiss_item", "consent_update", "user_engagement"]
        events = [event(node, name, name, "S3", search_term=QUERY) for name in names]
        said = await send(node, batch(*events, purposes=VAULT_NAMES), kind="server")
        assert set(outcomes(said)) == {"no_consent", "accepted"}  # the decision was heard, and changed nothing
        assert people(node) == 0
        assert sum(vault_rows(node).values()) == 0


async def test_ids_and_search_texts_are_in_no_file(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as node:
        events = [event(node, "view_item", "beacon-77", "S3"), event(node, "search", "e2", search_term=QUERY)]
        assert outcomes(await send(node, batch(*events, user="ann@example.com"), kind="server")) == ["accepted"] * 2
        assert found_in_files(tmp_path / "data", ANON, SESSION, "ann@example", "GrEeN", "beacon-77") == []
        (viewed, searched) = await logged(node)
        assert "category:shoes/green" in searched.affinities
        assert searched.sealed == viewed.sealed == {}
        known = row(node, "user", "ann@example.com")
        assert known is not None
        assert "category:shoes/green" in read_profile(known.profile).affinities
    assert found_in_files(tmp_path / "data", ANON, SESSION, "ann@example", "GrEeN", "beacon-77") == []


async def test_what_was_opted_into_is_in_the_vault_and_encrypted(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as node:
        bought = [{"item_id": "S3", "quantity": 2, "price": 9.5}, {"item_id": "nothing we sell"}]
        events = [
            event(node, "search", "e1", search_term=QUERY),
            event(node, "purchase", "e2", items=bought, value=19.0),
            event(node, "refund", "e3", items=[{"item_id": "S3", "quantity": 1}]),
        ]
        said = await send(node, batch(*events, purposes=VAULT_NAMES, location={"lat": 52.5, "lon": 13.4}))
        assert outcomes(said) == ["accepted"] * 3
        known = row(node)
        assert known is not None
        purchases = node.vault.read(known.surrogate, Purpose.PURCHASES, EVERYTHING)
        assert purchases is not None
        assert [(each.item, each.quantity, each.price) for each in purchases] == [(3, 2, 9.5), (3, -1, None)]
        searches = node.vault.read(known.surrogate, Purpose.SEARCHES, EVERYTHING)
        places = node.vault.read(known.surrogate, Purpose.LOCATION, EVERYTHING)
        assert [each.text for each in searches or ()] == [QUERY]
        assert [(each.lat, each.lon) for each in places or ()] == [(52.5, 13.4)]
        assert all(each.lines == () for each in await logged(node))
        assert 3 not in read_profile(known.profile).items
        assert found_in_files(tmp_path / "data", "GrEeN") == []


async def test_each_vault_category_is_its_own_yes(tmp_path: Path) -> None:
    categories = dict(zip(VAULT_NAMES, (Purpose.PURCHASES, Purpose.SEARCHES, Purpose.LOCATION), strict=True))
    bought, place = [{"item_id": "S3", "quantity": 1}], {"lat": 52.5, "lon": 13.4}
    async with open_shop(tmp_path) as node:
        for state, named in product(("granted", "session", None), ([], *([name] for name in VAULT_NAMES), VAULT_NAMES)):
            who = f"{state} {named}".ljust(32)
            events = [
                event(node, "search", "e1", search_term=QUERY),
                event(node, "purchase", "e2", items=bought, value=9),
            ]
            body = batch(*events, consent=state, purposes=named, location=place, anon=who, session=who)
            assert outcomes(await send(node, body)) == ["accepted", "accepted"]
            known = row(node, "anon" if state == "granted" else "session", who)
            assert known is not None
            kept = {name for name, purpose in categories.items() if held(node, known.surrogate, purpose)}
            expected = set(named) if state == "granted" else set()
            assert kept == expected
            purchase = (await logged(node))[-1]
            assert (purchase.lines, purchase.value) == ((), 9.0 if "vault.purchases" in expected else 0.0)


def held(node: Node, person: int, category: Purpose) -> bool:
    """Whether the vault has anything of the person."""
    table = {Purpose.PURCHASES: "purchases", Purpose.SEARCHES: "searches", Purpose.LOCATION: "locations"}[category]
    return bool(node.vault._reader.execute(f"SELECT 1 FROM {table} WHERE person = ?", (person,)).fetchone())


async def test_withdrawal_empties_the_row_and_holds_whatever_other_tabs_still_claim(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as node:
        await send(node, batch(event(node, "view_item", "e1", "S3", ago=60)))
        withdrawn = batch(event(node, "consent_update", "e2"), consent="denied")
        assert outcomes(await send(node, withdrawn)) == ["accepted"]
        known = row(node)
        assert known is not None
        assert (known.consent, known.session, known.profile) == (0, None, None)
        assert outcomes(await send(node, batch(event(node, "view_item", "e3", "S4")))) == ["no_consent"]
        late = batch(event(node, "consent_update", "e4", ago=30))
        assert outcomes(await send(node, late)) == ["accepted"]
        assert outcomes(await send(node, batch(event(node, "view_item", "e5", "S4")))) == ["no_consent"]
        assert [each.name for each in await logged(node)] == ["view_item"]


async def test_a_later_yes_counts_from_then_on(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as node:
        await send(
            node, batch(event(node, "view_item", "e1", "S3", ago=60), event(node, "consent_update", "e2", ago=60))
        )
        await send(node, batch(event(node, "consent_update", "e3", ago=40), consent="denied"))
        body = batch(event(node, "consent_update", "e4", ago=20), event(node, "view_item", "e5", "S5"))
        assert outcomes(await send(node, body)) == ["accepted", "accepted"]
        known = row(node)
        assert known is not None
        assert list(read_profile(known.profile).items) == [5]


async def test_widening_consent_needs_the_persons_own_update(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as node:
        bought = [{"item_id": "S3", "quantity": 1}]
        await send(node, batch(event(node, "view_item", "e1", "S3")))
        await send(node, batch(event(node, "purchase", "e2", items=bought), purposes=["vault.purchases"]))
        assert vault_rows(node)["purchases"] == 0
        update = event(node, "consent_update", "e3")
        await send(node, batch(update, event(node, "purchase", "e4", items=bought), purposes=["vault.purchases"]))
        assert vault_rows(node)["purchases"] == 1


async def test_consent_to_the_visit_knows_the_visit_and_not_the_visitor(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as node:
        await send(node, batch(event(node, "view_item", "e1", "S3"), consent="session"))
        assert row(node) is None
        visit = row(node, "session", SESSION)
        assert visit is not None
        assert (visit.consent, visit.profile) == (int(Purpose.SESSION), None)
        assert [item for item, _, _ in read_session(visit.session).items] == [3]


async def test_going_back_to_the_visit_only_forgets_the_visitor(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as node:
        await send(node, batch(event(node, "view_item", "e1", "S3", ago=60)))
        await send(
            node, batch(event(node, "consent_update", "e2"), event(node, "view_item", "e3", "S4"), consent="session")
        )
        lasting, visit = row(node), row(node, "session", SESSION)
        assert lasting is not None
        assert visit is not None
        assert (lasting.consent, lasting.profile, lasting.session) == (0, None, None)
        assert [item for item, _, _ in read_session(visit.session).items] == [4]


async def test_silence_means_what_the_law_of_the_place_says(tmp_path: Path) -> None:
    async with open_shop(tmp_path / "elsewhere") as node:
        one = event(node, "view_item", "e1", "S3")
        honoured = await send(node, batch(one, consent=None), gpc=True)
        assert (outcomes(honoured), honoured.gpc, people(node)) == (["no_consent"], "honoured", 0)
        assert outcomes(await send(node, batch(one, consent=None, region="FR"))) == ["no_consent"]
        assert outcomes(await send(node, batch(one, consent=None, region="US-CA"))) == ["accepted"]
        assert row(node) is None
        visit = row(node, "session", SESSION)
        assert visit is not None
        assert (visit.consent, visit.consent_at) == (int(Purpose.SESSION), 0)
    async with open_shop(tmp_path / "europe", **EU) as node:
        assert outcomes(await send(node, batch(one, consent=None))) == ["no_consent"]
        assert people(node) == 0


async def test_the_shops_server_need_not_repeat_the_persons_decision(tmp_path: Path) -> None:
    async with open_shop(tmp_path, **EU) as node:
        told = batch(event(node, "purchase", "e0", items=[{"item_id": "S1"}]), consent=None, user="ann", session=None)
        assert outcomes(await send(node, told, kind="server")) == ["no_consent"]
        yes = batch(event(node, "consent_update", "e1"), user="ann", purposes=["vault.purchases"])
        await send(node, yes, kind="server")
        assert outcomes(await send(node, told, kind="server")) == ["accepted"]
        assert vault_rows(node)["purchases"] == 1
        assert [each.trust for each in await logged(node)] == [3]


async def test_a_user_id_without_the_shops_signature_is_ignored(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as node:
        await send(node, batch(event(node, "view_item", "e1", "S3"), user="ann", user_sig="0" * 64))
        assert row(node, "user", "ann") is None
        assert row(node) is not None
        await send(node, batch(event(node, "view_item", "e2", "S3"), user="ann"), kind="server")
        assert row(node, "user", "ann") is not None


async def test_nobody_in_particular_leaves_nothing(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as node:
        said = await send(node, batch(event(node, "view_item", "e1", "S3"), anon="short", session=None))
        assert (outcomes(said), people(node)) == (["no_visitor"], 0)


async def test_events_from_too_long_ago_or_from_the_future_are_dropped(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as node:
        ages = {"now": 0, "old": 25 * 3600, "soon": -200, "future": -400}
        body = batch(*(event(node, "view_item", name, "S3", ago=ago) for name, ago in ages.items()))
        assert outcomes(await send(node, body)) == ["accepted", "too_old", "accepted", "in_the_future"]
        again = batch(*(event(node, "view_item", f"{name} server", "S3", ago=ago) for name, ago in ages.items()))
        assert outcomes(await send(node, again, kind="server")) == ["accepted"] * 3 + ["in_the_future"]


async def test_a_clock_that_is_wrong_by_days_is_corrected(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as node:
        wrong = 3 * 86_400
        body = batch(event(node, "view_item", "e1", "S3", ago=wrong + 60), sent=node.clock.now_ms() - wrong * 1000)
        assert outcomes(await send(node, body)) == ["accepted"]
        (only,) = await logged(node)
        assert abs(only.at_ms / 1000 - (node.clock.now() - 60)) < 5


async def test_every_drop_has_its_reason_and_the_rest_goes_on(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as node:
        events = [
            event(node, "view_item", "e1", "not for sale"),
            event(node, "read_mind", "e2"),
            {"id": "e3", "name": "search"},
            event(node, "view_item_list", "e4", items=[{"item_id": "S1"}, {"item_id": "S1"}, {"item_id": "gone"}]),
        ]
        said = await send(node, batch(*events))
        assert outcomes(said) == ["unknown_item", "unknown_event", "malformed", "accepted"]
        assert [each.id for each in said.results] == ["e1", "e2", "e3", "e4"]
        (only,) = await logged(node)
        assert [line.item for line in only.lines] == [1]
        text = node.metrics.text().decode()
        assert 'ingest_events_total{outcome="unknown_item"} 1.0' in text
        assert 'ingest_step_events_total{step="minimize"} 2.0' in text


async def test_what_no_shop_should_send_is_answered_one_by_one_and_counted_and_the_rest_is_kept(tmp_path: Path) -> None:
    year = 365 * 86_400
    async with open_shop(tmp_path) as node:
        lines = [{"item_id": "S1", "price": 5, "quantity": 1}]
        bad = {
            "unknown_event": event(node, "rm -rf", "e1", "S1"),
            "malformed": event(node, "purchase", "e2", items=[{"item_id": "S1", "price": -5}]),
            "too_old": event(node, "view_item", "e3", "S1", ago=year),
            "in_the_future": event(node, "view_item", "e4", "S1", ago=-year),
        }
        malformed = [
            event(node, "view_item_list", "e5", items=[{"item_id": "S1"}] * 10_000),
            event(node, "view_item", "e" * 10_000, "S1"),
            event(node, "view_item", "e6", "S" * 10_000),
        ]
        good = [event(node, "purchase", "e7", transaction_id="t1", items=lines), event(node, "view_item", "e8", "S3")]
        said = await send(node, batch(*bad.values(), *malformed, *good))
        assert outcomes(said) == [*bad, *["malformed"] * 3, "accepted", "accepted"]
        again = await send(node, batch(event(node, "purchase", "e7", transaction_id="t1", items=lines)))
        assert outcomes(again) == ["duplicate"]
        assert len(await logged(node)) == 2
        told = node.metrics.text().decode()
        assert 'ingest_events_total{outcome="malformed"} 4.0' in told
        assert all(f'ingest_events_total{{outcome="{reason}"}} 1.0' in told for reason in bad if reason != "malformed")


async def test_a_key_may_send_only_its_events(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as node:
        text = await node.keys.create_api_key("public", events=["view_item"], now=node.clock.now())
        key = node.keys.check(text)
        assert key is not None
        body = batch(event(node, "view_item", "e1", "S1"), event(node, "purchase", "e2"))
        said = await node.intake.submit(node.intake.prepare(read_batch(body, 10), key))
        assert outcomes(said) == ["accepted", "not_allowed_for_key"]


async def test_a_click_is_credited_by_our_token_only(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as node:
        token = node.tokens.sign("request-1", "home", node.clock.now())
        clicks = [
            {"item_id": "S1", "token": token},
            {"item_id": "S1", "token": token[:-2] + "xx", "item_list_id": "ann@example.com"},
        ]
        await send(node, batch(*(event(node, "select_item", f"e{n}", items=[click]) for n, click in enumerate(clicks))))
        found = [(each.request, each.placement) for each in await logged(node)]
        assert found == [("request-1", "home"), ("", "")]
        assert found_in_files(tmp_path / "data", "ann@example") == []


async def test_a_plugin_can_refuse_events(tmp_path: Path) -> None:
    (tmp_path / "plugins.d").mkdir()
    (tmp_path / "plugins.d" / "no_lists.py").write_text(
        '"""Refuses impressions; counts what is stored."""\n'
        "from dataclasses import dataclass\n"
        "from plugins.contract import hookimpl\n"
        "stored = []\n"
        "@dataclass(frozen=True)\n"
        "class Plugin:\n"
        "    @hookimpl\n"
        "    def reject_event(self, event):\n"
        "        return 'impressions are not kept' if event.name == 'view_item_list' else None\n"
        "    @hookimpl\n"
        "    def update_features(self, features, event):\n"
        "        return {'views': features.extra.get('no_lists.views', 0.0) + 1}\n"
        "    @hookimpl\n"
        "    def event_stored(self, event):\n"
        "        stored.append(event.name)\n"
    )
    async with open_shop(tmp_path, plugins={"no_lists": {}}) as node:
        said = await send(node, batch(event(node, "view_item_list", "e1", "S1"), event(node, "view_item", "e2", "S1")))
        assert outcomes(said) == ["rejected", "accepted"]
        assert said.results[0].detail == "impressions are not kept"
        assert [each.name for each in await logged(node)] == ["view_item"]
        known = row(node)
        assert known is not None
        assert read_profile(known.profile).extra == {"no_lists.views": 1.0}
        plugin = next(found for found in node.plugins.found if found.name == "no_lists")
        assert plugin.module.stored == ["view_item"]


async def test_a_full_queue_is_said_and_a_retry_counts_once(tmp_path: Path) -> None:
    async with open_shop(tmp_path, node={"queue": 10, "group_max": 5}) as node:
        bodies = [
            batch(*(event(node, "view_item", f"{n}-{e}", "S1") for e in range(4)), anon=f"{n:032}") for n in range(30)
        ]
        first = await asyncio.gather(*(send(node, body) for body in bodies), return_exceptions=True)
        refused = [isinstance(said, QueueFull) for said in first]
        assert any(refused)
        assert not all(refused)
        for body in bodies:
            await send(node, body)
        assert len(await logged(node)) == 120


async def test_a_full_disk_loses_nothing_that_was_accepted(tmp_path: Path) -> None:
    async with open_shop(tmp_path, node={"max_database_mb": 1}) as node:
        accepted = 0

        async def fill() -> None:
            nonlocal accepted
            for number in range(10_000):
                events = [event(node, "view_item", f"{number}-{e}", f"S{e % 12}") for e in range(200)]
                accepted += outcomes(await send(node, batch(*events, anon=f"{number:032}"))).count("accepted")

        with pytest.raises(DatabaseFull):
            await fill()
        assert accepted >= 50
        assert len(await logged(node)) == accepted
        assert row(node, "anon", f"{0:032}") is not None


async def test_a_replayed_shop_lives_at_the_time_of_its_latest_event(tmp_path: Path) -> None:
    async with open_shop(tmp_path, node={"clock": "events"}) as node:
        told = {"id": "e1", "name": "view_item", "ts": 1_300_000_000_000, "item": "S1"}
        assert outcomes(await send(node, batch(told), kind="server")) == ["accepted"]
        assert node.clock.now_ms() == 1_300_000_000_000


async def test_events_of_one_batch_change_nothing_for_anyone_else(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as node:
        await send(node, batch(event(node, "view_item", "e1", "S1")))
        before = row(node)
        await send(node, batch(event(node, "view_item", "e1", "S2"), anon="b" * 32, session="other"))
        assert row(node) == before
        surrogates = {each.person for each in await logged(node)}
        assert len(surrogates) == 2


async def test_one_order_is_one_purchase_however_often_its_page_tells_it(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as node:

        def order(identity: str, number: str) -> dict[str, object]:
            return event(node, "purchase", identity, items=[{"item_id": "S1"}], transaction_id=number)

        told = await send(node, batch(order("1", "A1"), purposes=["vault.purchases"]))
        again = await send(node, batch(order("2", "A1"), order("3", "A2"), purposes=["vault.purchases"]))
        other = await send(node, batch(order("4", "A1"), anon="0" * 32, purposes=["vault.purchases"]))
        assert outcomes(told) + outcomes(again) + outcomes(other) == ["accepted", "duplicate", "accepted", "accepted"]
        assert found_in_files(tmp_path / "data", "A1-order", "order A1") == []
