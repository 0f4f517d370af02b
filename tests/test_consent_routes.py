"""POST /v1/consent, GET /v1/me: a person decides, gets a receipt, sees everything that is held, takes it back."""

import copy
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import httpx
import msgspec
import pytest

from app.node import Node
from app.privacy.holdings import READERS, UNFINDABLE
from app.privacy.receipts import receipt_is_genuine
from app.routes import create_app
from store.consent_ledger import verify_ledger
from store.fields import FIELDS
from store.records import Purpose
from tests.open_shop import ANON, SESSION, batch, event, found_in_files, key_of, logged, open_shop, outcomes, row, send

pytestmark = pytest.mark.anyio
VISITOR = {"anon": ANON, "session": "f" * 32}
VAULT_NAMES = ["vault.purchases", "vault.searches", "vault.location"]
ALL_NAMES = ["session", "profile", "training", "experiments", *VAULT_NAMES]


def decoded(answer: httpx.Response) -> dict[str, Any]:
    told: dict[str, Any] = answer.json()
    return told


class Shop:
    """A node's routes as a page asks them."""

    def __init__(self, node: Node, http: httpx.AsyncClient) -> None:
        self.node = node
        self.http = http

    async def consent(self, status: int = 200, visitor: dict[str, str] = VISITOR, **told: object) -> dict[str, Any]:
        headers = cast(dict[str, str], told.pop("headers", {}))
        answer = await self.http.post("/v1/consent", json={"visitor": visitor, **told}, headers=headers)
        assert answer.status_code == status, answer.text
        return decoded(answer)

    async def me(self, path: str = "", status: int = 200, visitor: dict[str, Any] = VISITOR) -> dict[str, Any]:
        answer = await self.http.get(f"/v1/me{path}", headers={"personalize-visitor": json.dumps(visitor)})
        assert answer.status_code == status, answer.text
        return decoded(answer)

    async def recommend(self, **visitor: object) -> dict[str, Any]:
        body = {"requests": [{"placement": "home"}], "visitor": visitor}
        return decoded(await self.http.post("/v1/recommendations", json=body))

    async def do_everything(self) -> list[str]:
        """Look, search, buy, be somewhere."""
        told = batch(
            event(self.node, "view_item", "e1", "S1"),
            event(self.node, "search", "e2", search_term="red shoe"),
            event(self.node, "purchase", "e3", items=[{"item_id": "S2", "quantity": 1, "price": 12.0}], value=12.0),
            purposes=VAULT_NAMES,
            location={"lat": 52.5, "lon": 13.4},
            session=VISITOR["session"],
        )
        return outcomes(await send(self.node, told))


@asynccontextmanager
async def shop_in(folder: Path, **sections: dict[str, Any]) -> AsyncIterator[Shop]:
    async with open_shop(folder, **sections) as node:
        transport = httpx.ASGITransport(create_app(node))
        async with httpx.AsyncClient(transport=transport, base_url="http://shop") as http:
            yield Shop(node, http)


async def test_a_decision_per_purpose_holds_from_the_next_request_on(tmp_path: Path) -> None:
    async with shop_in(tmp_path) as shop:
        answer = await shop.consent(purposes={"session": True, "profile": True, "vault.purchases": True}, version="t-1")
        assert [name for name, said in answer["purposes"].items() if said] == ["session", "profile", "vault.purchases"]
        assert answer["not_granted"] == []
        await shop.do_everything()
        held = row(shop.node)
        assert held is not None
        assert held.consent == int(Purpose.SESSION | Purpose.PROFILE | Purpose.PURCHASES)
        assert held.profile is not None
        answer = await shop.consent(purposes={"profile": False})
        assert answer["purposes"]["session"]
        assert not answer["purposes"]["profile"]
        held = row(shop.node)
        assert held is not None
        assert held.profile is None


