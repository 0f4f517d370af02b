"""The built one-file program does a shop's work on a machine without Python, drop-in plugins included."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import pytest
from scipy.sparse import csr_matrix, random_array

from app.learning.contributions import contributions
from app.learning.dp_als import Recipe, starting_vectors
from app.learning.engine import sums_over
from plugins.engine import InProcess
from plugins.process_pool import Pool

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.binary

# The server imports neither colorsys nor numpy.polynomial.chebyshev: a drop-in may all the same.
DROP_IN = '''
"""Show the cheapest first."""
import colorsys
from dataclasses import dataclass

import numpy as np
from numpy.polynomial import chebyshev

from plugins.contract import Candidates, Context, Floats, hookimpl


@dataclass(frozen=True)
class Plugin:
    strength: float = 1.0

    @hookimpl
    def score(self, candidates: Candidates, context: Context) -> Floats:
        price = candidates.catalogue.price[candidates.items]
        _, lightness, _ = colorsys.rgb_to_hls(1.0, 1.0, 1.0)
        return (-self.strength * lightness * chebyshev.chebval(price / 1000, [0, 1])).astype("float32")
'''
PRICES = {f"SKU{n}": 900.0 - 70 * ((n * 5) % 12) for n in range(12)}


@dataclass(frozen=True)
class Running:
    """A started program: how to ask it and how to stop it."""

    shop: httpx.Client
    process: subprocess.Popen[str]
    keys: dict[str, str]


@pytest.fixture(scope="module")
def program() -> Path:
    """dist/personalize, built anew when its sources have changed."""
    built = subprocess.run([ROOT / "tools/build_binary.sh"], capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    return ROOT / "dist/personalize"


def environment(home: Path) -> dict[str, str]:
    """Nothing of this machine's: no PATH on which a Python could be found."""
    (home / "tmp").mkdir(exist_ok=True)
    return {"PATH": "/nonexistent", "HOME": str(home), "TMPDIR": str(home / "tmp"), "LANG": "C.UTF-8"}


def run(program: Path, home: Path, *arguments: str) -> str:
    result = subprocess.run(
        [program, *arguments], cwd=home, env=environment(home), capture_output=True, text=True, check=False, timeout=120
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def stop(process: subprocess.Popen[str]) -> None:
    """SIGTERM; a program that ignores it is killed with the process it unpacked itself for, and fails the test."""
    process.terminate()
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise


@contextmanager
def serving(program: Path, home: Path, keys: dict[str, str] | None = None) -> Iterator[Running]:
    """The program serving the shop in `home` on a free port; ended when the block ends."""
    with (home / "errors.txt").open("w") as errors:
        process = subprocess.Popen(
            [program, "serve", "--bind", "127.0.0.1:0"],
            cwd=home,
            env=environment(home),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        )
    assert process.stdout is not None
    try:
        address, shown = "", dict(keys or {})
        for line in process.stdout:
            address = next(iter(re.findall(r"http://127\.0\.0\.1:\d+", line)), address)
            shown |= {key[:2]: key for key in re.findall(r"\b[ps]k_\S+", line)}
            if address and {"pk", "sk"} <= shown.keys():
                break
        assert address, (home / "errors.txt").read_text()
        with httpx.Client(base_url=address, timeout=30) as shop:
            yield Running(shop, process, shown)
    finally:
        stop(process)
        process.stdout.close()


def fill(running: Running) -> None:
    for item, price in PRICES.items():
        body = {"id": item, "title": f"Lamp {item}", "price": price, "category": ["lamps"], "brand": "Alder"}
        answer = running.shop.put(
            f"/v1/items/{item}", json=body, headers={"authorization": f"Bearer {running.keys['sk']}"}
        )
        assert answer.is_success, answer.text


def view(running: Running, items: list[str], visitor: dict[str, object]) -> list[str]:
    now = int(time.time() * 1000)  # noqa: TID251 (another process's clock is the wall's)
    events = [
        {"id": f"view-{index}", "name": "view_item", "ts": now + index, "item": item}
        for index, item in enumerate(items)
    ]
    batch = {"v": 1, "key": running.keys["pk"], "sent": now + len(items), **visitor, "events": events}
    answer = running.shop.post("/v1/events", json=batch)
    assert answer.status_code == 202, answer.text
    return [result["status"] for result in answer.json()["results"]]


def shelf(running: Running, placement: str, visitor: dict[str, object]) -> list[str]:
    question = {"key": running.keys["pk"], "visitor": visitor, "requests": [{"placement": placement, "limit": 12}]}
    answer = running.shop.post("/v1/recommendations", json=question)
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["results"][0]["items"]]


