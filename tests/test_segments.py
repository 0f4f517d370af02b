"""Segments: found in what is known already, named by what distinguishes them, the same from training to training."""

import json
from pathlib import Path
from typing import Any

import httpx
import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.learning import segments
from app.learning.membership import Membership
from app.learning.segment_names import key_of, name_of
from app.learning.segments import Segments
from app.node import Node
from app.routes import create_app
from store.catalogue import Catalogue
from store.records import Item
from tests.open_shop import ANON, ITEMS, SESSION, batch, event, row, send
from tests.signed_in import headers_of
from tests.trained_shop import SMALL, clicks, shop, trained

pytestmark = pytest.mark.anyio
KINDS = {
    "boots": ("outdoor", "boots"),
    "tents": ("outdoor", "tents"),
    "gowns": ("evening", "gowns"),
    "pens": ("desk", "pens"),
}
PER_KIND = 20


def goods() -> list[Item]:
    """Four kinds of things; gowns are dear and all of one brand."""
    return [
        Item(
            id=f"{kind}-{number}", title=f"{kind} {number}", category=path, price=10.0 + number,
            brand="Birch" if kind == "gowns" else f"Brand {number % 7}",
        )
        for kind, path in KINDS.items()
        for number in range(PER_KIND)
    ]  # fmt: skip


def catalogue_of(items: list[Item]) -> Catalogue:
    catalogue = Catalogue()
    for number, item in enumerate(items):
        catalogue.put(number, item)
    return catalogue


def tastes(items: list[Item], turned: float = 0.0, noise: float = 0.1, seed: int = 3) -> Any:  # noqa: ANN401
    """What a training gives: alike for things of a kind, in a space that every training turns as it likes."""
    random = np.random.default_rng(seed)
    kinds = [list(KINDS).index(item.category[1]) for item in items]
    vectors = np.eye(8, dtype=np.float32)[kinds] + noise * random.standard_normal((len(items), 8)).astype(np.float32)
    rotation, _ = np.linalg.qr(np.random.default_rng(int(turned * 1000) + 1).standard_normal((8, 8)))
    return (vectors @ rotation).astype(np.float32) if turned else vectors


def learned(items: list[Item], before: Segments | None = None, turned: float = 0.0, seed: int = 1) -> Segments:
    known = None if before is None else (before.labels, before.known)
    found = segments.learn(catalogue_of(items), (tastes(items, turned),), None, most=4, seed=seed, before=known)
    assert found is not None
    return found


def labels_of(found: Segments, kind: str) -> list[str]:
    start = list(KINDS).index(kind) * PER_KIND
    return [found.known[label].key for label in found.labels[start : start + PER_KIND].tolist()]


def test_what_the_same_people_like_is_one_segment_named_by_what_distinguishes_it() -> None:
    found = learned(goods())
    assert sorted(len(set(labels_of(found, kind))) for kind in KINDS) == [1, 1, 1, 1]
    names = {kind: next(k.name for k in found.known if k.key == labels_of(found, kind)[0]) for kind in KINDS}
    assert names == {"boots": "Boots", "tents": "Tents", "gowns": "Gowns (Birch)", "pens": "Pens"}
    assert "category:evening/gowns" in found.terms[[k.name for k in found.known].index("Gowns (Birch)")]
    assert {known.key for known in found.known} == {"boots", "tents", "gowns-birch", "pens"}


@pytest.mark.parametrize("seed", range(4))
def test_a_segment_keeps_its_key_and_name_through_trainings(seed: int) -> None:
    """The next training's vectors lie elsewhere, its seed is another, a tenth of the products are new."""
    first = learned(goods())
    items = goods()
    items += [
        Item(id=f"new {n}", title="new", category=KINDS["pens"], price=5.0 + n, brand="Brand 1") for n in range(8)
    ]
    second = learned(items, before=first, turned=0.5 + seed, seed=seed)
    assert {known.key for known in second.known} == {known.key for known in first.known}
    for kind in KINDS:
        assert labels_of(second, kind)[0] == labels_of(first, kind)[0]