async def test_a_receipt_can_be_checked_by_anyone_and_a_changed_one_is_forged(tmp_path: Path) -> None:
    async with shop_in(tmp_path) as shop:
        receipt = (await shop.consent(state="granted", version="t-1", language="de", source="banner"))["receipt"]
        (key,) = (await shop.http.get("/.well-known/personalize-receipts.json")).json()["keys"]
        assert (key["kty"], key["crv"], key["kid"]) == ("OKP", "Ed25519", receipt["signature"]["kid"])
        public = shop.node.keys.receipt_public_key
        assert receipt_is_genuine(receipt, public)
        assert receipt["schema_version"] == "ISO/IEC TS 27560:2023"
        assert receipt["privacy_notice"] == "t-1"
        states = {each["purpose"]: each["event_state"] for each in receipt["purposes"]}
        assert states["profile"] == "given"
        assert states["vault.searches"] == "refused"
        for path in ("privacy_notice", "record_id", "pii_principal_id"):
            assert not receipt_is_genuine({**receipt, path: "other"}, public)
        forged = copy.deepcopy(receipt)
        forged["purposes"][4]["event_state"] = "given"
        assert not receipt_is_genuine(forged, public)
        assert not receipt_is_genuine({**receipt, "signature": {"alg": "none"}}, public)
        assert not receipt_is_genuine({**receipt, "signature": None}, public)
        assert ANON not in json.dumps(receipt)


async def test_every_decision_is_in_the_ledger_and_a_flipped_byte_shows(tmp_path: Path) -> None:
    async with shop_in(tmp_path) as shop:
        await shop.consent(state="granted")
        await shop.consent(purposes={"training": False})
        told = batch(event(shop.node, "consent_update", "c1"), consent="denied", anon=ANON)
        await send(shop.node, told)
        stranger = "b" * 32
        await send(shop.node, batch(event(shop.node, "view_item", "e1", "S1"), anon=stranger))
        assert verify_ledger(shop.node.reader)[:2] == (4, 1)
        assert verify_ledger(shop.node.reader).broken_at is None
        assert len((await shop.me("/export"))["receipts"]) == 3
        assert len((await shop.me("/export", visitor={"anon": stranger}))["receipts"]) == 1
        await shop.node.database.execute("UPDATE consent_ledger SET body = zeroblob(length(body)) WHERE seq = 2")
        assert verify_ledger(shop.node.reader).broken_at == 2


async def test_withdrawing_one_category_empties_only_that_one(tmp_path: Path) -> None:
    async with shop_in(tmp_path) as shop:
        await shop.consent(purposes=dict.fromkeys(ALL_NAMES, True))
        assert await shop.do_everything() == ["accepted"] * 3
        assert [len((await shop.me(f"/vault/{name}"))["entries"]) for name in CATEGORIES] == [1, 1, 1]
        answer = await shop.consent(purposes={"vault.searches": False})
        assert answer["emptied"]
        counts = {each["table"]: each["rows"] for each in (await shop.me())["held"]}
        assert (counts["purchases"], counts["searches"], counts["locations"]) == (1, 0, 1)
        assert counts["person_keys"] == 1
        await shop.me("/vault/searches", status=403)
        await shop.consent(state="denied")
        counts = {each["table"]: each["rows"] for each in (await shop.me())["held"]}
        assert (counts["purchases"], counts["locations"], counts["person_keys"]) == (0, 0, 0)


CATEGORIES = ["purchases", "searches", "location"]


async def test_a_withdrawal_that_was_not_finished_is_finished_at_the_next_start(tmp_path: Path) -> None:
    async with shop_in(tmp_path) as shop:
        await shop.consent(purposes=dict.fromkeys(ALL_NAMES, True))
        await shop.do_everything()
        held = row(shop.node)
        assert held is not None
        # as if the power had gone between the decision and the vault
        await shop.node.database.execute("INSERT INTO withdrawals VALUES (?, 8, 0)", (held.surrogate,))
        assert shop.node.vault.kept(held.surrogate, Purpose.SEARCHES)
    async with shop_in(tmp_path) as shop:
        assert await shop.node.withdrawals.until_empty()
        assert shop.node.vault.kept(held.surrogate, Purpose.SEARCHES) is None
        assert shop.node.vault.kept(held.surrogate, Purpose.PURCHASES)


