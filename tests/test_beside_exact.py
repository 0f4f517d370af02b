"""What privacy costs is told of generated people alone: a real shop's is not computed, and its card says why."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from app.config import Config, parse_config
from app.demo import beside_exact as beside
from app.demo.beside_exact import PRIVATE, beside_exact, generated_people
from app.demo.mark import DemoShop, read_mark, write_mark
from app.demo.prepare import prepare
from app.demo.shoppers import CAST, generate_shoppers
from app.learning import train as training
from app.learning.card import readable
from app.learning.train import train
from app.node import open_node
from store.database import open_reader
from store.erasure import find_people
from tests.open_shop import batch, event, send
from tests.trained_shop import BEGAN, SMALL, clicks, shop

pytestmark = pytest.mark.anyio
NOW = BEGAN + 7 * 86_400
SHOPPERS = 300
SETTINGS: dict[str, Any] = {
    "node": {"data": "."}, "retention": {"raw_events_days": 100}, "pseudonyms": {"epoch_days": 120},
    "training": {**SMALL, "judged_share": 0.4}, "privacy": {"learned": "dp", "epsilon": 50.0},
}  # fmt: skip


def quietly(_step: str, _seconds: float) -> None:
    """Nobody watches."""


def never(*_: object) -> None:
    raise AssertionError("a private shop was learned from as it is")


@pytest.mark.parametrize("learned", ["dp", "threshold"])
async def test_a_real_shops_card_says_that_it_is_not_compared_and_nothing_is_learned_for_it(
    tmp_path: Path, learned: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "learn_neighbours", never)
    monkeypatch.setattr(beside, "collect", never)
    async with shop(tmp_path, privacy={"learned": learned}) as node:
        for number in range(30):
            await clicks(node, f"shopper {number}", "S1", "S2", buys="S1")
        card = await asyncio.to_thread(train, node.config, node.config_path, quietly, "shell", beside_exact)
        assert card["beside_exact"] == {"why": PRIVATE}
        assert "What privacy costs, beside the same learned as it is" in readable(card)
        # Half a generated shop is none either.
        write_mark(node.folder, DemoShop(1, NOW))
        card = await asyncio.to_thread(train, node.config, node.config_path, quietly, "shell", beside_exact)
        assert card["beside_exact"] == {"why": PRIVATE}


async def test_of_a_generated_shop_only_generated_people_are_compared(tmp_path: Path) -> None:
    config: Config = parse_config(SETTINGS)
    path = tmp_path / "personalize.toml"
    await prepare(config, path, NOW, lambda _text: None, SHOPPERS)
    made_up = generate_shoppers(read_mark(tmp_path).seed, NOW)  # type: ignore[union-attr]
    granted = [each for each in made_up[len(CAST) : SHOPPERS] if each.consent == "granted"]
    async with open_node(config, path) as node:
        catalogue = node.catalogue
        sold = [catalogue.ids[number] for number in range(3)]
        # Somebody real, and somebody who browses as one of the generated people after the shop was made.
        for number in range(5):
            looked = event(node, "view_item", f"real-{number}", sold[0])
            await send(node, batch(looked, anon=f"{number:032x}", session=f"a visit of {number}, a real one"))
        again = [event(node, "view_item", f"late-{n}", item) for n, item in enumerate(sold)]
        await send(node, batch(*again, anon=granted[0].anon, session="the visit after the shop was made"))
        names = {each.anon: node.keys.pseudonyms("anon", each.anon) for each in made_up}
        reader = open_reader(tmp_path / "person.db")
        known = {anon: {found.surrogate for found in find_people(reader, told)} for anon, told in names.items()}
        reader.close()
    card = await asyncio.to_thread(train, config, path, quietly, "shell", beside_exact)
    told = card["beside_exact"]
    assert told["metric"] == "NDCG@10"
    assert told["people"] > 5
    assert 0 <= told["popularity"] < told["exact"] <= 1
    assert 0 <= told["this"] <= 1
    plain = msgspec.structs.replace(config, privacy=msgspec.structs.replace(config.privacy, learned="exact"))
    found = await asyncio.to_thread(generated_people, plain, tmp_path, catalogue, DemoShop(20261122, NOW, True))
    people = {found.learned.surrogates[number] for number in set(found.learned.person.tolist())}
    everyone = set().union(*(known[each.anon] for each in granted))
    assert people
    assert people <= everyone
    assert not people & set().union(*(known[each.anon] for each in made_up[: len(CAST)]))
    assert found.learned.at.max() <= NOW
