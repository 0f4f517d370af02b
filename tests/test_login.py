"""Who signs in is joined by what the same person did before without a name, if both times that was agreed to, once."""

from pathlib import Path

import pytest

from app.node import Node
from app.privacy.rotation import rotate
from store.records import Purpose
from tests.open_shop import ANON, EVERYTHING, batch, event, logged, open_shop, outcomes, row, send
from tests.test_rotation import carried_over, count

pytestmark = pytest.mark.anyio
BEGAN = 1_750_000_000
VAULT = ["vault.purchases"]
VISIT = "one visit"


async def shops(node: Node, item: str, *, user: str = "", buys: str = "", **more: object) -> list[str]:
    """The visitor, signed in or not, looks at something and perhaps buys, through the shop's server."""
    name = f"{user or 'guest'} {item} {buys}"
    events = [event(node, "view_item", name, item)]
    if buys:
        events.append(event(node, "purchase", name + " order", items=[{"item_id": buys, "quantity": 1}]))
    told = {"user": user or None, "session": VISIT, "purposes": VAULT, **more}
    return outcomes(await send(node, batch(*events, **told), kind="server"))  # type: ignore[arg-type]


def history(node: Node, user: str = "ann") -> set[str]:
    from app.features.visitor import read_profile

    known = row(node, "user", user)
    return {node.catalogue.item(item).id for item in read_profile(known.profile).items} if known else set()


def bought(node: Node, user: str = "ann") -> list[str]:
    known = row(node, "user", user)
    assert known is not None
    found = node.vault.read(known.surrogate, Purpose.PURCHASES, EVERYTHING) or []
    return [node.catalogue.item(each.item).id for each in found]


def weight(node: Node, item: str) -> float:
    from app.features.visitor import read_profile

    known = row(node, "user", "ann")
    assert known is not None
    number = node.catalogue.number(item)
    assert number is not None
    return read_profile(known.profile).items[number][0]


async def test_at_the_login_the_guest_becomes_the_user_with_vault_and_events(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as node:
        await shops(node, "S1", buys="S7")
        assert await shops(node, "S2", user="ann") == ["accepted"]
        assert row(node, "anon", ANON) is None
        assert history(node) == {"S1", "S2"}
        assert bought(node) == ["S7"]
        await carried_over(node)
        assert count(node, "people") == count(node, "profiles") == count(node, "person_keys") == 1
        known = row(node, "user", "ann")
        assert known is not None
        assert {each.person for each in await logged(node)} == {known.surrogate}


async def test_what_was_known_of_the_user_stays_and_a_guest_joins_once(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as node:
        await shops(node, "S3", user="ann", anon=None, buys="S8", session="another visit")
        await shops(node, "S1", buys="S7")
        await shops(node, "S2", user="ann")
        once = weight(node, "S1")
        for item in ("S4", "S5"):
            await shops(node, item, user="ann")
        assert weight(node, "S1") == once
        assert history(node) == {"S1", "S2", "S3", "S4", "S5"}
        assert sorted(bought(node)) == ["S7", "S8"]


@pytest.mark.parametrize("consent", ["session", "anonymous", "denied", "pending"])
async def test_no_profile_is_joined_without_consent_at_the_login(tmp_path: Path, consent: str) -> None:
    async with open_shop(tmp_path) as node:
        await shops(node, "S1", buys="S7")
        await shops(node, "S2", user="ann", consent=consent)
        assert row(node, "anon", ANON) is not None
        assert history(node) == set()


async def test_a_guest_who_agreed_to_the_visit_only_brings_the_visit_and_no_profile(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as node:
        from app.features.visitor import read_session

        await shops(node, "S1", consent="session")
        assert row(node, "session", VISIT) is not None
        await shops(node, "S2", user="ann")
        assert row(node, "session", VISIT) is None
        assert history(node) == {"S2"}
        known = row(node, "user", "ann")
        assert known is not None
        assert {node.catalogue.item(item).id for item, _, _ in read_session(known.session).items} == {"S1", "S2"}


async def test_the_guests_purchases_stay_behind_where_the_user_did_not_agree_to_keep_any(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as node:
        await shops(node, "S1", buys="S7")
        await shops(node, "S2", user="ann", purposes=[])
        assert history(node) == {"S1", "S2"}
        await carried_over(node)
        assert bought(node) == []
        assert count(node, "purchases") == 0


async def test_a_browser_that_only_claims_a_user_joins_nobody(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as node:
        await shops(node, "S3", user="ann", anon=None)
        body = batch(event(node, "view_item", "claimed", "S1"), user="ann", user_sig="0" * 64)
        assert outcomes(await send(node, body)) == ["accepted"]
        assert history(node) == {"S3"}
        assert row(node, "anon", ANON) is not None


async def test_a_guest_of_the_epoch_before_joins_as_well_but_raw_events_stay_behind(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as node:
        await shops(node, "S1", buys="S7")
        guest = row(node, "anon", ANON)
        assert guest is not None
        await rotate(node)
        await shops(node, "S2", user="ann")
        assert history(node) == {"S1", "S2"}
        assert bought(node) == ["S7"]
        await carried_over(node)
        assert count(node, "people") == count(node, "profiles") == 1
        assert [each.person == guest.surrogate for each in await logged(node)] == [True, True, False]


async def test_a_guest_and_the_login_in_one_group_lose_nothing(tmp_path: Path) -> None:
    import asyncio

    async with open_shop(tmp_path) as node:
        await asyncio.gather(shops(node, "S1"), shops(node, "S2", user="ann"))
        await shops(node, "S3", user="ann")
        assert history(node) == {"S1", "S2", "S3"}
        assert row(node, "anon", ANON) is None
