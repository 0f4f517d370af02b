"""The server as a shop runs it: a process of its own, asked over a socket, stopped and killed by signals."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

ROOT = Path(__file__).parent.parent
PROGRAM = (sys.executable, "-m", "app")
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
BY_HAND = "[training]\nevery_hours = 0\n"
"""No training beside the test."""
PATIENCE = 60.0
"""Seconds for what takes one on a quiet machine."""


@dataclass
class Server:
    """A started server. `keys` are there at the first start in a folder."""

    process: subprocess.Popen[str]
    http: httpx.Client
    folder: Path
    keys: dict[str, str] = field(default_factory=dict)
    program: Sequence[str] = PROGRAM

    @property
    def address(self) -> str:
        return str(self.http.base_url).rstrip("/")

    @property
    def errors(self) -> str:
        """What it wrote to stderr."""
        return (self.folder / "stderr.log").read_text("utf-8")

    def stop(self) -> int:
        """SIGTERM, and its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(PATIENCE)

    def put(self, *items: dict[str, Any]) -> None:
        """Put products into its catalogue."""
        bearer = {"authorization": f"Bearer {self.keys['server']}"}
        said = self.http.post("/v1/items:batch", json={"items": items}, headers=bearer)
        assert said.status_code == 200, said.text


@contextmanager
def serving(folder: Path, toml: str = BY_HAND, *, program: Sequence[str] = PROGRAM, **popen: Any) -> Iterator[Server]:  # noqa: ANN401
    """A server on a free port with its data in `folder`; killed at the end where the test has not stopped it."""
    config = folder / "personalize.toml"
    config.write_text(toml, "utf-8")
    first = not (folder / "data/keys.db").exists()
    with (folder / "stderr.log").open("w") as stderr:
        process = subprocess.Popen(
            [*program, "-c", str(config), "serve", "--bind", "127.0.0.1:0"],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=stderr, text=True, env=ENVIRONMENT, **popen,
        )  # fmt: skip
    try:
        address, keys = _announced(process, 2 if first else 0)
        assert address, (folder / "stderr.log").read_text("utf-8")
        with httpx.Client(base_url=address, timeout=PATIENCE) as client:
            yield Server(process, client, folder, keys)
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def _announced(process: subprocess.Popen[str], keys_at_most: int) -> tuple[str, dict[str, str]]:
    """Address and first keys; an empty address where the process ended instead."""
    assert process.stdout is not None
    address, keys, told = "", dict[str, str](), False
    for line in process.stdout:
        if found := re.search(r"http://\S+", line):
            address = found[0]
        elif found := re.match(r"\s+(public|server)\s+(\S+)", line):
            keys[found[1]] = found[2]
        told = told or "generation" in line
        if told and len(keys) == keys_at_most:
            break
    return address, keys


NOBODY: dict[str, Any] = {"user": 65534, "group": 65534, "extra_groups": ()}
"""Popen arguments that make a child of root an unprivileged one."""


def unprivileged() -> tuple[Sequence[str], dict[str, Any]]:
    """This program and Popen arguments under which it runs as somebody who is not root; skips where root cannot."""
    if os.geteuid():
        return PROGRAM, {"env": ENVIRONMENT}
    packages = [path for path in sys.path if path.endswith("site-packages")]
    environment = {**ENVIRONMENT, "PYTHONPATH": os.pathsep.join([str(ROOT), *packages]), "HOME": "/nonexistent"}
    for python in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"):
        with contextlib.suppress(OSError):
            command = [python, "-c", "import app.serve"]
            done = subprocess.run(command, env=environment, capture_output=True, check=False, cwd="/", **NOBODY)
            if not done.returncode:
                return [python, "-m", "app"], {"env": environment, **NOBODY}
    pytest.skip("root's Python cannot be run by another user here, and there is no other of the same version")
