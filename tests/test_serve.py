"""The faults of a server's life, on the server as a shop runs it: a process of its own."""

import asyncio
import http.client
import json
import resource
import shutil
import socket
import subprocess
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from app.config import parse_config
from app.node import open_node
from store.clock import Clock
from store.database import open_reader
from store.event_log import SqliteEventLog
from store.records import Purpose
from tests.open_shop import EVERYTHING
from tests.server_process import BY_HAND, PATIENCE, ROOT, Server, serving

ITEMS = [{"id": f"S{n}", "title": f"shoe {n}", "category": ["shoes"], "price": 10 + n} for n in range(12)]
HOME = {"requests": [{"placement": "home", "limit": 5}]}
NOW_MS = Clock().now_ms()
VIEWS = 4


def visit(user: str, number: int, views: int = VIEWS) -> bytes:
    """One batch: some views and a purchase. Sent again, it has the same event ids."""
    name = f"{user}-{number}"
    events: list[dict[str, Any]] = [
        {"id": f"{name}-{n}", "name": "view_item", "ts": NOW_MS, "item": f"S{n % 12}"} for n in range(views)
    ]
    events.append({"id": f"{name}-buy", "name": "purchase", "ts": NOW_MS, "params": {"items": [{"item_id": "S1"}]}})
    told = {"consent": "granted", "purposes": ["vault.purchases"], "user": user, "session": f"visit of {user}"}
    return json.dumps({**told, "events": events}).encode()


def post(server: Server, key: str, body: bytes) -> httpx.Response:
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    return server.http.post("/v1/events", content=body, headers=headers)


def statuses(said: httpx.Response) -> Counter[str]:
    assert said.status_code == 202, said.text
    return Counter(each["status"] for each in said.json()["results"])


def logged(folder: Path) -> int:
    reader = open_reader(folder / "data/person.db")
    try:
        return sum(1 for _ in SqliteEventLog(reader).scan())
    finally:
        reader.close()


def purchases(folder: Path, user: str) -> int:
    """What the vault of a stopped node holds of somebody."""

    async def read() -> int:
        async with open_node(parse_config({}), folder / "personalize.toml") as node:
            known = node.person.read(node.keys.pseudonym("user", user), EVERYTHING)
            assert known is not None
            return len(node.vault.read(known.surrogate, Purpose.PURCHASES, EVERYTHING) or [])

    return asyncio.run(read())


class Crowd:
    """Visitors who go on until the server is gone. Per user: batches sent, and acknowledged in their order."""

    def __init__(self, server: Server, enough: int) -> None:
        self.server, self.key = server, server.keys["server"]
        self.sent, self.acknowledged = Counter[str](), Counter[str]()
        self.busy, self._enough = threading.Event(), enough

    def shop_on(self, user: str) -> None:
        try:
            while True:
                self.sent[user] += 1
                assert statuses(post(self.server, self.key, visit(user, self.sent[user]))) == {"accepted": VIEWS + 1}
                self.acknowledged[user] = self.sent[user]
                if self.acknowledged.total() > self._enough:
                    self.busy.set()
        except httpx.TransportError:
            return
        finally:
            self.busy.set()


def test_every_acknowledged_event_survives_a_kill_under_load_and_counts_once(tmp_path: Path) -> None:
    users = [f"user {n}" for n in range(4)]
    with serving(tmp_path) as server, ThreadPoolExecutor(len(users)) as threads:
        crowd = Crowd(server, 150)
        server.put(*ITEMS)
        visits = [threads.submit(crowd.shop_on, user) for user in users]
        assert crowd.busy.wait(PATIENCE)
        server.kill()
        for each in visits:
            each.result()
    sent, acknowledged = crowd.sent, crowd.acknowledged
    with serving(tmp_path) as server:
        assert logged(tmp_path) >= acknowledged.total() * (VIEWS + 1) > 0
        for user, number in [(each, number) for each in users for number in range(1, sent[each] + 1)]:
            again = statuses(post(server, crowd.key, visit(user, number)))
            assert again.total() == VIEWS + 1
            if number <= acknowledged[user]:
                assert again == {"duplicate": VIEWS + 1}
        assert logged(tmp_path) == sent.total() * (VIEWS + 1)
        assert server.stop() == 0
    for user in users:
        assert purchases(tmp_path, user) == sent[user]


