"""A scratch node for one data set: imports it, trains on it, serves it as its own process, and asks it over HTTP."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, NamedTuple, TextIO

from app.program import program

KILOBYTES_PER_MB = 1024
PROFILE = Path(__file__).with_name("quality.toml")


class QualityFailed(Exception):
    """A step of the run failed; the message holds what the step said."""


class Shop:
    """A served data set. One keep-alive connection."""

    def __init__(self, address: str, key: str, process: subprocess.Popen[str], errors: TextIO) -> None:
        self._connection = http.client.HTTPConnection(address, timeout=30)
        self._headers = {"content-type": "application/json", "authorization": f"Bearer {key}"}
        self._process = process
        self._errors = errors

    def ask(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """POST and the decoded answer. Raises QualityFailed for anything but 200."""
        try:
            self._connection.request("POST", path, json.dumps(body), self._headers)
            answer = self._connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise QualityFailed(f"{path}: the server went away ({error!r}): {self._last_words()}") from error
        if answer.status != 200:
            raise QualityFailed(f"{path}: {answer.status} {content[:300].decode(errors='replace')}")
        decoded: dict[str, Any] = json.loads(content)
        return decoded

    def recommend(
        self, placement: str, visitor: dict[str, Any], *, limit: int, exclude: Sequence[str] = (),
        viewed: Sequence[str] = (),
    ) -> list[str]:  # fmt: skip
        """Item ids of one list, without the excluded; `viewed` are the items of this visit."""
        body = {
            "visitor": visitor,
            "context": {"viewed": list(viewed)},
            "requests": [{"placement": placement, "limit": limit, "exclude": list(exclude)}],
            "dry_run": True,
        }
        (result,) = self.ask("/v1/recommendations", body)["results"]
        return [item["id"] for item in result["items"]]

    def search(self, query: str, visitor: dict[str, Any], *, limit: int) -> list[str]:
        body = {"query": query, "visitor": visitor, "limit": limit, "dry_run": True}
        return [item["id"] for item in self.ask("/v1/search", body)["items"]]

    def _last_words(self) -> str:
        self._errors.seek(0)
        return self._errors.read()[-2000:] or "it said nothing"

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()

    def memory_mb(self) -> float:
        """The most resident memory the server ever had, in MB (Linux; 0 elsewhere)."""
        try:
            status = Path(f"/proc/{self._process.pid}/status").read_text()
        except OSError:
            return 0.0
        return int(status.split("VmHWM:")[1].split()[0]) / 1024


def prepare(folder: Path, mapping: str, data: Path, *, until: str = "", before_training: Path | None = None) -> float:
    """Import and train in a fresh folder, as a person would: by the program's own commands. Their peak memory in MB.

    `before_training`: where a copy of the folder goes in between, to be trained in another way.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copyfile(PROFILE, folder / "personalize.toml")
    imported = personalize(folder, "import", mapping, str(data), "--quiet", *(("--until", until) if until else ()))
    if before_training is not None:
        shutil.copytree(folder, before_training)
    trained = personalize(folder, "train", "--quiet")
    return max(imported.memory_mb, trained.memory_mb)


class Done(NamedTuple):
    """A command that went well."""

    printed: str
    memory_mb: float
    """The most resident memory it had."""


def personalize(folder: Path, *arguments: str) -> Done:
    """Run one command of the program on the folder's node. Raises QualityFailed."""
    command = [*program(), "-c", str(folder / "personalize.toml"), *arguments]
    with TemporaryFile("w+") as said:
        process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT, text=True, env=_one_thread())
        # wait4 alone tells what this one process took.
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        printed = said.read()
    if process.returncode:
        raise QualityFailed(f"personalize {' '.join(arguments)}: {printed.strip()[-600:]}")
    return Done(printed, used.ru_maxrss / KILOBYTES_PER_MB)


@contextmanager
def served(folder: Path) -> Iterator[Shop]:
    """The folder's node as a running server."""
    key = personalize(folder, "keys", "create", "server").printed.strip().splitlines()[-1]
    command = [*program(), "-c", str(folder / "personalize.toml"), "serve"]
    with (
        TemporaryFile("w+") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=_one_thread()) as process,
    ):
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            if "http://" not in line:
                raise QualityFailed(f"the server did not start: {line.strip() or process.wait()}")
            with closing(Shop(line.rsplit("http://", 1)[1].strip(), key, process, errors)) as shop:
                yield shop
        finally:
            process.terminate()
            process.wait(timeout=30)


def _one_thread() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
