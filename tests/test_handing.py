"""`personalize feed` beside a running server: the server takes the feed, at once, with a server key."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.cli.handing import NotHanded, address_of, hand_over
from tests.server_process import BY_HAND, Server, serving
from tests.test_cli import ended

CSV = "id,title,price,currency\nlamp,Lamp,19.90,EUR\nrug,Rug,80,EUR\n"
FEEDS = BY_HAND + '[feeds.main]\nfile = "main.csv"\n'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("handing")
    (folder / "products.csv").write_text(CSV)
    (folder / "main.csv").write_text("id,title,price,currency\nvase,Vase,30,EUR\n")
    with serving(folder, FEEDS) as server:
        yield server


def feed(server: Server, *arguments: str, key: str = "", at: str = "") -> tuple[int, str, str]:
    """What `personalize feed …` says in the folder of a running server."""
    words = ("feed", *arguments, *(("--server", at) if at else ()))
    return ended(server.folder, *words, PERSONALIZE_SERVER_KEY=key or server.keys["server"])


def has(server: Server, item: str) -> bool:
    bearer = {"authorization": f"Bearer {server.keys['server']}"}
    return server.http.get(f"/v1/items/{item}", headers=bearer).status_code == 200


def test_the_running_server_takes_the_file_and_has_it_at_once(server: Server) -> None:
    code, said, _ = feed(server, "products.csv", "--preview", at=server.address)
    assert (code, "2 items: 2 new" in said) == (0, True)
    assert not has(server, "lamp")
    code, said, _ = feed(server, "products.csv", at=server.address)
    assert (code, "feed products: taken" in said) == (0, True), said
    assert has(server, "lamp")


def test_a_feed_of_the_servers_configuration_is_asked_for_by_its_name(server: Server) -> None:
    code, said, _ = feed(server, "main", at=server.address)
    assert (code, "feed main: taken" in said) == (0, True), said
    assert has(server, "vase")


def test_without_a_key_it_says_what_to_do(server: Server) -> None:
    code, _, told = ended(server.folder, "feed", "products.csv", PERSONALIZE_SERVER_KEY="")
    assert code == 1
    assert "data: in use by another personalize process" in told
    assert "PERSONALIZE_SERVER_KEY=sk_… personalize feed products.csv" in told
    assert "curl -X POST 'http://127.0.0.1:8787/v1/imports?feed=products'" in told


def test_what_the_server_answers_is_told_row_by_row(server: Server) -> None:
    (server.folder / "wrong.csv").write_text("id,title,price,currency\nlamp,Lamp,,EUR\n")
    code, _, told = feed(server, "wrong.csv", at=server.address)
    assert (code, "The feed was not taken" in told, "price" in told) == (1, True, True), told
    code, _, told = feed(server, "products.csv", at=server.address, key=server.keys["public"])
    assert (code, "A server key is needed" in told) == (1, True), told
    code, _, told = feed(server, "products.csv", "--field", "title=name", at=server.address)
    assert (code, "[feeds.NAME]" in told) == (2, True), told


def test_a_server_that_does_not_answer_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    (tmp_path / "a.csv").write_text(CSV)
    with pytest.raises(NotHanded, match=rf"http://127\.0\.0\.1:{port}: .*refused"):
        hand_over(f"http://127.0.0.1:{port}", "sk_x", tmp_path / "a.csv", {})


@pytest.mark.parametrize(
    ("bind", "address"),
    [
        ("127.0.0.1:8787", "http://127.0.0.1:8787"),
        ("0.0.0.0:80", "http://127.0.0.1:80"),
        ("[::]:80", "http://[::1]:80"),
    ],
)
def test_a_server_is_asked_where_it_listens(bind: str, address: str) -> None:
    assert address_of(bind) == address
