import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from tests.open_shop import ANON, open_shop
from tests.people import OTHER, known, shop_for

pytestmark = pytest.mark.anyio


async def personalize(folder: Path, *words: str) -> tuple[int, str]:
    config = folder / "personalize.toml"
    config.touch()
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "app", "-c", str(config), *words,
        env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, error = await child.communicate()
    return child.returncode or 0, (out or error).decode()


async def test_the_shell_exports_and_erases_beside_a_running_server_and_without_one(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as node:
        await shop_for(node, ANON)
        await shop_for(node, OTHER)
        code, said = await personalize(tmp_path, "export", "--anon", ANON, "--out", str(tmp_path / "all.json"))
        assert code == 0, said
        told = json.loads((tmp_path / "all.json").read_text())
        assert told["known"]
        assert (tmp_path / "all.json").stat().st_mode & 0o077 == 0
        code, said = await personalize(tmp_path, "erase", "--anon", ANON)
        assert code == 0, said
        assert json.loads(said)["state"] == "verified"
        assert not known(node, ANON)
        assert known(node, OTHER)
    code, said = await personalize(tmp_path, "erase", "--anon", OTHER)
    assert code == 0, said
    assert json.loads(said)["counts"]["events"] == 3
    async with open_shop(tmp_path) as node:
        assert not known(node, OTHER)
    code, said = await personalize(tmp_path, "erase")
    assert code == 2
    assert "--user" in said