async def test_what_was_objected_to_stays_off_until_it_is_granted_by_name(tmp_path: Path) -> None:
    async with shop_in(tmp_path) as shop:
        answer = await shop.consent(object=["profile", "session"])
        assert answer["objected"] == ["session", "profile"]
        # neither the policy (session is opt-out here) nor a banner's "accept all" nor a new visit brings it back
        assert outcomes(await send(shop.node, batch(event(shop.node, "view_item", "e1", "S1"), consent=None))) == [
            "no_consent"
        ]
        await send(shop.node, batch(event(shop.node, "consent_update", "c1"), consent="granted"))
        answer = await shop.consent(state="granted")
        assert not answer["purposes"]["profile"]
        assert answer["purposes"]["training"]
        told = batch(event(shop.node, "view_item", "e2", "S1"), consent="session", session="0" * 32)
        assert outcomes(await send(shop.node, told)) == ["no_consent"]
        answer = await shop.consent(purposes={"profile": True, "session": True})
        assert answer["objected"] == []
        assert answer["purposes"]["profile"]


async def test_a_pause_keeps_everything_and_uses_nothing(tmp_path: Path) -> None:
    async with shop_in(tmp_path) as shop:
        await shop.consent(purposes=dict.fromkeys(ALL_NAMES, True))
        await shop.do_everything()
        before = row(shop.node)
        answer = await shop.consent(restrict=True)
        assert answer["restricted"]
        assert not any(answer["purposes"].values())
        assert await shop.do_everything() == ["no_consent"] * 3
        answered = await shop.recommend(anon=ANON, consent="granted")
        assert "personalized" not in json.dumps(answered)
        await shop.me("/vault/purchases", status=403)
        counts = {each["table"]: each["rows"] for each in (await shop.me())["held"]}
        assert (counts["purchases"], counts["profiles"], counts["events_*"]) == (1, 1, 3)
        assert [each.consent for each in shop.node.person.consents()] == [0]  # training reads these
        answer = await shop.consent(restrict=False)
        assert all(answer["purposes"].values())
        after = row(shop.node)
        assert before is not None
        assert after is not None
        assert (before.session, before.profile) == (after.session, after.profile)


async def test_taking_back_during_a_pause_still_deletes(tmp_path: Path) -> None:
    async with shop_in(tmp_path) as shop:
        await shop.consent(purposes=dict.fromkeys(ALL_NAMES, True))
        await shop.do_everything()
        await shop.consent(restrict=True)
        assert (await shop.consent(purposes={"vault.purchases": False, "profile": False}))["restricted"]
        counts = {each["table"]: each["rows"] for each in (await shop.me())["held"]}
        assert (counts["purchases"], counts["searches"]) == (0, 1)
        answer = await shop.consent(restrict=False)
        assert not answer["purposes"]["vault.purchases"]
        assert not answer["purposes"]["profile"]
        assert answer["purposes"]["vault.searches"]


async def test_a_no_of_somebody_unknown_is_kept_where_silence_would_mean_yes(tmp_path: Path) -> None:
    async with shop_in(tmp_path) as shop:
        assert outcomes(await send(shop.node, batch(event(shop.node, "view_item", "e1", "S1"), consent=None))) == [
            "accepted"
        ]
        await shop.consent(state="denied", visitor={"anon": "c" * 32})
        told = batch(event(shop.node, "view_item", "e2", "S1"), consent=None, anon="c" * 32, session="1" * 32)
        assert outcomes(await send(shop.node, told)) == ["no_consent"]


async def test_an_explicit_decision_outweighs_gpc_and_a_region_switches_purposes_off(tmp_path: Path) -> None:
    consent = {"more": {"nl": {"regions": ["XN"], "training": "off"}}}
    async with shop_in(tmp_path, consent=consent) as shop:
        answer = await shop.consent(state="granted", region="XN", headers={"sec-gpc": "1"}, purposes={"training": True})
        assert answer["purposes"]["profile"]
        assert answer["not_granted"] == ["training"]
        gpc = await shop.http.get("/.well-known/gpc.json")
        assert gpc.json() == {"gpc": True, "lastUpdate": "2026-11-22"}
    ignoring = {"us-ca": {"gpc": "ignore"}}
    async with shop_in(tmp_path / "other", consent=ignoring) as shop:
        assert not (await shop.http.get("/.well-known/gpc.json")).json()["gpc"]


