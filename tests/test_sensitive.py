from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.config import ConfigError, parse_config
from app.demo.taxonomy import SUBCATEGORIES
from app.features.visitor import read_profile, read_session
from app.learning.dataset import DatasetBuilder
from app.node import Node
from app.privacy.gatekeeper import ConsentSignal
from app.privacy.identity import Claim
from app.search.query_affinities import query_affinities
from app.serving.visitors import VisitorReader
from plugins.contract import Visitor
from store.catalogue import Catalogue
from store.records import Item, Purchase, Purpose
from store.sensitive import SENSITIVE_WORDS, Sensitive
from tests.open_shop import ANON, SESSION, batch, event, logged, open_shop, outcomes, row, send

pytestmark = pytest.mark.anyio
DENIED = [
    Item(id="H1", title="cough syrup", category=("beauty", "health care"), brand="Alder", price=9.0),
    Item(id="H2", title="quiet book", category=("books",), brand="Alder", price=9.0, attributes={"sensitive": True}),
]
VAULT = ["vault.purchases"]


async def shop_items(node: Node) -> None:
    await node.shop.put_items(DENIED, node.clock.now())


def visitor(node: Node) -> Visitor:
    reader = VisitorReader(
        lambda: node.gatekeeper, node.keys, node.person, node.vault, node.config.features, node.catalogue
    )
    signal = ConsentSignal("granted", Purpose.PURCHASES)
    return reader.read(Claim(ANON, "", "", SESSION, trusted=False), signal, node.clock.now())[0]


def items_known(node: Node) -> set[str]:
    found = visitor(node)
    numbers = {*found.viewed.tolist(), *found.history.tolist(), *found.bought.tolist()}
    return {node.catalogue.ids[number] for number in numbers}


