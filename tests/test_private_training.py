"""Trainings under differential privacy and with a threshold: what they read, release, publish and refuse."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from app.learning.artefacts import CATALOGUE, EXACT_ONLY, MADE_OF, Unpaid, artefact, check_paid
from app.learning.memory import Memory, recall
from app.learning.release import open_door
from app.node import Node
from store.budget import read_budget
from store.faults import DatabaseUnreadable, LedgerLost, StoreFault
from store.generation import StoredGeneration, current, load_generation
from tests.trained_shop import BEGAN, DAY, SMALL, clicks, shop, trained

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).parent.parent
CROWD = 240
LOUD: dict[str, Any] = {"learned": "dp", "epsilon": 300.0, "first_share": 0.5}
"""So much that twelve products show through the noise of a test's crowd."""
QUIET = {**SMALL, "judged_people": 0}


async def crowd(node: Node, people: int = CROWD, *, day: int = 0) -> None:
    """Everyone views two products of a kind and buys the first: S0 is wanted most, S1 less, S2 least of the three."""
    node.clock.observe((BEGAN + day * DAY) * 1000)
    for number in range(people):
        kind = (0, 0, 0, 1, 1, 2)[number % 6]
        await clicks(node, f"shopper {number} {day}", f"S{kind}", f"S{kind + 3}", buys=f"S{kind}", region="DE")


def stored(node: Node) -> StoredGeneration:
    home = node.folder / "generations"
    published = current(home)
    assert published is not None
    return load_generation(home, published)


def popularity(node: Node) -> NDArray[Any]:
    found: NDArray[Any] = stored(node).arrays["popularity"]
    return found


async def test_what_many_want_is_learned_and_every_release_is_in_the_ledger(tmp_path: Path) -> None:
    async with shop(tmp_path, privacy=LOUD, training=QUIET) as node:
        await crowd(node)
        card = await trained(node)
        wanted = popularity(node)
        assert wanted[0] > wanted[1] > wanted[2] > wanted[7:].max(initial=0)
        assert {artefact(name) for name in stored(node).arrays} <= set(MADE_OF)
        assert "neighbours.data" in stored(node).arrays
        assert node.generations.take_over()
        assert node.model.session_scores(np.array([0], np.int32), 3)[0].tolist()[0] == 3
        with read_budget(node.folder) as ledger:
            assert ledger is not None
            (run,) = ledger.runs(1)
            assert run.generation == card["id"] == stored(node).id
            named = {debit.name for debit in ledger.debits(1)}
            assert (
                named
                == set(card["privacy"]["releases"])
                == {
                    "people.all",
                    "counts.items",
                    "segments.sizes",
                    *(f"vectors.{sums}" for sums in ("people", "left", "right")),
                }
                | {f"pairs.{kind}.{level}" for kind in ("near", "together") for level in ("groups", "items")}
            )
            assert card["privacy"]["spent"] == pytest.approx(ledger.spent(1), rel=1e-3)
        assert abs(card["people"] - CROWD) < CROWD / 5
        assert card["interactions"] is None


async def test_a_second_training_of_the_day_reads_nobody_spends_nothing_and_says_the_same(tmp_path: Path) -> None:
    async with shop(tmp_path, privacy=LOUD, training=QUIET) as node:
        await crowd(node)
        await trained(node)
        before = popularity(node)
        await crowd(node, 60)
        card = await trained(node)
        assert np.array_equal(popularity(node), before)
        assert card["privacy"]["releases"] == []
        assert "today's share was spent" in card["privacy"]["why"]
        with read_budget(node.folder) as ledger:
            assert ledger is not None
            assert len({debit.run for debit in ledger.debits(1)}) == 1


async def test_the_next_day_spends_its_share_of_what_is_left(tmp_path: Path) -> None:
    async with shop(tmp_path, privacy=LOUD, training=QUIET) as node:
        await crowd(node)
        first = (await trained(node))["privacy"]["spent"]
        await crowd(node, 60, day=1)
        second = (await trained(node))["privacy"]["spent"]
        # Half at first, then one of the 29 days left; of either 92 hundredths, as nothing is judged.
        assert (second - first) / first == pytest.approx(1.08 / 29, rel=0.1)


async def test_two_trainings_on_the_same_data_differ(tmp_path: Path) -> None:
    found = []
    for name in ("one", "other"):
        async with shop(tmp_path / name, privacy=LOUD, training=QUIET) as node:
            await crowd(node)
            await trained(node)
            found.append(popularity(node))
    assert not np.array_equal(found[0], found[1])


async def test_of_few_people_nothing_is_released_but_about_how_many_there_are(tmp_path: Path) -> None:
    async with shop(tmp_path, privacy=LOUD, training=QUIET) as node:
        for people in (0, 1):
            await crowd(node, people, day=people)
            card = await trained(node)
            assert card["privacy"]["releases"] == ["people.all"]
            assert "fewer than 100 people" in card["too_few"]
            assert {artefact(name) for name in stored(node).arrays} == {"content", "segments"}


