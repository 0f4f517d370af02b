import json
import threading
from collections.abc import AsyncIterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.config import ConfigError, parse_config
from app.feeds.options import FeedOptions
from app.feeds.schedule import pull
from app.node import Node, open_node
from app.routes import create_app

SETTINGS: dict[str, Any] = {
    "catalogue": {"feed_bytes": 20_000, "feed_errors": 2},
    "training": {"every_hours": 0},
    "plugins": {"in_stock": {}, "region": {}},
    "feeds": {"main": {"file": "main.csv"}},
}
AWS = Path("../shared/data/retail_demo_store_catalog/products.yaml").absolute()


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    async with open_node(parse_config(SETTINGS), tmp_path / "personalize.toml") as node:
        yield node


@pytest.fixture
async def shop(node: Node) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"authorization": f"Bearer {node.keys.first_keys['server']}"}
    transport = httpx.ASGITransport(create_app(node))
    async with httpx.AsyncClient(transport=transport, base_url="http://shop", headers=headers) as client:
        yield client


def table(*names: str, price: str = "5") -> str:
    return "id,title,price\n" + "".join(f"{name},Thing {name},{price}\n" for name in names)


async def take(shop: httpx.AsyncClient, body: str, status: int = 200, **query: str) -> dict[str, Any]:
    answer = await shop.post("/v1/imports", params=query, content=body.encode())
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def ids(shop: httpx.AsyncClient) -> list[str]:
    return [item["id"] for item in (await shop.get("/v1/items")).json()["items"]]


@pytest.mark.anyio
async def test_a_feed_adds_changes_and_takes_out_what_it_brought_and_leaves_everything_else(
    shop: httpx.AsyncClient, node: Node
) -> None:
    await shop.put("/v1/items/own", json={"title": "Put by hand", "price": 1})
    told = await take(shop, table("a", "b", "c", "d", "e", "f"), feed="day")
    assert (told["status"], told["new"], told["items"]) == ("taken", 6, 6)
    told = await take(shop, table("a", "b", "c", "d", "e", "g", price="6"), feed="day")
    assert (told["new"], told["changed"], told["vanished"], told["vanishing"]) == (1, 5, 1, ["f"])
    assert sorted(await ids(shop)) == ["a", "b", "c", "d", "e", "g", "own"]
    assert node.catalogue.price[node.catalogue.number("a") or 0] == 6
    again = await take(shop, table("a", "b", "c", "d", "e", "g", price="6"), feed="day")
    assert (again.get("new", 0), again.get("changed", 0), again.get("vanished", 0)) == (0, 0, 0)
    found = (await shop.post("/v1/search", json={"query": "thing g"})).json()["items"]
    assert found[0]["id"] == "g"


@pytest.mark.anyio
async def test_a_feed_that_shrank_is_refused_until_someone_says_that_it_is_right(shop: httpx.AsyncClient) -> None:
    await take(shop, table(*"abcdef"), feed="day")
    told = await take(shop, table("a", "b"), 409, feed="day")
    assert "4 of 6 items are gone" in told["detail"]
    assert len(await ids(shop)) == 6
    preview = await take(shop, table("a", "b"), feed="day", preview="1")
    assert (preview["status"], preview["vanished"]) == ("preview", 4)
    assert len(await ids(shop)) == 6
    assert (await take(shop, table("a", "b"), feed="day", shrink="1"))["vanished"] == 4
    assert await ids(shop) == ["a", "b"]


@pytest.mark.anyio
async def test_an_item_whose_row_has_a_mistake_stays_as_it_was(shop: httpx.AsyncClient) -> None:
    await take(shop, table("a", "b", "c"), feed="day")
    told = await take(shop, "id,title,price\na,Thing,7\nb,Thing,nothing\nc,Thing,\n", feed="day")
    assert (told["rejected"], told.get("vanished", 0)) == (2, 0)
    assert [row["place"] for row in told["errors"]] == ["line 3", "line 4"]
    assert [(await shop.get(f"/v1/items/{name}")).json()["price"] for name in "abc"] == [7, 5, 5]


@pytest.mark.anyio
async def test_a_feed_without_one_good_row_and_a_broken_one_change_nothing(shop: httpx.AsyncClient) -> None:
    await take(shop, table("a"), feed="day")
    assert "not one row" in (await take(shop, table("a", price="x"), 409, feed="day"))["detail"]
    told = await take(shop, "<rss><channel><item>", 409, feed="day")
    assert "not well-formed" in told["detail"]
    assert await ids(shop) == ["a"]
    past = (await shop.get("/v1/imports")).json()
    assert [each["result"]["status"] for each in past["imports"]] == ["failed", "refused", "taken"]
    assert past["feeds"] == ["main"]


@pytest.mark.anyio
async def test_only_so_many_bytes_and_errors_are_read_and_only_for_a_server_key(
    shop: httpx.AsyncClient, node: Node
) -> None:
    await take(shop, "x" * 20_001, 413, feed="day")
    told = await take(shop, table("a") + "b,,\n" * 5, feed="day")
    assert (told["rejected"], len(told["errors"])) == (5, 2)
    assert (await shop.post("/v1/imports?feed=no/name", content=b"x")).status_code == 400
    assert "did you mean" not in (await shop.post("/v1/imports?format=shopifi", content=b"x")).text
    assert (await shop.post("/v1/imports?format=shopifi", content=b"x")).status_code == 400
    assert (await shop.post("/v1/imports?feed=nobody")).status_code == 404
    shop.headers["authorization"] = f"Bearer {node.keys.first_keys['public']}"
    assert (await shop.post("/v1/imports", content=b"x")).status_code == 403
    assert list((node.folder / "feeds").iterdir()) == []


