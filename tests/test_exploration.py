"""New items get a bounded share of the slots, more of it where they are liked, each with a chance that is told."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from msgspec.structs import replace

from app.learning.off_policy import inverse_propensity, self_normalized
from app.learning.shown import PRIOR_SHOWN, ShownBuilder, smoothed
from app.node import Node
from app.routes import create_app
from plugins.contract import Candidates
from plugins.manager import Plugins, load_plugins
from store.records import Line, LoggedEvent
from tests.open_shop import ANON, ITEMS, batch, event, send
from tests.small_shop import DAY, SIZE, SmallModel, asking, small_catalogue
from tests.trained_shop import clicks, shop, trained

pytestmark = pytest.mark.anyio
CATALOGUE = small_catalogue()
NEW = list(range(12))
"""Published 0 to 11 days ago; the rest is older than two weeks from 14 on."""
RANKED = np.array([*range(20, 50), *NEW], np.int32)


def model(rates: dict[int, tuple[float, float]] | None = None) -> SmallModel:
    made = SmallModel()
    if rates is not None:
        made.click_rates = np.tile(np.array([0.05, 0.0], np.float32), (SIZE, 1))
        for item, known in rates.items():
            made.click_rates[item] = known
    return made


def explore(**options: float) -> Plugins:
    return load_plugins({"explore_new": {"share": 0.2, **options}}, None)


def drawn(plugins: Plugins, seed: int, made: SmallModel) -> dict[int, float]:
    context = asking(CATALOGUE, made, seed=seed, limit=10)
    order = plugins.arrange(Candidates(RANKED, CATALOGUE), context)
    shown = RANKED[order[:10]].tolist()
    assert {item for item in shown if item in NEW} == set(context.chances)
    return context.chances


def test_the_share_of_slots_is_bounded_and_every_draw_tells_its_chance() -> None:
    for seed in range(30):
        chances = drawn(explore(), seed, model())
        assert len(chances) == 2
        first, second = chances.values()
        assert first == pytest.approx(1 / 12)
        assert second == pytest.approx(1 / 11)


def test_the_chances_that_are_told_are_the_ones_that_are_drawn_with() -> None:
    plugins, made = explore(share=0.1), model({0: (0.2, 300), 1: (0.01, 300), 2: (0.05, 5)})
    told: dict[int, float] = {}
    counts: dict[int, int] = dict.fromkeys(NEW, 0)
    for seed in range(4000):
        for item, chance in drawn(plugins, seed, made).items():
            told[item] = chance
            counts[item] += 1
    assert set(told) == set(NEW), "every new item keeps a chance"
    assert sum(told.values()) == pytest.approx(1, abs=1e-6)
    for item in NEW:
        assert counts[item] / 4000 == pytest.approx(told[item], abs=4 * np.sqrt(told[item] / 4000))


def test_what_is_liked_or_hardly_known_is_drawn_more_often_than_what_was_left_alone() -> None:
    plugins = explore(share=0.1)
    made = model({0: (0.2, 300), 1: (0.01, 300), 2: (0.05, 0), 3: (0.05, 300)})
    told: dict[int, float] = {}
    for seed in range(2000):
        told |= drawn(plugins, seed, made)
    assert told[0] > told[3] > told[1]
    assert told[2] > told[3], "as good so far, and less is known of it"
    assert min(told.values()) >= 0.2 / 12 - 1e-9


def test_what_another_policy_would_earn_can_be_told_from_the_chances_that_were_logged() -> None:
    """Serve with rates, estimate the even policy, and compare with serving evenly."""
    truth = {item: 0.02 + 0.03 * item for item in NEW}
    random = np.random.default_rng(1)
    plugins, made = explore(share=0.1), model({item: (truth[item], 200) for item in NEW})
    items, chances = zip(*(one for seed in range(6000) for one in drawn(plugins, seed, made).items()), strict=True)
    reward = (random.random(len(items)) < [truth[item] for item in items]).astype(float)
    even = float(np.mean(list(truth.values())))
    assert reward.mean() > even + 0.02, "the policy with rates earns more than the even one"
    for estimate in (inverse_propensity, self_normalized):
        found = estimate(reward, chances, np.full(len(items), 1 / len(NEW)))
        assert abs(found.value - even) < 3 * found.error < 0.03


def test_a_person_counts_once_per_product_whatever_they_click() -> None:
    built = ShownBuilder(3)

    def told(name: str, item: int, person: int = 1, request: str = "r") -> None:
        built.add(LoggedEvent(person, 1, 0, name, 127, (Line(item),), request=request))

    for _ in range(5):
        told("view_item_list", 0, request="")
        told("select_item", 0)
    told("view_item_list", 0, person=2)
    told("select_item", 1)  # never shown to them by us
    told("view_item", 0, person=2, request="")  # not from a list
    told("view_item_list", 7)
    assert built.counts().tolist() == [[2, 1], [0, 0], [0, 0]]
    assert built.counts({2}).tolist() == [[1, 0], [0, 0], [0, 0]]
    rates = smoothed(built.counts())
    assert rates[0].tolist() == pytest.approx([(1 + PRIOR_SHOWN * 0.5) / (2 + PRIOR_SHOWN), 2])
    assert rates[1].tolist() == pytest.approx([0.5, 0])


@asynccontextmanager
async def with_new_items(folder: Path, **sections: dict[str, Any]) -> AsyncIterator[Node]:
    """Eight items that were liked for a month, four that came today."""
    async with shop(folder, node={}, **sections) as node:
        month_ago = node.clock.now() - 30 * DAY
        await node.shop.put_items([replace(item, published=month_ago) for item in ITEMS[:8]], node.clock.now())
        for number in range(6):
            await clicks(node, f"shopper {number}", *(f"S{(number + step) % 8}" for step in range(5)))
        await trained(node)
        node.generations.take_over()
        yield node


async def ask(node: Node, **asked: object) -> dict[str, Any]:
    transport = httpx.ASGITransport(create_app(node))
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
        said = await client.post("/v1/recommendations", json={"requests": [{"placement": "home", "limit": 4}], **asked})
        found: dict[str, Any] = said.json()["results"][0]
        return found


async def test_click_rates_are_learned_from_attributed_clicks_only_in_exact(tmp_path: Path) -> None:
    async with with_new_items(tmp_path) as node:
        said = await ask(node, visitor={"anon": ANON, "consent": "granted"})
        first = said["items"][0]["id"]
        seen = event(node, "view_item_list", "seen", items=[{"item_id": item["id"]} for item in said["items"]])
        click = event(node, "select_item", "click", first, token=said["token"])
        await send(node, batch(seen, click))
        await trained(node)
        node.generations.take_over()
        rates = node.model.click_rates
        assert rates is not None
        assert rates[:, 1].sum() == len(said["items"])
        assert int(rates[:, 0].argmax()) == node.catalogue.number(first)
    async with shop(tmp_path, privacy={"learned": "threshold"}, node={}) as node:
        await trained(node)
        node.generations.take_over()
        assert node.model.click_rates is None


async def test_an_explained_answer_tells_the_chance_of_what_was_drawn(tmp_path: Path) -> None:
    async with with_new_items(tmp_path, plugins={"explore_new": {"share": 0.5, "first_slot": 0}}) as node:
        said = (await ask(node, explain=True))["explanation"]
        told = {item["id"]: item["chance"] for item in said["items"] if "chance" in item}
        assert set(told) == set(said["explored"])
        assert len(told) == 2
        assert set(told) <= {item.id for item in ITEMS[8:]}
        assert all(0 < chance < 1 for chance in told.values())