def test_a_full_queue_asks_to_come_back_and_loses_nothing_it_took(tmp_path: Path) -> None:
    with serving(tmp_path, BY_HAND + "[node]\nqueue = 40\ngroup_max = 1\n") as server, ThreadPoolExecutor(12) as crowd:
        key = server.keys["server"]
        server.put(*ITEMS)
        said = list(crowd.map(lambda number: post(server, key, visit(f"user {number}", 1, 30)), range(150)))
        refused = [each for each in said if each.status_code == 503]
        taken = [each for each in said if each.status_code == 202]
        assert len(refused) + len(taken) == 150
        assert refused
        assert {each.headers["retry-after"] for each in refused} == {"1"}
        assert {each.headers["content-type"] for each in refused} == {"application/problem+json"}
        assert taken
        assert logged(tmp_path) == len(taken) * 31


def test_a_full_disk_refuses_events_keeps_answering_and_recovers(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        key, process = server.keys["server"], server.process.pid
        server.put(*ITEMS)
        assert statuses(post(server, key, visit("ann", 0))) == {"accepted": VIEWS + 1}
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]  # the server has it from here
        resource.prlimit(process, resource.RLIMIT_FSIZE, (32 * 1024, hard))
        said = [post(server, key, visit("ann", number, 60)) for number in range(1, 10)]
        full = [each for each in said if each.status_code == 503]
        assert full
        assert "retry-after" in full[0].headers
        assert server.http.post("/v1/recommendations", json=HOME).status_code == 200
        assert server.http.get("/livez").status_code == 200
        resource.prlimit(process, resource.RLIMIT_FSIZE, (hard, hard))
        for number, each in enumerate(said, 1):
            again = statuses(post(server, key, visit("ann", number, 60)))
            assert again == {"accepted" if each.status_code == 503 else "duplicate": 61}
        assert logged(tmp_path) == VIEWS + 1 + 9 * 61
        assert server.stop() == 0
    assert "make room on the disk" in server.errors
    assert purchases(tmp_path, "ann") == 10


@pytest.mark.parametrize("fast_http", ["true", "false"])
def test_sigterm_lets_running_requests_finish_and_leaves_whole_files(tmp_path: Path, fast_http: str) -> None:
    with serving(tmp_path, f"{BY_HAND}[server]\nfast_http = {fast_http}\n") as server:
        server.put(*ITEMS)
        lines = [visit("ann", number) + b"\n" for number in range(10)]
        running = http.client.HTTPConnection(urlsplit(server.address).netloc, timeout=PATIENCE)
        running.putrequest("POST", "/v1/events:import")
        running.putheader("authorization", f"Bearer {server.keys['server']}")
        running.putheader("content-type", "application/x-ndjson")
        running.putheader("content-length", str(sum(map(len, lines))))
        running.endheaders(b"".join(lines[:5]))
        # The first half has arrived once it is in the log.
        until_logged(tmp_path, 5 * (VIEWS + 1))
        server.process.terminate()
        until_closed(server)
        running.send(b"".join(lines[5:]))
        answer = running.getresponse()
        assert (answer.status, json.loads(answer.read())["accepted"]) == (200, 10 * (VIEWS + 1))
        running.close()
        assert server.process.wait(PATIENCE) == 0
    assert "Traceback" not in server.errors
    assert list((tmp_path / "data").glob("*-wal")) == []
    assert logged(tmp_path) == 10 * (VIEWS + 1)
    assert purchases(tmp_path, "ann") == 10