async def test_a_consent_string_that_comes_along_caps_what_is_granted(tmp_path: Path) -> None:
    async with shop_in(tmp_path) as shop:
        signals = {"gcm": {"analytics_storage": "denied", "personalization_storage": "granted"}}
        answer = await shop.consent(purposes={"profile": True, "training": True}, signals=signals)
        assert answer["purposes"]["profile"]
        assert answer["not_granted"] == ["training"]
        answer = await shop.consent(purposes={"session": True}, signals={"tcf": "nonsense"})
        assert not any(answer["purposes"].values())


async def test_what_cannot_be_meant_is_refused_with_where_and_why_and_changes_nothing(tmp_path: Path) -> None:
    async with shop_in(tmp_path, consent={"default": {"regions": ["US"]}}) as shop:
        wrong: list[tuple[dict[str, Any], str]] = [
            ({}, "decides nothing"),
            ({"purposes": {"profil": True}}, "'profil' is no purpose"),
            ({"object": ["everything"]}, "'everything' is no purpose"),
            ({"purposes": {"profile": True}, "object": ["profile"]}, "granted and objected to"),
            ({"purposes": {"profile": "yes"}}, "Expected 'bool'"),
            ({"purposses": {"profile": True}}, "unknown field 'purposses'; did you mean 'purposes'?"),
            ({"state": "granted", "signals": {"tfc": "a no"}}, "unknown field 'tfc'; did you mean 'tcf'?"),
            ({"state": "maybe"}, "Invalid enum value"),
            ({"state": "granted", "region": "ATLANTIS"}, "in no jurisdiction"),
        ]
        for told, sentence in wrong:
            assert sentence in json.dumps(await shop.consent(400, **told))
        assert (await shop.http.post("/v1/consent", content=b"{")).status_code == 400
        assert "the body is empty" in (await shop.http.post("/v1/consent", content=b"")).text
        assert (await shop.http.post("/v1/consent", content=b" " * 40_000)).status_code == 413
        assert verify_ledger(shop.node.reader).entries == 0
        await shop.consent(state="denied", region="ATLANTIS")  # a no is heard from anywhere


async def test_nobody_decides_or_looks_without_being_the_person(tmp_path: Path) -> None:
    user = {"user": "ann@shop"}
    async with shop_in(tmp_path) as shop:
        for visitor in ({}, {"anon": "short"}, {"session": "short"}, user, {**user, "user_sig": "0" * 64}):
            await shop.consent(401, visitor=visitor, state="granted")
            await shop.me(status=401, visitor=visitor)
            await shop.me("/export", status=401, visitor=visitor)
            await shop.me("/vault/searches", status=401, visitor=visitor)
        assert (await shop.http.get("/v1/me")).status_code == 401
        assert (await shop.http.get("/v1/me", headers={"personalize-visitor": "x"})).status_code == 400
        assert shop.node.reader.execute("SELECT count(*) FROM people").fetchone() == (0,)
        bad_key = {"authorization": "Bearer sk_" + "x" * 32}
        await shop.consent(401, visitor=user, state="granted", headers=bad_key)
        secret = await shop.node.keys.create_api_key("server", now=0)
        await shop.consent(visitor=user, state="granted", headers={"authorization": f"Bearer {secret}"})
        held = row(shop.node, "user", "ann@shop")
        assert held is not None
        assert held.consent


async def test_a_short_session_id_in_the_same_request_decides_nothing(tmp_path: Path) -> None:
    async with shop_in(tmp_path) as shop:
        await send(
            shop.node, batch(event(shop.node, "view_item", "e1", "S1"), consent="session", anon=None, session=SESSION)
        )
        await shop.consent(state="denied", visitor={"anon": "d" * 32, "session": SESSION})
        held = row(shop.node, "session", SESSION)
        assert held is not None
        assert held.consent == int(Purpose.SESSION)