async def test_past_the_budget_a_run_is_refused_with_the_arithmetic_and_refreshes_what_is_free(tmp_path: Path) -> None:
    async with shop(tmp_path, privacy=LOUD, training=QUIET) as node:
        await crowd(node)
        await trained(node)
    lower = {**LOUD, "epsilon": 100.0}
    async with shop(tmp_path, privacy=lower, training=QUIET) as node:
        before = popularity(node)
        await crowd(node, 60, day=2)
        card = await trained(node)
        assert "the window's budget is spent (μ² = " in card["privacy"]["why"]
        assert card["privacy"]["releases"] == []
        assert np.array_equal(popularity(node), before)


async def test_a_release_the_budget_does_not_allow_is_left_out_and_the_rest_is_published(tmp_path: Path) -> None:
    none_for_pairs = {**LOUD, "shares": {"people": 0.1, "counts": 0.9}}
    async with shop(tmp_path, privacy=none_for_pairs, training=QUIET) as node:
        await crowd(node)
        card = await trained(node)
        assert card["privacy"]["releases"] == ["counts.items", "people.all"]
        assert {artefact(name) for name in stored(node).arrays} == {
                "content", "popularity", "segments", "selling_now", "trending",
            }  # fmt: skip


async def test_a_new_window_reads_only_what_came_since(tmp_path: Path) -> None:
    async with shop(tmp_path, privacy=LOUD, training=QUIET) as node:
        await crowd(node)
        await trained(node)
        await crowd(node, 120, day=31)
        card = await trained(node)
        assert card["privacy"]["window"] == 2
        with read_budget(node.folder) as ledger:
            assert ledger is not None
            assert ledger.window(node.clock.now(), 30) == (2, BEGAN + 31 * DAY, BEGAN)


async def test_a_ledger_without_the_debit_of_a_release_stops_the_training(tmp_path: Path) -> None:
    async with shop(tmp_path, privacy=LOUD, training=QUIET) as node:
        await crowd(node)
        card = await trained(node)
        with open_door(node.folder, node.config, node.clock.now()) as door:
            door.ledger._connection.execute("DELETE FROM debits WHERE name = 'counts.items'")
        with pytest.raises(LedgerLost, match=r"no debit for 'counts.items' of run 1"):
            await trained(node)
        (node.folder / "budget.db").unlink()
        with pytest.raises(LedgerLost, match=r"is gone, but released.npz shows"):
            await trained(node)
        assert stored(node).id == card["id"], "the old generation serves"


async def test_a_ledger_that_cannot_be_written_stops_the_training(tmp_path: Path) -> None:
    async with shop(tmp_path, privacy=LOUD, training=QUIET) as node:
        await crowd(node, 10)
        (node.folder / "budget.db").write_bytes(b"no database " * 1000)
        with pytest.raises(DatabaseUnreadable, match=r"budget\.db"):
            await trained(node)


