"""What made-up visitors can do to what everyone is shown, and how many it takes."""

import asyncio
import json
from pathlib import Path

import httpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.config import parse_config
from app.learning.dataset import DatasetBuilder
from app.learning.popularity import distinct_people, once_a_day, trending
from app.learning.read import read_dataset
from app.node import Node
from app.routes import create_app
from store.clock import Clock
from store.records import Floats, Line, LoggedEvent, Purchase, Purpose
from tests.open_shop import ITEMS, open_shop

SIZE, NOW = 12, 1_790_000_000
ALL = int(Purpose.TRAINING | Purpose.PURCHASES | Purpose.PROFILE)
LEARN = {"learned": "exact"}
Bought = list[tuple[int, int]]
"""(person, item) in the order it happened."""
orders = st.lists(st.tuples(st.integers(0, 20), st.integers(0, SIZE - 1)), max_size=60)


def counts(honest: Bought, made_up: Bought) -> Floats:
    built = DatasetBuilder(items=SIZE, weights={}, since=0, max_items_per_person=500, max_by_trust={1: 5, 2: 10})
    for place, (person, item) in enumerate(honest):
        built.add_purchases(person, ALL, [Purchase(item, 1, None, NOW + place, 3)])
    for place, (person, item) in enumerate(made_up):
        built.add_purchases(1_000 + person, ALL, [Purchase(item, 1e9, 1e9, NOW + place, 1)])
    data = built.build()
    return distinct_people(data.person, data.item, SIZE)


def ranks(popularity: Floats) -> list[int]:
    order = np.lexsort((np.arange(SIZE), -popularity))
    return [int(place) for place in np.argsort(order)]


@given(orders, orders)
def test_n_made_up_visitors_move_a_rank_past_no_one_who_is_ahead_by_more_than_n(
    honest: Bought, made_up: Bought
) -> None:
    before, after = counts(honest, []), counts(honest, made_up)
    n = len({person for person, _ in made_up})
    assert (after - before).max(initial=0) <= n
    assert (after - before).sum() <= 5 * n
    for item, (was, now) in enumerate(zip(ranks(before), ranks(after), strict=True)):
        within = np.abs(before - before[item]) <= n
        assert abs(now - was) <= int(within.sum()) - 1


@given(orders, st.integers(1, 50))
def test_who_buys_all_day_makes_no_more_of_a_trend_than_who_buys_once(honest: Bought, often: int) -> None:
    def rising(times: int) -> Floats:
        rows = [(person, item, NOW - place * 3_600) for place, (person, item) in enumerate(honest)]
        rows += [(1_000, 0, NOW - NOW % 86_400 + each) for each in range(times)]
        person, item, at = (np.array(column) for column in zip(*rows, strict=True))
        met = once_a_day(person, item, at)
        return trending(item[met], at[met].astype(np.float64), NOW + 86_400.0, SIZE)

    assert rising(often).tolist() == rising(1).tolist()


def test_what_a_browser_says_counts_less_than_what_the_shop_says() -> None:
    built = DatasetBuilder(
        items=500, weights={"view_item": 1.0}, since=0, max_items_per_person=300, max_by_trust={1: 100, 2: 250}
    )
    for person in (1, 2, 3):
        for item in range(500):
            built.add_event(
                LoggedEvent(person, person, NOW * 1000 + item, "view_item", ALL, (Line(item),), trust=person)
            )
    data = built.build()
    assert np.bincount(data.person).tolist() == [100, 250, 300]
    assert data.item[data.person == 0].min() == 400  # the newest


async def buy(client: httpx.AsyncClient, node: Node, who: str, key: str, item: str, times: int = 1) -> int:
    """Answers of the server to a visitor who says to have bought an item, as often as they like."""
    now = node.clock.now_ms()
    events = [
        {"id": f"{who}-{item}-{number}", "name": "purchase", "ts": now - number,
         "params": {"transaction_id": f"{who}{number}", "value": 50, "items": [{"item_id": item, "quantity": 9}]}}
        for number in range(times)
    ]  # fmt: skip
    body = {"v": 1, "key": key, "anon": who.ljust(32, "x"), "session": f"s-{who}", "consent": "granted",
            "purposes": ["profile", "training", "vault.purchases"], "events": events}  # fmt: skip
    bearer = {"authorization": f"Bearer {key}"} if key.startswith("sk_") else {}
    answer = await client.post("/v1/events", content=json.dumps(body),
                               headers={"content-type": "application/json", **bearer})  # fmt: skip
    accepted = [each for each in answer.json()["results"] if each["status"] == "accepted"]
    return len(accepted)


@pytest.mark.anyio
async def test_three_made_up_visitors_with_a_thousand_orders_count_as_three_buyers(tmp_path: Path) -> None:
    async with open_shop(tmp_path, privacy=LEARN) as node:
        secret = await node.keys.create_api_key("server", now=0)
        public = next(key.shown for key in node.keys.api_keys() if key.kind == "public")
        async with httpx.AsyncClient(transport=httpx.ASGITransport(create_app(node)), base_url="http://shop") as client:
            for place, buyers in enumerate((9, 6, 4, 1)):
                for buyer in range(buyers):
                    assert await buy(client, node, f"honest-{place}-{buyer}", secret, f"S{place}") == 1
            for fake in range(3):
                assert await buy(client, node, f"fake-{fake}", public, "S3", times=300) > 100
    config = parse_config({"privacy": LEARN})
    data, _ = await asyncio.to_thread(read_dataset, config, tmp_path / "data", np.zeros(len(ITEMS), np.bool_), Clock())
    popularity = distinct_people(data.person[data.bought], data.item[data.bought], len(ITEMS))
    assert popularity[:4].tolist() == [9, 6, 4, 4]
    assert np.bincount(data.person).max() <= config.training.max_items_browser
