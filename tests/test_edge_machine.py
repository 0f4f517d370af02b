"""The demo shop on a machine with one core and 512 MB, as nobody, with one folder to write to and no network."""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil  # type: ignore[import-untyped]  # ships no types
import pytest

from tests.confined import landlock
from tests.server_process import PATIENCE, ROOT, unprivileged

MEMORY_MB = 512
SERVER_MB = 200
SHOPPERS = 300


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder that is the unprivileged user's own; pytest's are closed to others."""
    with tempfile.TemporaryDirectory() as name:
        if os.geteuid() == 0:
            os.chown(name, 65534, 65534)
        yield Path(name)


def test_the_demo_lives_on_a_small_machine(folder: Path) -> None:
    program, somebody = unprivileged()
    command = [
        program[0], str(ROOT / "tests/confined.py"), str(folder), str(MEMORY_MB),
        *program, "demo", "--data", str(folder / "shop"), "--port", "0", "--shoppers", str(SHOPPERS),
    ]  # fmt: skip
    with (folder / "stderr.log").open("w") as stderr:
        process = subprocess.Popen(command, cwd="/", stdout=subprocess.PIPE, stderr=stderr, text=True, **somebody)
    try:
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if "storefront" in line:
                break
        found = re.search(r"storefront\s+(http://127\.0\.0\.1:(\d+))/demo/", said)
        assert found, said + (folder / "stderr.log").read_text()
        click_through(found[1])
        (server,) = psutil.Process(process.pid).children()
        look_at(server, int(found[2]))
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
    assert int((folder / "used").read_text()) / 1024 < MEMORY_MB, (
        "generating or training takes more than the machine has"
    )
    assert "Traceback" not in (folder / "stderr.log").read_text()


def click_through(address: str) -> None:
    with httpx.Client(base_url=address, timeout=PATIENCE) as shopper:
        assert shopper.get("/readyz").json()["problems"] == []
        assert shopper.get("/demo/").status_code == 200
        for _ in range(20):
            body: dict[str, Any] = {"requests": [{"placement": name} for name in ("home", "trending", "new")]}
            shelves = shopper.post("/v1/recommendations", json=body).json()["results"]
            assert all(shelf["items"] for shelf in shelves)
            item = shelves[0]["items"][0]["id"]
            body = {"context": {"item": item}, "requests": [{"placement": "similar"}]}
            assert shopper.post("/v1/recommendations", json=body).json()["results"][0]["items"]
        assert shopper.post("/v1/search", json={"query": "shirt"}).json()["items"]


def look_at(server: psutil.Process, port: int) -> None:
    status = Path(f"/proc/{server.pid}/status").read_text()
    (peak,) = re.findall(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    assert int(peak) / 1024 < SERVER_MB
    assert server.uids().effective != 0
    assert len(server.cpu_affinity()) == 1
    assert {connection.laddr.port for connection in server.net_connections()} == {port}


def test_it_wrote_nothing_outside_its_folder(folder: Path) -> None:
    """Landlock stopped it if it tried; here: that Landlock was there to do so, and that it does."""
    if not landlock():
        pytest.skip("this kernel has no Landlock; the demo ran as somebody who may write nowhere else")
    program, somebody = unprivileged()
    tried = "import pathlib, sys; pathlib.Path(sys.argv[1]).write_text('x')"
    confined = [program[0], str(ROOT / "tests/confined.py"), str(folder), str(MEMORY_MB)]
    for target, code in ((folder / "inside", 0), (Path(tempfile.gettempdir()) / "outside-of-it", 1)):
        done = subprocess.run(
            [*confined, program[0], "-c", tried, str(target)], cwd="/", capture_output=True, check=False, **somebody
        )
        assert done.returncode == code, done.stderr
        assert target.exists() == (code == 0)


@pytest.mark.skipif(landlock() < 4, reason="this kernel's Landlock cannot forbid connections (needs version 4)")
def test_it_had_no_way_to_connect_to_anybody(folder: Path) -> None:
    tried = "import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1])), 5)"
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = str(listening.getsockname()[1])
        confined = [sys.executable, str(ROOT / "tests/confined.py"), str(folder), str(MEMORY_MB)]
        done = subprocess.run(
            [*confined, sys.executable, "-c", tried, port], capture_output=True, text=True, check=False
        )
    assert done.returncode == 1
    assert "PermissionError" in done.stderr