@pytest.mark.anyio
async def test_a_file_of_two_gigabytes_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with (tmp_path / "main.csv").open("wb") as file:
        file.truncate(2 * 1024**3)  # a hole: it takes no room on the disk
    async with open_node(parse_config({}), tmp_path / "personalize.toml") as node:
        taken = await node.feeds.take("main", FeedOptions(file="main.csv"), tmp_path / "main.csv")
    assert (taken.status, taken.items) == ("failed", 0)
    assert "2,147,483,648 bytes are more than 536,870,912 ([catalogue] feed_bytes)" in taken.detail


@pytest.mark.anyio
async def test_a_configured_feed_is_pulled_by_its_name(shop: httpx.AsyncClient, tmp_path: Path) -> None:
    assert "main.csv" in (await take(shop, "", 409, feed="main"))["detail"]
    (tmp_path / "main.csv").write_text(table("a", "b"))
    assert (await take(shop, "", feed="main"))["new"] == 2
    assert await ids(shop) == ["a", "b"]


@pytest.mark.anyio
async def test_a_pulled_feed_that_did_not_change_is_not_read_again(tmp_path: Path) -> None:
    asked: list[str] = []

    class Server(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.headers.get("if-none-match", ""))
            same = asked[-1] == '"1"'
            self.send_response(304 if same else 200)
            self.send_header("etag", '"1"')
            body = b"" if same else table("a").encode()
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    url = f"http://127.0.0.1:{server.server_address[1]}/feed.csv"
    settings = SETTINGS | {"feeds": {"main": {"url": url, "allow_private": True}, "shy": {"url": url}}}
    async with open_node(parse_config(settings), tmp_path / "personalize.toml") as node:
        assert [(await pull(node, "main")).status for _ in range(2)] == ["taken", "unchanged"]
        assert asked == ["", '"1"']
        refused = await pull(node, "shy")
        assert (refused.status, len(asked)) == ("failed", 2)
        assert "allow_private" in refused.detail
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.anyio
async def test_an_address_that_never_comes_to_an_end_is_given_up(tmp_path: Path) -> None:
    over = threading.Event()

    class Slow(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"id,title,price\n")
            over.wait(60)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    feed = {"url": f"http://127.0.0.1:{server.server_address[1]}/feed.csv", "allow_private": True}
    settings = SETTINGS | {"catalogue": {"feed_minutes": 0.05}, "feeds": {"main": feed}}
    try:
        config = parse_config(settings)
        async with open_node(config, tmp_path / "personalize.toml") as node:
            taken = await node.feeds.take("main", config.feeds["main"])
            assert (taken.status, node.catalogue.size) == ("failed", 0)
            assert "feed_minutes" in taken.detail
    finally:
        over.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.anyio
async def test_a_feed_that_cannot_be_kept_is_refused_in_words(shop: httpx.AsyncClient, node: Node) -> None:
    node.feeds.folder, folder = Path("/proc/self"), node.feeds.folder  # nothing can be written there, as on a full disk
    told = await take(shop, table("a"), 503, feed="day")
    assert "nothing of this request was kept" in told["detail"]
    node.feeds.folder = folder
    await take(shop, table("a"), feed="day")


@pytest.mark.anyio
async def test_what_a_killed_server_left_of_a_feed_is_removed_at_the_next_start(tmp_path: Path) -> None:
    left = tmp_path / "data" / "feeds" / "upload-7f00"
    left.parent.mkdir(parents=True)
    left.write_text(table("a"))
    async with open_node(parse_config(SETTINGS), tmp_path / "personalize.toml"):
        assert not left.exists()


def test_a_feed_needs_an_address_or_a_file_and_a_typo_is_told() -> None:
    with pytest.raises(ConfigError, match=r"feeds\.main\.url: a feed has a url or a file"):
        parse_config({"feeds": {"main": {}}})
    with pytest.raises(ConfigError, match="did you mean 'shopify'"):
        parse_config({"feeds": {"main": {"file": "x", "format": "shopfy"}}})


@pytest.mark.anyio
async def test_what_a_feed_brought_is_there_after_a_restart(tmp_path: Path) -> None:
    (tmp_path / "main.csv").write_text(table("a", "b", "c", "d", "e", "f"))
    async with open_node(parse_config(SETTINGS), tmp_path / "personalize.toml") as node:
        await pull(node, "main")
    (tmp_path / "main.csv").write_text(table("a", "b", "c", "d", "e"))
    async with open_node(parse_config(SETTINGS), tmp_path / "personalize.toml") as node:
        assert (await pull(node, "main")).vanished == 1
        assert node.catalogue.number("f") is None


@pytest.mark.anyio
@pytest.mark.skipif(not AWS.is_file(), reason=f"{AWS} is not here")
async def test_the_aws_demo_catalogue_is_taken_whole(tmp_path: Path) -> None:
    feed = {
        "file": str(AWS), "currency": "USD", "image_base": "https://img.example/",
        "fields": {"title": "name", "availability": "current_stock"},
    }  # fmt: skip
    settings = SETTINGS | {"feeds": {"aws": feed}, "catalogue": {}}
    async with open_node(parse_config(settings), tmp_path / "personalize.toml") as node:
        taken = await pull(node, "aws")
        assert (taken.status, taken.new, taken.rejected) == ("taken", 2465, 0), json.dumps(taken.detail)
        first = node.shop.get(node.catalogue.ids[0])
        assert first is not None
        assert (first.currency, first.image[:20], first.price) == ("USD", "https://img.example/", 129.99)