async def test_the_export_holds_every_declared_field_in_clear(tmp_path: Path) -> None:
    async with shop_in(tmp_path) as shop:
        await shop.consent(purposes=dict.fromkeys(ALL_NAMES, True), version="t-9")
        await shop.do_everything()
        export = await shop.me("/export")
        tables = {(each["file"], each["table"]): each for each in export["records"]}
        assert tables.keys() == {(each.file, each.table) for each in FIELDS}
        assert tables.keys() == READERS.keys() | UNFINDABLE.keys()
        for each in FIELDS:
            for found in tables[each.file, each.table]["rows"]:
                assert each.column in found, each
        text = json.dumps(export)
        for needle in ("red shoe", '"S1"', '"S2"', "52.5", "t-9", "category:shoes/red"):
            assert needle in text
        never = {"moves", "withdrawals", "suppressed", "privacy_requests"}
        empty = {table for (_, table), each in tables.items() if not each["rows"]}
        assert empty - never <= {"sealed"}
        assert export["consent"][0]["purposes"]["vault.searches"]
        assert all(receipt_is_genuine(each, shop.node.keys.receipt_public_key) for each in export["receipts"])


def test_a_new_table_about_people_is_read_or_explained() -> None:
    declared = {(each.file, each.table) for each in FIELDS}
    assert declared == READERS.keys() | UNFINDABLE.keys()
    assert not READERS.keys() & UNFINDABLE.keys()


async def test_somebody_unknown_sees_the_same_shape_with_nothing_in_it(tmp_path: Path) -> None:
    async with shop_in(tmp_path) as shop:
        await shop.consent(state="granted")
        known, unknown = await shop.me(), await shop.me(visitor={"anon": "e" * 32})
        assert not unknown["known"]
        assert known.keys() == unknown.keys()
        assert [each["table"] for each in known["held"]] == [each["table"] for each in unknown["held"]]
        assert sum(each["rows"] for each in unknown["held"]) == 0


async def test_personal_answers_are_kept_by_no_cache_and_readable_by_the_shops_pages(tmp_path: Path) -> None:
    origin = "https://shop.example"
    async with shop_in(tmp_path, server={"demo": False, "allowed_origins": [origin]}) as shop:
        headers = {"origin": origin, "personalize-visitor": json.dumps(VISITOR)}
        for answer in (
            await shop.http.get("/v1/me", headers=headers),
            await shop.http.get("/v1/me/export", headers=headers),
            await shop.http.post("/v1/consent", json={"visitor": VISITOR, "state": "denied"}, headers=headers),
        ):
            assert answer.headers["cache-control"] == "private, no-store"
            assert answer.headers["access-control-allow-origin"] == origin
        asked = await shop.http.options("/v1/me", headers={"origin": origin})
        assert "personalize-visitor" in asked.headers["access-control-allow-headers"]
        elsewhere = {"visitor": VISITOR, "state": "granted", "key": key_of(shop.node).shown}
        answer = await shop.http.post("/v1/consent", json=elsewhere, headers={"origin": "https://evil.example"})
        assert answer.status_code == 403


async def test_a_clock_that_went_back_cannot_undo_a_later_decision(tmp_path: Path) -> None:
    async with shop_in(tmp_path, node={"clock": "events"}) as shop:
        shop.node.clock.observe(2_000_000_000_000)
        await shop.consent(state="granted")
        shop.node.clock._now_ms -= 86_400_000  # type: ignore[attr-defined]
        answer = await shop.consent(state="denied")
        assert not any(answer["purposes"].values())
        held = row(shop.node)
        assert held is not None
        assert not held.consent


async def test_no_id_and_no_decision_lies_readable_in_a_file(tmp_path: Path) -> None:
    async with shop_in(tmp_path) as shop:
        await shop.consent(state="granted", source="banner on the sofa page", language="nb-NO")
    assert found_in_files(tmp_path / "data", ANON, "banner on the sofa page", "nb-NO") == []


async def test_events_after_a_decision_carry_exactly_its_purposes(tmp_path: Path) -> None:
    async with shop_in(tmp_path) as shop:
        await shop.consent(purposes={"session": True, "vault.searches": True})
        await shop.do_everything()
        assert {each.purposes for each in await logged(shop.node)} == {int(Purpose.SESSION | Purpose.SEARCHES)}
        assert (
            msgspec.json.encode([each.lines for each in await logged(shop.node) if each.name == "purchase"]) == b"[[]]"
        )
