"""A scratch node for one data set: imports it, trains on it, serves it as a process of its own, and asks it over HTTP."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from app.jobs import program

PROFILE = Path(__file__).with_name("quality.toml")


class QualityFailed(Exception):
    """A step of the run failed; the message holds what the step said."""


class Shop:
    """A served data set. One keep-alive connection."""

    def __init__(self, address: str, key: str, process: subprocess.Popen[str]) -> None:
        self._connection = http.client.HTTPConnection(address, timeout=30)
        self._headers = {"content-type": "application/json", "authorization": f"Bearer {key}"}
        self._process = process

    def ask(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """POST and the decoded answer. Raises QualityFailed for anything but 200."""
        self._connection.request("POST", path, json.dumps(body), self._headers)
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise QualityFailed(f"{path}: {answer.status} {content[:300].decode(errors='replace')}")
        decoded: dict[str, Any] = json.loads(content)
        return decoded

    def recommend(self, placement: str, visitor: dict[str, Any], *, limit: int, **more: Any) -> list[str]:
        """Item ids of one list; `more` goes into the request's list (`exclude`) and context (`viewed`)."""
        context = {name: more.pop(name) for name in ("viewed", "item", "cart", "region") if name in more}
        body = {
            "visitor": visitor,
            "context": context,
            "requests": [{"placement": placement, "limit": limit, **more}],
            "dry_run": True,
        }
        (result,) = self.ask("/v1/recommendations", body)["results"]
        return [item["id"] for item in result["items"]]

    def search(self, query: str, visitor: dict[str, Any], *, limit: int) -> list[str]:
        body = {"query": query, "visitor": visitor, "limit": limit, "dry_run": True}
        return [item["id"] for item in self.ask("/v1/search", body)["items"]]

    def memory_mb(self) -> float:
        """The most resident memory the server ever had, in MB (Linux; 0 elsewhere)."""
        try:
            status = Path(f"/proc/{self._process.pid}/status").read_text()
        except OSError:
            return 0.0
        return int(status.split("VmHWM:")[1].split()[0]) / 1024


def prepare(folder: Path, mapping: str, data: Path, *, until: str = "") -> None:
    """Import and train in a fresh folder, as a person would: by the program's own commands."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copyfile(PROFILE, folder / "personalize.toml")
    personalize(folder, "import", mapping, str(data), "--quiet", *(("--until", until) if until else ()))
    personalize(folder, "train", "--quiet")


def personalize(folder: Path, *arguments: str) -> str:
    """Run one command of the program on the folder's node; what it printed. Raises QualityFailed."""
    done = subprocess.run(
        [*program(), "-c", str(folder / "personalize.toml"), *arguments],
        capture_output=True, text=True, env=_one_thread(), check=False,
    )  # fmt: skip
    if done.returncode:
        raise QualityFailed(f"personalize {' '.join(arguments)}: {(done.stderr or done.stdout).strip()[-600:]}")
    return done.stdout


@contextmanager
def served(folder: Path) -> Iterator[Shop]:
    """The folder's node as a running server."""
    key = personalize(folder, "keys", "create", "server").strip().splitlines()[-1]
    process = subprocess.Popen(
        [*program(), "-c", str(folder / "personalize.toml"), "serve"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=_one_thread(),
    )  # fmt: skip
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if "http://" not in line:
            raise QualityFailed(f"the server did not start: {line.strip() or process.wait()}")
        yield Shop(line.rsplit("http://", 1)[1].strip(), key, process)
    finally:
        process.terminate()
        process.wait(timeout=30)


def _one_thread() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

