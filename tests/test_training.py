import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from app.config import Config, parse_config
from app.jobs import SOON, first_training_in, train_on_schedule, watch_generations
from app.learning.card import readable
from app.learning.runs import runs
from app.learning.train import NothingToLearn, only_trainer, train
from app.node import open_node
from store.generation import current, generations, load_generation
from tests.open_shop import ITEMS, batch, event, send
from tests.trained_shop import BEGAN, DAY, EXACT, SMALL, clicks, shop, trained
from tests.waiting import until

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).parent.parent
TOML = """
[privacy]
learned = "exact"
[training]
dimensions = 8
iterations = 2
content_dimensions = 8
every_hours = 0.0001
"""


async def test_a_training_publishes_what_it_learned(tmp_path: Path) -> None:
    async with shop(tmp_path) as node:
        for number in range(30):
            await clicks(node, f"shopper {number}", f"S{number % 4}", f"S{number % 3 + 4}", buys=f"S{number % 5}")
        card = await trained(node)
        assert (card["people"], card["interactions"], card["items"]) == (30, 90, len(ITEMS))
        assert node.generations.take_over()
        assert node.model.id == card["id"] == current(node.folder / "generations")
        for array in (node.model.popularity(""), node.model.trending(""), node.model.item_vectors):
            assert array is not None
            assert np.isfinite(array).all()
        popularity = node.model.popularity("")
        assert popularity is not None
        assert popularity[:6].tolist() == [6, 6, 6, 6, 6, 0]
        assert node.model.neighbours is not None
        assert node.model.session_scores(np.array([0], np.int32), 5)[0].size


async def test_vectors_that_say_nothing_are_left_out_and_it_is_said(tmp_path: Path) -> None:
    async with shop(tmp_path, training={**SMALL, "regularization": 50.0}) as node:
        for number in range(30):
            await clicks(node, f"shopper {number}", f"S{number % 4}", f"S{number % 3 + 4}", buys=f"S{number % 5}")
        card = await trained(node)
        assert "regularization = 50 shrank them away" in card["vectors_left_out"]
        assert "of 30 people left nothing of the item vectors" in readable(card)
        assert "shrank them away" in runs(node.folder / "generations")[0].sentence()
        assert node.generations.take_over()
        assert node.model.item_vectors is None
        assert node.model.popularity("") is not None


async def test_only_who_agrees_now_is_learned_from(tmp_path: Path) -> None:
    async with shop(tmp_path) as node:
        await clicks(node, "agrees", "S1", "S2", buys="S3")
        await clicks(node, "keeps the vault shut", "S1", buys="S3", purposes=[])
        await clicks(node, "agreed to the visit only", "S4", consent="session")
        await clicks(node, "said no", "S5", consent="denied")
        await clicks(node, "changes their mind", "S6", buys="S6")
        withdrawal = batch(event(node, "consent_update", "w"), consent="denied", anon=None, user="changes their mind")
        await send(node, withdrawal, kind="server")
        assert (await trained(node))["interactions"] == 3 + 1


async def test_a_decision_too_old_to_be_trusted_is_a_no(tmp_path: Path) -> None:
    policy = {"default": {"record_days": 100}}
    async with shop(tmp_path, consent=policy) as node:
        await clicks(node, "long ago", "S1")
        node.clock.observe((BEGAN + 99 * DAY) * 1000)
        await clicks(node, "lately", "S2")
        assert (await trained(node))["people"] == 2
        node.clock.observe((BEGAN + 101 * DAY) * 1000)
        await clicks(node, "today", "S3")
        assert (await trained(node))["people"] == 2


async def test_a_shop_that_stops_learning_across_people_learns_from_nobody(tmp_path: Path) -> None:
    async with shop(tmp_path, consent={"default": {"training": "off"}}) as node:
        await clicks(node, "ann", "S1", buys="S2")
        assert (await trained(node))["people"] == 0