async def test_what_is_remembered_is_read_or_refused(tmp_path: Path) -> None:
    memory = Memory({"people.all.at": np.asarray(5.0)}, tmp_path)
    memory.save()
    assert recall(tmp_path).arrays == memory.arrays
    (tmp_path / "released.npz").write_bytes(b"half a fi")
    with pytest.raises(DatabaseUnreadable, match=r"released\.npz"):
        recall(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(StoreFault):
        Memory({}, tmp_path / "file").save()


async def test_threshold_hides_what_fewer_than_k_people_did(tmp_path: Path) -> None:
    threshold = {"learned": "threshold", "threshold_people": 50}
    async with shop(tmp_path, privacy=threshold, training=QUIET) as node:
        await crowd(node)
        card = await trained(node)
        # 120, 80 and 40 people are behind S0, S1 and S2, as many behind their pairs with S3, S4 and S5.
        assert np.flatnonzero(popularity(node)).tolist() == [0, 1, 3, 4]
        assert popularity(node)[0] == pytest.approx(CROWD / 2, rel=1e-4)
        numbers = stored(node).arrays["neighbours.indices"]
        assert set(numbers.tolist()) == {0, 1, 3, 4}
        assert (card["people"], card["privacy"]["people_at_least"]) == (CROWD, 50)


async def test_in_exact_every_artefact_is_in_the_ledger_too(tmp_path: Path) -> None:
    async with shop(tmp_path, training=QUIET) as node:
        await crowd(node, 10)
        await trained(node)
        with read_budget(node.folder) as ledger:
            assert ledger is not None
            (run,) = ledger.runs(None)
            assert run.mode == "exact"
            assert {debit.name for debit in ledger.debits_of(run.id)} == set(stored(node).arrays)


async def test_an_artefact_nobody_listed_or_paid_for_is_not_published(tmp_path: Path) -> None:
    async with shop(tmp_path, privacy=LOUD, training=QUIET) as node:
        await crowd(node, 10)
        with open_door(node.folder, node.config, node.clock.now()) as door:
            check_paid(["content.vectors", "content.hnsw"], door, Memory())
            with pytest.raises(Unpaid, match="'horoscopes' is not listed"):
                check_paid(["horoscopes"], door, Memory())
            with pytest.raises(Unpaid, match="'sessions' is only for 'exact'"):
                check_paid(["sessions.items"], door, Memory())
            with pytest.raises(Unpaid, match=r"'popularity' is made of .*none of which is in .*budget\.db"):
                check_paid(["popularity@DE"], door, Memory())
            forged = Memory()
            forged.note_run("counts.items", door.run.id)
            with pytest.raises(Unpaid):
                check_paid(["popularity"], door, forged)


LISTED = """
import json, sqlite3, sys
from pathlib import Path

read = set()

connect = sqlite3.connect

def noted(action, table, column, database, trigger):
    if action == sqlite3.SQLITE_READ and table and not table.startswith("sqlite_"):
        read.add(table.rstrip("0123456789"))
    return sqlite3.SQLITE_OK

def watched(*arguments, **named):
    connection = connect(*arguments, **named)
    connection.set_authorizer(noted)
    return connection

sqlite3.connect = watched
from app.config import load_config
from app.learning.train import train

path = Path(sys.argv[1])
train(load_config(path), path, lambda *said: None)
print(json.dumps(sorted(read)))
"""
TABLES_READ = {
    # of people
    "profiles",  # consent in force, and in how many windows each was learned from
    "events_",
    "event_log",  # how long it is
    "purchases",  # the vault's, under training and vault.purchases
    "person_keys",  # that open it
    # of the catalogue
    "items", "shop",
    # of keys, and what was spent
    "epoch_keys", "secrets", "ring", "written_with", "applied", "suppressed", "api_keys",
    "windows", "runs", "debits",
}  # fmt: skip
ARTEFACTS = set(MADE_OF) | EXACT_ONLY


@pytest.mark.parametrize("learned", ["dp", "threshold", "exact"])
async def test_every_table_a_training_reads_and_every_artefact_it_writes_is_listed(
    tmp_path: Path, learned: str
) -> None:
    privacy = {**LOUD, "learned": learned, "threshold_people": 20}
    async with shop(tmp_path, privacy=privacy, training=QUIET) as node:
        await crowd(node)
    toml = "\n".join(
        [
            "[node]",
            'clock = "events"',
            "[privacy]",
            *(f"{name} = {value!r}" for name, value in privacy.items()),
            "[training]",
            *(f"{name} = {value!r}" for name, value in QUIET.items()),
        ]
    )
    (tmp_path / "personalize.toml").write_text(toml)
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", LISTED, str(tmp_path / "personalize.toml")],
        stdout=subprocess.PIPE, text=True, check=True, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    read = set(json.loads(done.stdout))
    assert read - TABLES_READ == set()
    assert read >= {"profiles", "events_", "purchases", "debits"}, "the list is not empty by accident"
    home = tmp_path / "data" / "generations"
    published = current(home)
    assert published is not None
    generation = load_generation(home, published)
    written = {artefact(name) for name in (*generation.arrays, *generation.paths)}
    assert written - ARTEFACTS == set()
    assert ("sessions" in written) == (learned == "exact"), "visits as they were are kept in exact only"
    assert {"content", "popularity", "neighbours"} <= written


def test_what_is_made_of_the_catalogue_alone_is_free() -> None:
    assert [name for name, made_of in MADE_OF.items() if made_of == CATALOGUE] == ["content", "segments"]


async def test_killed_between_the_debit_and_the_artefact_the_old_generation_serves(tmp_path: Path) -> None:
    async with shop(tmp_path, privacy=LOUD, training=QUIET) as node:
        await crowd(node)
    program = (
        "import os, signal, sys; from pathlib import Path; from app.config import parse_config;"
        "from app.learning.memory import Memory; from app.learning.train import train;"
        "Memory.save = lambda self: os.kill(os.getpid(), signal.SIGKILL);"
        f"config = parse_config({{'privacy': {LOUD!r}, 'training': {QUIET!r}, 'node': {{'clock': 'events'}}}});"
        "train(config, Path(sys.argv[1]), lambda *said: None)"
    )
    killed = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", program, str(tmp_path / "personalize.toml")],
        check=False, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL
    async with shop(tmp_path, privacy=LOUD, training=QUIET) as node:
        with read_budget(node.folder) as ledger:
            assert ledger is not None
            spent = ledger.spent(1)
            assert spent > 0, "spent without a release, never the other way round"
        assert not (node.folder / "released.npz").exists()
        assert current(node.folder / "generations") is None
        await crowd(node, 6, day=1)
        assert (await trained(node))["privacy"]["spent"] > spent