def test_a_client_that_hangs_up_is_no_fault_of_the_server(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        server.put(*ITEMS)
        for path in ("/v1/events", "/v1/recommendations", "/v1/search"):
            gone = http.client.HTTPConnection(urlsplit(server.address).netloc, timeout=PATIENCE)
            gone.putrequest("POST", path)
            gone.putheader("content-length", "1000")
            gone.endheaders(b'{"requests"')
            gone.close()
        assert server.http.get("/livez").status_code == 200
        assert server.stop() == 0
    assert "Traceback" not in server.errors


def until_logged(folder: Path, events: int) -> None:
    waiting = threading.Event()
    for _ in range(int(PATIENCE / 0.02)):
        if logged(folder) >= events:
            return
        waiting.wait(0.02)
    pytest.fail(f"{events} events were not logged")


def until_closed(server: Server) -> None:
    """Until it takes no more connections."""
    host, port = urlsplit(server.address).netloc.split(":")
    for _ in range(int(PATIENCE / 0.02)):
        try:
            socket.create_connection((host, int(port)), timeout=PATIENCE).close()
        except ConnectionError:
            return
        threading.Event().wait(0.02)
    pytest.fail("it still listens")


def dropped_in(folder: Path, name: str) -> str:
    """A configuration with a plugin of tests/drop_in switched on."""
    (folder / "plugins.d").mkdir()
    shutil.copyfile(ROOT / f"tests/drop_in/{name}.py", folder / f"plugins.d/{name}.py")
    return f"{BY_HAND}[plugins.{name}]\n"


def test_a_scorer_that_fails_is_left_out_and_counted(tmp_path: Path) -> None:
    with serving(tmp_path, dropped_in(tmp_path, "broken_scorer")) as server:
        server.put(*ITEMS)
        (shelf,) = server.http.post("/v1/recommendations", json=HOME).json()["results"]
        assert len(shelf["items"]) == 5
        told = server.http.get("/metrics").text
        (failed,) = [
            line for line in told.splitlines() if "broken_scorer" in line and "fail" in line and "_total" in line
        ]
        assert float(failed.rpartition(" ")[2]) >= 1
        assert server.stop() == 0
    assert "no luck today" in server.errors


def test_where_rules_fail_nothing_is_shown_and_the_page_still_gets_its_answer(tmp_path: Path) -> None:
    with serving(tmp_path, dropped_in(tmp_path, "broken_keep")) as server:
        server.put(*ITEMS)
        said = server.http.post("/v1/recommendations", json=HOME)
        (shelf,) = said.json()["results"]
        assert (said.status_code, shelf["items"], shelf["strategy"]) == (200, [], "fallback")


CRASHING = '''
"""A job that does its work for a while, and then does not."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from plugins.contract import hookimpl


@dataclass(frozen=True)
class Plugin:
    @hookimpl
    def background(self, node: Any) -> Sequence[Callable[[], Coroutine[Any, Any, None]]]:
        async def watch_the_tide() -> None:
            while node.catalogue.size == 0:
                await asyncio.sleep(0.01)
            raise RuntimeError("the tide is out")

        return [watch_the_tide]
'''


def test_a_background_job_that_crashes_ends_the_process_with_its_traceback(tmp_path: Path) -> None:
    (tmp_path / "plugins.d").mkdir()
    (tmp_path / "plugins.d/tide.py").write_text(CRASHING)
    with serving(tmp_path, f"{BY_HAND}[plugins.tide]\n") as server:
        assert server.http.get("/readyz").status_code == 200
        server.put(*ITEMS[:1])
        assert server.process.wait(PATIENCE) == 1
    assert "background job 'plugin job watch_the_tide' crashed" in server.errors
    assert 'raise RuntimeError("the tide is out")' in server.errors
    assert "tide.py" in server.errors
    # What was acknowledged before is there.
    with serving(tmp_path) as server:
        assert server.http.get("/v1/recommendations?placement=home").json()["results"][0]["items"]


def test_a_training_beside_the_server_is_taken_over_within_moments(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        server.put(*ITEMS)
        done = subprocess.run(
            [*server.program, "-c", tmp_path / "personalize.toml", "train"], cwd=ROOT, capture_output=True, check=True
        )
        generation = done.stdout.decode().split("published generation ")[1].partition(":")[0]
        for _ in range(int(PATIENCE / 0.05)):
            if server.http.get("/readyz").json()["generation"] == generation:
                break
            threading.Event().wait(0.05)
        assert server.http.get("/readyz").json()["generation"] == generation
