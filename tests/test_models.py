"""What was learned can be looked at, and gone back from: by command and over HTTP, while the server runs."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from app.jobs import train_on_schedule, watch_generations
from app.learning import pin
from app.learning.card import readable
from app.learning.runs import REFUSED, RunLog, recorded, running, runs
from app.learning.train import NothingToLearn, only_trainer
from app.node import Node
from app.routes import create_app
from store.generation import aside, current, generations
from tests.signed_in import headers_of
from tests.trained_shop import SMALL, clicks, shop, trained
from tests.waiting import until

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).parent.parent
TOML = """
[node]
clock = "events"
[privacy]
learned = "exact"
[training]
dimensions = 8
iterations = 2
content_dimensions = 8
every_hours = 0
"""


@asynccontextmanager
async def two_generations(folder: Path) -> AsyncIterator[tuple[Node, str, str]]:
    (folder / "personalize.toml").write_text(TOML)
    async with shop(folder) as node:
        await clicks(node, "ann", "S1", "S2", buys="S3")
        first, second = (await trained(node))["id"], (await trained(node))["id"]
        node.generations.take_over()
        yield node, first, second


def home(node: Node) -> Path:
    return node.generations.folder


async def ask(node: Node, method: str, path: str, role: str = "operator") -> tuple[int, dict[str, Any]]:
    transport = httpx.ASGITransport(create_app(node))
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
        said = await client.request(method, path, headers=await headers_of(node, role))
        return said.status_code, said.json()


def command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "app", "-c", str(folder / "personalize.toml"), *arguments]
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)


async def test_a_model_card_says_what_was_learned_from_what_and_how_good_it_is(tmp_path: Path) -> None:
    async with two_generations(tmp_path) as (node, _, second):
        status, said = await ask(node, "GET", f"/v1/models/{second}")
        card = said["card"]
        assert (status, said["status"], card["id"]) == (200, "published", second)
        assert (card["people"], card["interactions"], card["items"], card["learned"]) == (1, 3, 12, "exact")
        assert card["clipping"]["interactions"] == node.config.training.max_items_per_person
        assert card["weights"]["home"]["taste"] == 1.0
        assert card["memory_mb"] > 10
        assert set(card["seconds"]) >= {"read", "item vectors", "popularity"}
        assert card["judged"]["people"] == 0
        text = readable(card, "published")
        assert text.startswith(f"generation {second} (published)\n  made 2025-06-15")
        assert "12 items, 1 people, 3 interactions" in text
        assert "home " in text


async def test_one_request_goes_back_and_no_training_undoes_it(tmp_path: Path) -> None:
    async with two_generations(tmp_path) as (node, first, second):
        status, said = await ask(node, "POST", f"/v1/models/{first}:promote")
        assert (status, said["published"], said["pinned"]["generation"]) == (200, first, first)
        assert said["pinned"]["by"] == "operator-of-the-shop"
        node.generations.take_over()
        assert node.model.id == first
        assert [(entry.actor, entry.action, entry.target) for entry in node.staff.audit.page(None, 1)] == [
            ("operator-of-the-shop", "generation promote", first)
        ]
        with pytest.raises(NothingToLearn, match=rf"{first} is pinned since .* `personalize models unpin`"):
            await trained(node)
        assert (await ask(node, "POST", "/v1/training-runs"))[0] == 409
        listed = (await ask(node, "GET", "/v1/models"))[1]
        assert [(each["id"], each["status"]) for each in listed["models"]] == [(second, "kept"), (first, "pinned")]
        assert (listed["serving"], listed["pinned"]["generation"]) == (first, first)

        assert (await ask(node, "POST", f"/v1/models/{second}:unpin"))[0] == 409
        assert (await ask(node, "POST", f"/v1/models/{first}:unpin"))[0] == 200
        third = (await trained(node))["id"]
        assert current(home(node)) == third


async def test_going_forward_again_to_the_newest_lifts_the_pin(tmp_path: Path) -> None:
    async with two_generations(tmp_path) as (node, first, second):
        await ask(node, "POST", f"/v1/models/{first}:promote")
        assert (await ask(node, "POST", f"/v1/models/{second}:promote"))[1] == {"published": second, "pinned": None}
        assert pin.pin(home(node)) is None


async def test_the_commands_do_the_same(tmp_path: Path) -> None:
    async with two_generations(tmp_path) as (node, first, second):
        said = await asyncio.to_thread(command, tmp_path, "models")
        assert said.stdout.splitlines()[0].startswith(f"{second}")
        assert "published learned: exact, 12 items, not judged" in said.stdout
        assert f"run 2, begun {'20'}" in said.stdout
        assert f"published {first}" in said.stdout
        shown = await asyncio.to_thread(command, tmp_path, "models", "show", first, "--json")
        assert json.loads(shown.stdout)["id"] == first
        promoted = await asyncio.to_thread(command, tmp_path, "models", "promote", first)
        assert f"generation {first} is pinned since" in promoted.stdout
        node.generations.take_over()
        assert node.model.id == first
        refused = await asyncio.to_thread(command, tmp_path, "train", "--quiet")
        assert refused.returncode == 1
        assert "`personalize models unpin` lets trainings publish again" in refused.stderr
        unpinned = await asyncio.to_thread(command, tmp_path, "models", "unpin")
        assert unpinned.stdout == f"generation {first} is no longer pinned\n"
        typo = await asyncio.to_thread(command, tmp_path, "models", "promote", "20990101-1")
        assert (typo.returncode, first in typo.stderr) == (1, True)


async def test_a_damaged_generation_is_listed_and_cannot_be_promoted(tmp_path: Path) -> None:
    async with two_generations(tmp_path) as (node, first, second):
        (home(node) / first / "popularity.npy").write_bytes(b"nothing of use")
        status, said = await ask(node, "POST", f"/v1/models/{first}:promote")
        assert (status, "popularity.npy" in said["detail"]) == (409, True)
        (home(node) / first / "manifest.json").write_text("{")
        entry = (await ask(node, "GET", f"/v1/models/{first}"))[1]
        assert "manifest.json" in entry["card"]["unreadable"]
        assert (current(home(node)), pin.pin(home(node))) == (second, None)


async def test_what_was_refused_can_be_promoted_all_the_same(tmp_path: Path) -> None:
    async with two_generations(tmp_path) as (node, first, second):
        aside(home(node)).mkdir()
        (home(node) / first).rename(aside(home(node)) / first)
        assert (await ask(node, "GET", f"/v1/models/{first}"))[1]["status"] == "refused"
        assert (await ask(node, "POST", f"/v1/models/{first}:promote"))[1]["pinned"]["generation"] == first
        assert set(generations(home(node))) == {first, second}
        node.generations.take_over()
        assert node.model.id == first


async def test_an_operator_trains_now_and_watches_it(tmp_path: Path) -> None:
    (tmp_path / "personalize.toml").write_text(TOML)
    async with shop(tmp_path) as node:
        await clicks(node, "ann", "S1", "S2")
        async with asyncio.TaskGroup() as group:
            jobs = [group.create_task(train_on_schedule(node)), group.create_task(watch_generations(node, 0.01))]
            assert (await ask(node, "POST", "/v1/training-runs"))[0] == 202
            assert (await ask(node, "POST", "/v1/training-runs"))[0] == 409
            await until(lambda: node.model.id)
            await until(lambda: runs(home(node))[0].outcome == "published")
            for job in jobs:
                job.cancel()
        (run,) = (await ask(node, "GET", "/v1/training-runs"))[1]["runs"]
        assert (run["by"], run["outcome"], run["done"]) == ("operator-of-the-shop", "published", 1.0)
        assert run["generation"] == node.model.id
        assert run["memory_mb"] > 10
        assert run["ended"] >= run["began"] > 1.7e9


async def test_a_second_trainer_is_told_how_far_the_first_one_is(tmp_path: Path) -> None:
    async with two_generations(tmp_path) as (node, _, _):
        with only_trainer(home(node)):
            log = RunLog(home(node), "schedule", 50)
            log.step("read", ["item vectors", "judging"])
            log.step("item vectors", ["judging"])
            at_work = running(home(node))
            assert at_work is not None
            assert 0 < at_work.done < 1
            with pytest.raises(
                NothingToLearn, match=r"another training is running \(run 3.*at 'item vectors', \d+% done"
            ):
                await trained(node)
            status, said = await ask(node, "POST", "/v1/training-runs")
            assert (status, "run 3" in said["detail"]) == (409, True)


async def test_a_killed_trainer_is_told_and_the_old_generation_serves(tmp_path: Path) -> None:
    async with two_generations(tmp_path) as (node, _, second):
        line = [sys.executable, "-m", "app", "-c", str(tmp_path / "personalize.toml"), "train", "--quiet"]
        child = subprocess.Popen(line, cwd=ROOT, stdout=subprocess.DEVNULL)  # noqa: ASYNC220
        await until(lambda: running(home(node)) is not None)
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        dead = runs(home(node))[0]
        assert (dead.number, dead.outcome) == (3, "died")
        assert "killed, or out of memory" in dead.sentence()
        assert not node.generations.take_over()
        assert node.model.id == second == current(home(node))
        assert (await trained(node))["id"] == current(home(node))
        assert [(run.number, run.outcome) for run in runs(home(node))[:2]] == [(4, "published"), (3, "died")]


async def test_a_failed_training_is_remembered_with_what_went_wrong(tmp_path: Path) -> None:
    async with two_generations(tmp_path) as (node, _, _):
        with pytest.raises(ZeroDivisionError), recorded(home(node), "shell", 3) as log:  # noqa: PT012
            log.step("read", [])
            1 / 0  # noqa: B018
        assert runs(home(node))[0].sentence().endswith("by shell: failed at 'read': division by zero")
        assert len(runs(home(node))) == 3


async def test_a_training_that_needs_more_memory_than_it_may_have_says_so(tmp_path: Path) -> None:
    async with two_generations(tmp_path) as (node, _, second):
        (tmp_path / "personalize.toml").write_text(TOML + "memory_mb = 20\n")
        said = await asyncio.to_thread(command, tmp_path, "train", "--quiet")
        assert said.returncode == 1
        assert "[training] memory_mb = 20" in said.stderr
        assert "Traceback" not in said.stderr
        assert current(home(node)) == second


async def test_a_pin_counts_only_for_what_is_published(tmp_path: Path) -> None:
    async with two_generations(tmp_path) as (node, first, second):
        (home(node) / "pinned").write_bytes(msgspec.json.encode(pin.Pin(first, "ada", 0)))
        assert pin.pin(home(node)) is None
        (home(node) / "pinned").write_bytes(b"half of it")
        assert pin.pin(home(node)) is None
        assert (await trained(node))["id"] not in (first, second)


def test_the_exit_code_of_a_refusal_is_none_that_python_uses() -> None:
    assert REFUSED not in (0, 1, 2)
    assert SMALL["every_hours"] == 0