def test_a_segment_that_is_gone_gives_its_key_to_nobody() -> None:
    first = learned(goods())
    other = [item for item in goods() if item.category[1] != "pens"]
    second = segments.learn(
        catalogue_of(other), (tastes(other),), None, most=4, seed=1, before=(first.labels[: len(other)], first.known)
    )
    assert second is not None
    assert "pens" not in {known.key for known in second.known}


def test_noise_in_the_vectors_of_products_does_not_leave_visitors_without_a_segment() -> None:
    """As under differential privacy: a product's vector says little, those of its category together say enough."""
    items = goods()
    catalogue, noisy = catalogue_of(items), tastes(items, noise=1.0)

    def at_home(vectors: Any) -> int:  # noqa: ANN401
        found = segments.learn(catalogue, (vectors,), None, most=4, seed=1)
        assert found is not None
        told = Membership(found.keys, found.table, [known.key for known in found.known], share=0.5)
        return sum(bool(told.of({f"category:{'/'.join(path)}": 1.0})) for path in KINDS.values())

    assert at_home(noisy) < len(KINDS)
    assert at_home(segments.by_category(catalogue, noisy)) == len(KINDS)


def test_a_shop_too_small_has_none() -> None:
    assert segments.learn(catalogue_of(goods()[:7]), (None,), None, most=8, seed=1) is None


def test_what_is_sensitive_or_sold_out_is_in_no_segment() -> None:
    items = goods()
    items[0] = Item(id="a", title="a", category=KINDS["boots"], price=1.0, availability="out_of_stock")
    assert learned(items).labels[0] == -1


def test_membership_follows_from_what_a_visitor_prefers_now() -> None:
    found = learned(goods())
    member = Membership(found.keys, found.table, [known.key for known in found.known], share=0.35)
    assert member.of({"category:outdoor/tents": 2.0, "category_band:outdoor|3": 0.5}) == {"tents"}
    assert member.of({"category:outdoor/tents": 1.0, "category:desk/pens": 1.0}) == {"tents", "pens"}
    assert member.of({"category:desk/pens": -1.0}) == frozenset()
    assert member.of({"brand:nobody knows": 3.0}) == frozenset()
    assert member.of({}) == frozenset()


@given(st.dictionaries(st.sampled_from(learned(goods()).keys), st.floats(-5, 5, width=32), max_size=30))
def test_shares_are_parts_of_one_taste(affinities: dict[str, float]) -> None:
    found = learned(goods())
    member = Membership(found.keys, found.table, [known.key for known in found.known], share=0.35)
    shares = member.shares(affinities)
    if shares is not None:
        assert shares.sum() == pytest.approx(1, abs=1e-4)
        assert (shares >= 0).all()
    assert len(member.of(affinities)) <= 2


def test_names_and_keys_are_never_given_twice() -> None:
    terms = ["category:shoes/running", "band:8", "brand:Alder", "category:shoes/walking"]
    assert name_of(terms, set()) == "Running & Walking, high-priced (Alder)"
    assert name_of(terms, {"Running & Walking, high-priced (Alder)"}) == "Running & Walking, high-priced (Alder) 2"
    assert name_of(["band:1"], set()) == "Mixed, low-priced"
    assert key_of("Running & Walking, high-priced (Alder)", set()) == "running-walking-high-priced-alder"
    assert key_of("Größe", {"groe"}) == "groe-2"
    assert key_of("靴", set()) == "segment"


async def ask(node: Node, method: str, path: str, body: object = None, **headers: str) -> Any:  # noqa: ANN401
    transport = httpx.ASGITransport(create_app(node))
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
        said = await client.request(method, path, json=body, headers=headers)
        assert said.status_code == 200, said.text
        return said.json()


async def sell_only_goods(node: Node) -> None:
    await node.shop.put_items(goods(), node.clock.now())
    for item in ITEMS:
        await node.shop.delete(item.id, node.clock.now())