@pytest.fixture
def visitor() -> dict[str, object]:
    return {
        "anon": "0123456789abcdef0123456789abcdef",
        "session": "fedcba9876543210fedcba9876543210",
        "consent": "granted",
    }


def test_events_in_recommendations_out_and_sigterm_ends_it(
    program: Path, tmp_path: Path, visitor: dict[str, object]
) -> None:
    run(program, tmp_path, "init")
    with serving(program, tmp_path) as running:
        fill(running)
        assert shelf(running, "recently-viewed", visitor) == []
        assert view(running, ["SKU3", "SKU7"], visitor) == ["accepted", "accepted"]
        assert shelf(running, "recently-viewed", visitor) == ["SKU7", "SKU3"]
        stop(running.process)
        assert running.process.returncode == 0, (tmp_path / "errors.txt").read_text()
    # It unpacked itself there, and leaves nothing behind.
    assert list((tmp_path / "tmp").iterdir()) == []
    with serving(program, tmp_path, running.keys) as again:
        assert shelf(again, "recently-viewed", visitor) == ["SKU7", "SKU3"]
        assert view(again, ["SKU3", "SKU7"], visitor) == ["duplicate", "duplicate"]


def test_a_drop_in_changes_the_ranking_with_modules_the_server_never_imports(
    program: Path, tmp_path: Path, visitor: dict[str, object]
) -> None:
    run(program, tmp_path, "init")
    (tmp_path / "plugins.d").mkdir(exist_ok=True)
    (tmp_path / "plugins.d/cheapest_first.py").write_text(DROP_IN)
    with serving(program, tmp_path) as running:
        fill(running)
        before = shelf(running, "home", visitor)
    with (tmp_path / "personalize.toml").open("a") as configuration:
        configuration.write("\n[plugins.cheapest_first]\nstrength = 50\n")
    assert "cheapest_first" in run(program, tmp_path, "plugins")
    with serving(program, tmp_path, running.keys) as running:
        after = shelf(running, "home", visitor)
    cheapest = min(PRICES, key=PRICES.__getitem__)
    assert before[:1] not in ([], [cheapest])
    assert after[0] == cheapest


def test_workers_of_a_training_are_the_program_itself_and_add_up_to_the_same_bits(
    program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """[plugins.process_pool] workers: shards travel to processes of the program, which have no Python but their own."""
    for name, value in environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    random = np.random.default_rng(1)
    table = csr_matrix(random_array((700, 40), density=0.2, rng=random))
    people = contributions(table, random.normal(5, 10, 40), per_person=3.0, exponent=0.3)
    recipe, vectors = Recipe(dimensions=7), starting_vectors(40, 7, random)
    found = []
    for engine in (InProcess(), Pool((str(program),), workers=2, attempts=1)):
        sums = sums_over(people, recipe, engine, shard_people=90, statistics_bytes=1 << 20)
        ((_, part),) = sums(vectors)
        found.append([array.tobytes() for array in (part.gram, part.left, part.right)])
        engine.close()
    assert found[0] == found[1]
    assert list((tmp_path / "tmp").iterdir()) == [], "what the workers unpacked is gone"


def test_the_program_audits_what_it_would_release(program: Path, tmp_path: Path) -> None:
    run(program, tmp_path, "init")
    found = {audited["release"]: audited for audited in json.loads(run(program, tmp_path, "audit", "--json"))}
    assert len(found) >= 3
    for audited in found.values():  # of whoever did too much it may prove nothing: they are found no more easily
        assert (0 if audited["bounding"] else 1) <= audited["at_least"] <= audited["claimed"]
    assert found["item vectors"]["at_least"] >= 4, "half of the ε = 8 that is claimed"
    assert "by the published vectors alone" in run(program, tmp_path, "audit", "--canaries", "1000")
    assert not list(tmp_path.rglob("budget*.db")), "a ledger of its own, which is thrown away"


def test_the_program_proves_itself(program: Path, tmp_path: Path) -> None:
    run(program, tmp_path, "init")
    run(program, tmp_path, "selftest")