async def test_switched_off_only_the_catalogue_is_learned(tmp_path: Path) -> None:
    async with shop(tmp_path, privacy={"learned": "off"}) as node:
        await clicks(node, "ann", "S1", "S2", buys="S3")
        card = await trained(node)
        assert (card["learned"], card["people"], card["interactions"]) == ("off", 0, 0)
        stored = load_generation(node.folder / "generations", card["id"])
        assert {name.partition(".")[0] for name in stored.arrays} == {"content", "segments"}
        node.generations.take_over()
        assert node.model.popularity("") is None


async def test_an_empty_shop_is_told_what_is_missing(tmp_path: Path) -> None:
    config = parse_config(EXACT)
    with pytest.raises(NothingToLearn, match="holds no shop yet"):
        await asyncio.to_thread(train, config, tmp_path / "personalize.toml", print)
    async with open_node(config, tmp_path / "personalize.toml") as node:
        with pytest.raises(NothingToLearn, match="the catalogue is empty"):
            await trained(node)


async def test_one_training_at_a_time(tmp_path: Path) -> None:
    async with shop(tmp_path) as node:
        with only_trainer(node.folder / "generations"), pytest.raises(NothingToLearn, match="another training"):
            await trained(node)
        assert (await trained(node))["items"] == len(ITEMS)


async def test_old_generations_make_room(tmp_path: Path) -> None:
    async with shop(tmp_path, training={**SMALL, "keep_generations": 2}) as node:
        names = [(await trained(node))["id"] for _ in range(4)]
        assert generations(node.folder / "generations") == names[2:]


async def test_a_killed_training_leaves_the_generation_before_it(tmp_path: Path) -> None:
    (tmp_path / "personalize.toml").write_text(TOML)
    async with shop(tmp_path, node={}) as node:
        before = (await trained(node))["id"]
        home = node.folder / "generations"
        lock = home / "training.lock"
        lock.unlink()
        command = [sys.executable, "-m", "app", "-c", str(tmp_path / "personalize.toml"), "train", "--quiet"]
        child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)  # noqa: ASYNC220  nothing else runs here
        try:
            await until(lock.exists)
        finally:
            child.send_signal(signal.SIGKILL)
            child.wait()
        assert child.returncode == -signal.SIGKILL
        assert current(home) == before
        assert load_generation(home, before).id == before
        after = (await trained(node))["id"]
        assert current(home) == after != before
        assert {path.name for path in home.iterdir()} == {"training.lock", "runs.json", "current", before, after}


async def test_the_schedule_trains_in_a_process_of_its_own_and_the_server_takes_over(tmp_path: Path) -> None:
    (tmp_path / "personalize.toml").write_text(TOML)
    async with shop(tmp_path, node={}, training={**SMALL, "every_hours": 0.0001}) as node:
        await clicks(node, "ann", "S1", "S2")
        async with asyncio.TaskGroup() as group:
            jobs = [group.create_task(train_on_schedule(node)), group.create_task(watch_generations(node, 0.01))]
            await until(lambda: node.model.id)
            await until(lambda: 'training_runs_total{outcome="published"}' in node.metrics.text().decode())
            for job in jobs:
                job.cancel()
        assert node.model.neighbours is not None


async def test_a_restart_does_not_put_the_next_training_off(tmp_path: Path) -> None:
    every = {**SMALL, "every_hours": 6}
    async with shop(tmp_path, training=every) as node:
        assert first_training_in(node) == SOON
        await clicks(node, "ann", "S1")
        await trained(node)
        node.generations.take_over()
        assert first_training_in(node) == 6 * 3600
        node.clock.observe((BEGAN + 4 * 3600) * 1000)
        assert first_training_in(node) == 2 * 3600
        node.clock.observe((BEGAN + 9 * 3600) * 1000)
        assert first_training_in(node) == SOON


def test_the_shipped_schedule_trains_several_times_a_day() -> None:
    assert 0 < Config().training.every_hours <= 8
