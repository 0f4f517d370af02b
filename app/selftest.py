"""`personalize selftest`: this very installation makes a small shop, serves it, is killed, comes back, and stops."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from app.demo import generate_catalogue
from app.program import program
from store.clock import Clock

ITEMS = 300
DROP_IN = '''"""A drop-in of the self-test: uses modules the server itself never imports."""

import colorsys
from dataclasses import dataclass

import numpy as np
from numpy.polynomial import chebyshev

from plugins.contract import Candidates, Floats, hookimpl


@dataclass(frozen=True)
class Plugin:
    weight: float = 1.0

    @hookimpl
    def score(self, candidates: Candidates) -> Floats:
        hue, _, _ = colorsys.rgb_to_hls(0.2, 0.4, 0.4)
        return (self.weight * chebyshev.chebval(np.linspace(0, hue, len(candidates)), [0, 1])).astype(np.float32)
'''
CONFIG = """
[server]
bind = "127.0.0.1:0"

[plugins]
standard = true

[plugins.selftest_drop_in]
weight = 0.01
"""


class SelfTestFailed(Exception):
    """A step did not do what it should; the message says which and what came instead."""


@dataclass
class Server:
    """A running server of this program, and what is needed to talk to it."""

    process: subprocess.Popen[str]
    connection: HTTPConnection
    public: str
    server: str

    def ask(self, method: str, path: str, body: object = None, expect: int = 200) -> Any:  # noqa: ANN401  any JSON
        """The decoded answer. Raises SelfTestFailed for another status."""
        headers = {"content-type": "application/json", "authorization": f"Bearer {self.server}"}
        self.connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = self.connection.getresponse()
        content = answer.read()
        if answer.status != expect:
            raise SelfTestFailed(f"{method} {path}: {answer.status} {content[:200].decode(errors='replace')}")
        return json.loads(content) if content else None


def run(folder: Path, said: Callable[[str], None]) -> None:
    """Every step in `folder` (empty, writable). Raises SelfTestFailed at the first that fails."""
    (folder / "plugins.d").mkdir()
    (folder / "plugins.d" / "selftest_drop_in.py").write_text(DROP_IN)
    config = folder / "personalize.toml"
    config.write_text(CONFIG)
    personalize(config, "check")
    said("configuration and drop-in plugin load")
    visitor, batch = _visitor()
    with _serving(config) as server:
        _serve_a_shop(server, visitor, batch, said)
        os.killpg(server.process.pid, signal.SIGKILL)
        server.process.wait()
    with _serving(config) as server:
        repeated = server.ask("POST", "/v1/events", batch | {"key": server.public}, expect=202)
        _expect(
            {result["status"] for result in repeated["results"]} == {"duplicate"},
            "killed: events counted once",
            repeated,
        )
        seen = server.ask("POST", "/v1/recommendations", _request("recently-viewed", visitor))
        _expect(len(_ids(seen)) == 3, "killed: what was acknowledged is there", seen)
        said("kill -9 lost nothing that was acknowledged")
        server.process.terminate()
        _expect(server.process.wait(timeout=30) == 0, "SIGTERM", "another exit code than 0")
        said("SIGTERM stops it")


def _serve_a_shop(server: Server, visitor: dict[str, str], batch: dict[str, Any], said: Callable[[str], None]) -> None:
    items = generate_catalogue(1, int(Clock().now()))[:ITEMS]
    server.ask("POST", "/v1/items:batch", {"items": items})
    _expect(server.ask("GET", "/readyz")["items"] == ITEMS, "items", "not all are in the catalogue")
    said(f"{ITEMS} items put")
    before = _ids(server.ask("POST", "/v1/recommendations", _request("home", visitor)))
    shown = [item["id"] for item in items if item["availability"] == "in_stock" and not item["regions"]][:3]
    for event, item in zip(batch["events"], shown, strict=True):
        event["params"]["items"][0]["item_id"] = item
    accepted = server.ask("POST", "/v1/events", batch | {"key": server.public}, expect=202)
    _expect({result["status"] for result in accepted["results"]} == {"accepted"}, "events accepted", accepted)
    viewed = _ids(server.ask("POST", "/v1/recommendations", _request("recently-viewed", visitor)))
    _expect(viewed == shown[::-1], "the next request sees the events", viewed)
    after = server.ask("POST", "/v1/recommendations", _request("home", visitor))
    _expect(
        bool(before) and after["results"][0]["strategy"] == "personalized",
        "personalized",
        after["results"][0]["strategy"],
    )
    said("events change the next answer")
    gone = shown[-1]
    server.ask(
        "PUT",
        f"/v1/items/{gone}",
        next(item for item in items if item["id"] == gone) | {"availability": "out_of_stock"},
    )
    left = _ids(server.ask("POST", "/v1/recommendations", _request("recently-viewed", visitor)))
    _expect(gone not in left, "a sold-out item is never shown", left)
    server.ask("PUT", f"/v1/items/{gone}", next(item for item in items if item["id"] == gone))
    word = items[0]["title"].split()[-1]
    found = server.ask("POST", "/v1/search", {"query": word, "visitor": visitor})
    _expect(bool(found["items"]), f"search for {word!r}", found)
    said("sold-out items vanish, search finds")
    denied = _request("recently-viewed", visitor | {"consent": "denied"})
    _expect(not _ids(server.ask("POST", "/v1/recommendations", denied)), "no consent, no history", "items came")
    said("without consent nothing personal is read")


@contextmanager
def _serving(config: Path) -> Iterator[Server]:
    keys = {kind: personalize(config, "keys", "create", kind).strip().splitlines()[-1] for kind in ("public", "server")}
    process = subprocess.Popen(
        [*program(), "-c", str(config), "serve"], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if "http://" not in line:
            raise SelfTestFailed(f"the server did not start: {line.strip()}")
        yield Server(process, HTTPConnection(line.rsplit("http://", 1)[1].strip(), timeout=30), **keys)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def personalize(config: Path, *arguments: str) -> str:
    """One command of this program; what it printed. Raises SelfTestFailed."""
    done = subprocess.run([*program(), "-c", str(config), *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SelfTestFailed(f"personalize {' '.join(arguments)}: {(done.stderr or done.stdout).strip()[-400:]}")
    return done.stdout


def _visitor() -> tuple[dict[str, str], dict[str, Any]]:
    visitor = {"anon": secrets.token_urlsafe(24), "session": "selftest", "consent": "granted"}
    now = Clock().now_ms()
    events = [
        {"id": f"selftest-{number}", "name": "view_item", "ts": now + number, "params": {"items": [{"item_id": ""}]}}
        for number in range(3)
    ]
    return visitor, {**visitor, "events": events}


def _request(placement: str, visitor: dict[str, str]) -> dict[str, Any]:
    return {"visitor": visitor, "requests": [{"placement": placement, "limit": 10}]}


def _ids(answer: dict[str, Any]) -> list[str]:
    return [item["id"] for item in answer["results"][0]["items"]]


def _expect(holds: bool, what: str, instead: object) -> None:
    if not holds:
        raise SelfTestFailed(f"{what}: {instead}")