async def test_nothing_is_kept_of_what_a_visitor_does_with_a_sensitive_item(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as node:
        await shop_items(node)
        names = ("view_item", "add_to_cart", "add_to_wishlist", "select_item", "dismiss_item")
        events = [event(node, name, f"{name} {item.id}", item.id) for name in names for item in DENIED]
        said = await send(node, batch(*events, purposes=VAULT))
        assert outcomes(said) == ["sensitive"] * len(events)
        assert await logged(node) == []
        known = row(node)
        assert known is None or read_profile(known.profile).affinities == read_session(known.session).affinities == {}


async def test_of_an_order_the_vault_keeps_the_lines_that_are_not_sensitive(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as node:
        await shop_items(node)
        lines = [{"item_id": name, "quantity": 1} for name in ("H1", "S1", "H2")]
        bought = event(node, "purchase", "p", items=lines)
        assert outcomes(await send(node, batch(bought, purposes=VAULT))) == ["accepted"]
        known = row(node)
        assert known is not None
        await node.intake.drain()
        kept = node.vault.read(known.surrogate, Purpose.PURCHASES, Purpose(known.consent))
        assert [node.catalogue.ids[each.item] for each in kept or ()] == ["S1"]


async def test_a_list_with_a_sensitive_item_is_learned_without_it(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as node:
        await shop_items(node)
        lines = [{"item_id": name} for name in ("H1", "S1", "H2", "S2")]
        await send(node, batch(event(node, "add_to_cart", "c", items=lines)))
        assert items_known(node) == {"S1", "S2"}


async def test_what_was_learned_before_a_category_was_listed_is_not_used_any_more(tmp_path: Path) -> None:
    def told(node: Node) -> bytes:
        bought = event(node, "purchase", "p", items=[{"item_id": "S4", "quantity": 1}])
        return batch(event(node, "view_item", "a", "S0"), event(node, "view_item", "b", "S1"), bought, purposes=VAULT)

    async with open_shop(tmp_path) as node:
        await send(node, told(node))
        await node.intake.drain()
    async with open_shop(tmp_path) as node:
        assert items_known(node) == {"S0", "S1", "S4"}
        assert "category:shoes/green" in visitor(node).affinities
    async with open_shop(tmp_path, privacy={"sensitive": ["shoes/green"]}) as node:
        assert items_known(node) == {"S0"}
        affinities = visitor(node).affinities
        assert "category:shoes/green" not in affinities
        assert "category:shoes/red" in affinities
    async with open_shop(tmp_path, privacy={"sensitive": ["shoes"]}) as node:
        assert items_known(node) == set()
        assert not any(key.startswith("category") for key in visitor(node).affinities)


async def test_a_search_teaches_no_sensitive_category(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as node:
        await shop_items(node)
        assert query_affinities("cough syrup", node.search) == {}
        assert query_affinities("quiet", node.search) == {}
        assert query_affinities("green shoe", node.search) != {}


async def test_an_item_is_learned_from_again_once_it_is_no_longer_sensitive(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as node:
        await shop_items(node)
        await node.shop.put_items([Item(id="H2", title="quiet book", category=("books",))], node.clock.now())
        assert outcomes(await send(node, batch(event(node, "view_item", "a", "H2")))) == ["accepted"]


def test_training_leaves_sensitive_items_out_of_old_data_too() -> None:
    builder = DatasetBuilder(
        items=3, weights={"purchase": 1.0}, since=0, max_items_per_person=9, sensitive=np.array([False, True, False])
    )
    builder.add_purchases(1, int(Purpose.TRAINING | Purpose.PURCHASES), [Purchase(n, 1, 2.0, 100 + n) for n in (0, 1)])
    assert builder.build().item.tolist() == [0]


def test_a_sensitive_item_has_no_affinities_and_scores_by_none() -> None:
    catalogue = Catalogue()
    catalogue.put(0, Item(id="a", title="a", category=("pharmacy",), brand="Alder", price=1.0))
    catalogue.put(1, Item(id="b", title="b", category=("shoes",), brand="Alder", price=1.0))
    assert catalogue.affinity_keys(0) == ()
    scores = catalogue.affinity_of(np.array([0, 1], np.int32), {"brand:Alder": 1.0, "category:pharmacy": 1.0})
    assert scores[:, 0].tolist() == [0, 0, 0, 0]
    assert scores[1, 1] == 1
    catalogue.remove(0)
    catalogue.put(0, Item(id="c", title="c", category=("shoes",)))
    assert catalogue.affinity_keys(0) == ("category:shoes",)


@pytest.mark.parametrize(
    "path",
    [("Health",), ("beauty", "Health & Care"), ("home", "sexual-wellness"), ("books", "Trade_Union history"),
     ("gifts/religious",), ("ＨＥＡＬＴＨ",)],
)  # fmt: skip
def test_a_word_of_any_step_is_enough_however_it_is_written(path: tuple[str, ...]) -> None:
    assert Sensitive().path(path)


@pytest.mark.parametrize("path", [("essex",), ("healthy snacks",), ("union jack", "trade"), ("trade", "union"), ()])
def test_parts_of_words_and_words_apart_are_not_meant(path: tuple[str, ...]) -> None:
    assert not Sensitive().path(path)


def test_a_path_means_what_lies_below_it_from_the_top() -> None:
    denied = Sensitive(["beauty/Intimate Care"])
    assert denied.path(("Beauty", "intimate-care", "wipes"))
    assert not denied.path(("sale", "beauty", "intimate care"))
    assert not denied.path(("beauty",))


@pytest.mark.parametrize(("told", "denied"), [(True, True), ("yes", True), (1.0, True), ("?", True), (False, False),
                                              ("No", False), (0.0, False)])  # fmt: skip
def test_a_sensitive_attribute_counts_unless_it_says_no(told: str | float | bool, denied: bool) -> None:
    assert Sensitive([]).item(Item(id="a", title="a", attributes={"sensitive": told})) is denied


@given(st.sampled_from(SENSITIVE_WORDS), st.lists(st.text(max_size=8), max_size=3))
def test_no_path_with_a_listed_step_gets_through(word: str, others: list[str]) -> None:
    assert Sensitive().path((*others, word.upper()))


def test_no_aisle_of_the_demo_shop_is_sensitive() -> None:
    assert [sub.path for sub in SUBCATEGORIES if Sensitive().path((sub.top, sub.name))] == []


@pytest.mark.parametrize("entry", ["", " ", "beauty/", "//", "&"])
def test_an_entry_without_a_word_is_refused(entry: str) -> None:
    table: dict[str, Any] = {"privacy": {"sensitive": [entry]}}
    with pytest.raises(ConfigError, match=r"privacy\.sensitive"):
        parse_config(table)