async def with_segments(node: Node, people: int = 24) -> None:
    await sell_only_goods(node)
    for number in range(people):
        kind = list(KINDS)[number % 4]
        await clicks(node, f"shopper {number}", *(f"{kind}-{(number + step) % PER_KIND}" for step in range(4)))
    await trained(node)
    node.generations.take_over()


async def test_a_visitors_segments_reach_rules_and_plugins_only_with_consent_to_a_profile(tmp_path: Path) -> None:
    async with shop(tmp_path, training={**SMALL, "iterations": 8, "segments": 4}) as node:
        await with_segments(node)
        await send(node, batch(*(event(node, "view_item", f"t{n}", f"tents-{n}") for n in range(3))))
        server = {"authorization": f"Bearer {await node.keys.create_api_key('server', now=0)}"}
        visitor = {"anon": ANON, "consent": "granted", "session": SESSION}
        request: dict[str, Any] = {"visitor": visitor, "requests": [{"placement": "home"}], "explain": True}
        said = await ask(node, "POST", "/v1/recommendations", request, **server)
        (mine,) = said["served_by"]["segments"]
        assert said["results"][0]["explanation"]["inside"]["segments"] == [mine]
        names = {each["key"]: each["name"] for each in node.generations.serving.segment_list}
        assert "Tents" in names[mine]
        searched = await ask(
            node, "POST", "/v1/search", {"query": "tents", "visitor": visitor, "explain": True}, **server
        )
        assert searched["served_by"]["segments"] == [mine]
        about = await ask(node, "GET", "/v1/me", **{"personalize-visitor": json.dumps({"anon": ANON})})
        assert about["segments"] == [{"key": mine, "name": names[mine]}]
        shopper = await ask(node, "POST", "/v1/recommendations", request)
        assert shopper["served_by"]["segments"] == []
        for consent in ("session", "denied"):
            request["visitor"] = {**visitor, "consent": consent}
            assert (await ask(node, "POST", "/v1/recommendations", request, **server))["served_by"]["segments"] == []


async def test_nothing_of_a_membership_is_stored(tmp_path: Path) -> None:
    async with shop(tmp_path, training={**SMALL, "iterations": 8, "segments": 4}) as node:
        await with_segments(node)
        await send(node, batch(event(node, "view_item", "t", "tents-1")))
        about = await ask(node, "GET", "/v1/me", **{"personalize-visitor": json.dumps({"anon": ANON})})
        (mine,) = about["segments"]
        held = row(node)
        assert held is not None
        assert mine["name"] not in json.dumps([str(value) for value in msgspec.structs.asdict(held).values()])
        tables = {name for (name,) in node.reader.execute("SELECT name FROM sqlite_schema WHERE sql LIKE '%segment%'")}
        assert tables == set()


async def test_a_marketer_sees_segments_with_sizes_of_ten_and_more_rounded_down(tmp_path: Path) -> None:
    async with shop(tmp_path, training={**SMALL, "segments": 4, "judged_people": 0}) as node:
        await sell_only_goods(node)
        for kind, people in (("boots", 27), ("gowns", 14), ("pens", 4)):
            for number in range(people):
                items = (f"{kind}-{(number + step) % PER_KIND}" for step in range(4))
                await clicks(node, f"{kind} shopper {number}", *items)
        await trained(node)
        node.generations.take_over()
        said = await ask(node, "GET", "/v1/segments", **await headers_of(node, "marketer"))
        sizes = {each["name"].split(" ")[0].strip(","): each["people"] for each in said["segments"]}
        assert (sizes["Gowns"], sizes["Pens"]) == (10, None)
        told = [each["people"] for each in said["segments"]]
        assert told == sorted((each for each in told if each), reverse=True) + [None] * told.count(None)
        assert all(each is None or each in (10, 20) for each in told)
        assert said["model"] == node.model.id


async def test_segments_can_be_switched_off(tmp_path: Path) -> None:
    async with shop(tmp_path, training={**SMALL, "segments": 0}) as node:
        await with_segments(node, 4)
        assert node.model.segments({"category:outdoor/tents": 1.0}) == frozenset()
        assert (await ask(node, "GET", "/v1/segments", **await headers_of(node, "operator")))["segments"] == []
