import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from app.features.visitor import read_profile
from store.clock import Clock
from store.records import Purpose
from tests.ingest_under_load import PEOPLE, numbered, visitor
from tests.open_shop import EVERYTHING, logged, open_shop, outcomes, row, send

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).parent.parent


def killed_after(acknowledgements: int, folder: Path, base_ms: int) -> list[int]:
    """What the node acknowledged until SIGKILL reached it."""
    command = [sys.executable, str(ROOT / "tests/ingest_under_load.py"), str(folder), str(base_ms)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(acknowledgements)]
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.readlines()
    return [int(line) for line in lines if line.endswith("\n")]


async def test_every_acknowledged_event_survives_sigkill_and_counts_once(tmp_path: Path) -> None:
    base_ms = Clock().now_ms()
    acknowledged = killed_after(150, tmp_path, base_ms)
    assert len(acknowledged) >= 150
    async with open_shop(tmp_path) as node:
        for number in acknowledged:
            assert outcomes(await send(node, numbered(number, base_ms))) == ["duplicate", "duplicate"]
        await node.intake.until_vaulted()
        assert node.log.waiting(0, 1) == []
        events = await logged(node)
        bought = 0
        for each in range(PEOPLE):
            known = row(node, "anon", visitor(each))
            assert known is not None
            mine = [event.name for event in events if event.person == known.surrogate]
            purchases = node.vault.read(known.surrogate, Purpose.PURCHASES, EVERYTHING) or []
            assert len(purchases) == len({line.price for line in purchases}) == mine.count("purchase")
            views = node.config.features.weights.view_item * mine.count("view_item")
            weights = [weight for weight, _ in read_profile(known.profile).items.values()]
            assert sum(weights) == pytest.approx(views, rel=1e-3)
            bought += len(purchases)
        assert len(events) == 2 * bought
        assert bought >= len(acknowledged)
        assert node.person.position("features") == node.log.head()
