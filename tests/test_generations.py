import asyncio
import hashlib
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from app.jobs import watch_generations
from app.learning.model import LearnedModel
from app.learning.train import train
from app.node import Node
from app.routes import create_app
from store.beside import Stopped
from store.faults import GenerationUnreadable
from store.generation import load_generation, publish, write_generation
from store.records import Item
from tests.open_shop import ITEMS, batch, event, open_shop, send
from tests.waiting import until

pytestmark = pytest.mark.anyio
EXACT: dict[str, Any] = {
    "privacy": {"learned": "exact"},
    "training": {"dimensions": 8, "iterations": 2, "content_dimensions": 8, "every_hours": 0},
}


@asynccontextmanager
async def shop(folder: Path) -> AsyncIterator[Node]:
    """A shop with a few shoppers and one generation, which serves."""
    async with open_shop(folder, **EXACT) as node:
        for number in range(8):
            told = [event(node, "view_item", f"{number}-{n}", f"S{(number + n) % 12}") for n in range(3)]
            await send(node, batch(*told, anon=f"{number:032}", session=f"visit {number} of many"))
        if not node.model.id:
            await trained(node)
            node.generations.take_over()
        yield node


async def trained(node: Node) -> str:
    card = await asyncio.to_thread(train, node.config, node.config_path, lambda _step, _seconds: None)
    return str(card["id"])


def home(node: Node) -> Path:
    return node.folder / "generations"


def rewrite(folder: Path, name: str, array: np.ndarray) -> None:
    """Replace an array so that the manifest agrees with it: only what it says is wrong."""
    np.save(folder / f"{name}.npy", array)
    content = (folder / f"{name}.npy").read_bytes()
    manifest = json.loads((folder / "manifest.json").read_bytes())
    manifest["files"][f"{name}.npy"] |= {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content),
                                         "shape": array.shape, "dtype": array.dtype.str}  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps(manifest))


async def readiness(node: Node) -> tuple[int, dict[str, Any]]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(create_app(node)), base_url="http://shop") as client:
        said = await client.get("/readyz")
        return said.status_code, said.json()


async def test_a_damaged_generation_is_refused_and_the_one_before_serves(tmp_path: Path) -> None:
    async with shop(tmp_path) as node:
        good = node.model.id
        assert (await readiness(node))[0] == 200
        bad = await trained(node)
        path = home(node) / bad / "item_vectors.npy"
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
        assert not node.generations.take_over()
        status, said = await readiness(node)
        assert (status, said["status"], said["generation"]) == (200, "degraded", good)
        assert "item_vectors.npy: is damaged" in said["problems"][0]
        # Another training heals it.
        healed = await trained(node)
        assert node.generations.take_over()
        assert (await readiness(node))[1] == {"status": "ready", "generation": healed, "items": 12, "problems": []}


@pytest.mark.parametrize("name", ["item_vectors", "popularity", "content.vectors"])
async def test_numbers_that_are_none_never_serve(tmp_path: Path, name: str) -> None:
    async with shop(tmp_path) as node:
        good, bad = node.model.id, await trained(node)
        array = np.load(home(node) / bad / f"{name}.npy")
        array.flat[0] = np.nan
        rewrite(home(node) / bad, name, array)
        assert not node.generations.take_over()
        assert node.model.id == good
        assert re.search(f"{name} holds nan or infinity|number that is not finite", node.generations.problem)


async def test_a_generation_of_another_catalogues_size_never_serves(tmp_path: Path) -> None:
    async with shop(tmp_path) as node:
        good, bad = node.model.id, await trained(node)
        rewrite(home(node) / bad, "popularity", np.ones(3, np.float32))
        assert not node.generations.take_over()
        assert (node.model.id, "3 rows for 12 items" in node.generations.problem) == (good, True)


async def test_after_a_restart_the_newest_readable_generation_serves(tmp_path: Path) -> None:
    async with shop(tmp_path) as node:
        good, bad = node.model.id, await trained(node)
        (home(node) / bad / "manifest.json").write_text("{}")
    async with open_shop(tmp_path, **EXACT) as node:
        assert node.model.id == good
        assert "manifest.json: cannot be read" in node.left_behind()[0]


@pytest.mark.parametrize("pointer", ["", "../../etc", "20990101-1"])
async def test_a_pointer_to_nowhere_is_told_once_and_mended_by_publishing(tmp_path: Path, pointer: str) -> None:
    async with shop(tmp_path) as node:
        good = node.model.id
        (home(node) / "current").write_text(pointer)
        assert not node.generations.take_over()
        assert not node.generations.take_over()
        assert (node.model.id, len(node.left_behind())) == (good, 1)
        publish(home(node), good)
        node.generations.take_over()
        assert (node.model.id, node.problems() + node.left_behind()) == (good, [])


async def test_what_is_no_generation_cannot_be_published(tmp_path: Path) -> None:
    async with shop(tmp_path) as node:
        with pytest.raises(GenerationUnreadable):
            publish(home(node), "20990101-1")
        assert not node.generations.take_over()


async def test_before_the_first_training_the_shop_answers_all_the_same(tmp_path: Path) -> None:
    async with open_shop(tmp_path, **EXACT) as node:
        assert (node.model.id, node.model.size, node.problems() + node.left_behind()) == ("", 0, [])
        transport = httpx.ASGITransport(create_app(node))
        async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
            said = await client.post("/v1/recommendations", json={"requests": [{"placement": "home"}]})
        assert said.status_code == 200
        assert said.json()["results"][0]["items"]


async def test_a_new_model_is_swapped_in_while_requests_run(tmp_path: Path) -> None:
    async with shop(tmp_path) as node:
        transport = httpx.ASGITransport(create_app(node))
        statuses: list[int] = []
        async with (
            httpx.AsyncClient(transport=transport, base_url="http://shop") as client,
            asyncio.TaskGroup() as group,
        ):

            async def ask() -> None:
                body = {
                    "context": {"item": "S1"},
                    "requests": [{"placement": name, "limit": 5} for name in ("home", "similar", "trending")],
                }
                while True:
                    said = await client.post("/v1/recommendations", json=body)
                    statuses.append(said.status_code)
                    assert all(each["items"] for each in said.json()["results"])
                    await asyncio.sleep(0)

            jobs = [group.create_task(ask()), group.create_task(watch_generations(node, 0.001))]
            for number in range(3):
                await node.shop.put_items([Item(id=f"N{number}", title="new hat", category=("hats",))], number)
                name = await trained(node)
                await until(lambda name=name: node.model.id == name)  # type: ignore[misc]
            for job in jobs:
                job.cancel()
        assert node.model.size == len(ITEMS) + 3
        assert len(statuses) > 3
        assert set(statuses) == {200}


async def test_a_take_over_rests_piece_by_piece_and_answers_as_one_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.beside.PIECE", 16)
    monkeypatch.setattr("app.learning.model.ROWS_AT_ONCE", 2)
    async with shop(tmp_path) as node:
        name = await trained(node)
        pieces = 0

        def rest() -> None:
            nonlocal pieces
            pieces += 1

        assert node.generations.take_over(rest)
        stored = load_generation(home(node), name)
        assert pieces > sum(array.size for array in stored.arrays.values() if array.dtype.kind == "f") / 16
        at_once = LearnedModel.load(stored, node.catalogue, node.config)
        liked, weights = np.array([1, 4], np.int32), np.ones(2, np.float32)
        vector = at_once.user_vector(liked, weights)
        assert vector is not None
        assert node.model.user_vector(liked, weights) == pytest.approx(vector, rel=1e-5)
        for one, other in zip(
            node.model.nearest_by_vector(vector, 5), at_once.nearest_by_vector(vector, 5), strict=True
        ):
            assert one == pytest.approx(other, rel=1e-5)


async def test_a_take_over_is_left_where_the_server_stops(tmp_path: Path) -> None:
    async with shop(tmp_path) as node:
        good, new = node.model.id, await trained(node)

        def stopping() -> None:
            raise Stopped

        assert not node.generations.take_over(stopping)
        assert (node.model.id, node.problems() + node.left_behind()) == (good, [])
        assert node.generations.take_over()
        assert node.model.id == new


async def test_an_item_put_after_the_training_has_a_place_among_its_kind(tmp_path: Path) -> None:
    async with shop(tmp_path) as node:
        (number,) = await node.shop.put_items(
            [Item(id="N", title="green shoe", category=("shoes", "green"), brand="Alder", price=12.0)], 1.0
        )
        vectors = node.model.content_vectors(np.array([number], np.int32))
        assert vectors is not None
        near = [node.catalogue.item(int(each)).id for each in node.model.nearest_by_content(vectors[0], 5)[0]]
        assert near[0] == "N"
        assert near[1] in {"S1", "S4", "S7", "S10"}


async def test_a_generation_with_nothing_in_it_serves_as_the_empty_one(tmp_path: Path) -> None:
    async with shop(tmp_path) as node:
        write_generation(home(node), "empty", {}, {}, {"items": 0})
        publish(home(node), "empty")
        assert node.generations.take_over()
        assert (node.model.popularity(""), node.model.item_vectors) == (None, None)
