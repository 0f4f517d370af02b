import gzip
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote, unquote

import pytest

from app.feeds.fetch import CannotFetch, fetch

BODY = b"id,title,price\n1,Lamp,5\n"


class Shop(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/feed" and self.headers.get("if-none-match") == '"v1"':
            return self._answer(304)
        if path == "/loop":
            return self._answer(302, location="/loop")
        if path.startswith("/to/"):
            return self._answer(302, location=unquote(path.removeprefix("/to/")).replace("_", "/"))
        if path == "/secret" and self.headers.get("authorization") != "Basic c2hvcDpwdw==":
            return self._answer(401)
        if path == "/zipped":
            return self._answer(200, gzip.compress(BODY), **{"content-encoding": "gzip"})
        if path == "/bomb":
            return self._answer(200, gzip.compress(bytes(2_000_000)), **{"content-encoding": "gzip"})
        if path == "/cut":
            return self._answer(200, gzip.compress(BODY)[:-9], **{"content-encoding": "gzip"})
        return self._answer(404 if path == "/none" else 200, BODY, etag='"v1"')

    def _answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def shop() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def pull(url: str, folder: Path, **more: object) -> tuple[bool, str]:
    fetched = fetch(url, folder / "feed", **{"most_bytes": 100_000, "allow_private": True, **more})  # type: ignore[arg-type]
    return fetched.changed, fetched.etag


def test_a_feed_is_pulled_once_and_then_asked_whether_it_changed(shop: str, tmp_path: Path) -> None:
    assert pull(f"{shop}/feed", tmp_path) == (True, '"v1"')
    assert (tmp_path / "feed").read_bytes() == BODY
    assert pull(f"{shop}/feed", tmp_path, etag='"v1"') == (False, '"v1"')


def test_a_zipped_feed_is_unpacked_and_a_password_is_sent(shop: str, tmp_path: Path) -> None:
    pull(f"{shop}/zipped", tmp_path)
    assert (tmp_path / "feed").read_bytes() == BODY
    assert pull(f"{shop.replace('//', '//shop:pw@')}/secret", tmp_path)[0]
    with pytest.raises(CannotFetch, match="401"):
        pull(f"{shop}/secret", tmp_path)


@pytest.mark.parametrize(
    ("path", "said"), [("/none", "404"), ("/bomb", "larger than"), ("/cut", "cut short"), ("/loop", "redirects")]
)
def test_what_gives_no_feed_is_said(shop: str, tmp_path: Path, path: str, said: str) -> None:
    with pytest.raises(CannotFetch, match=said):
        pull(f"{shop}{path}", tmp_path)


@pytest.mark.parametrize(
    "address",
    ["http://127.0.0.1/f", "http://localhost/f", "http://[::1]/f", "http://169.254.169.254/latest/meta-data",
     "http://10.0.0.7/f", "http://192.168.1.1/f", "http://[::ffff:127.0.0.1]/f",
     "http://0.0.0.0/f", "http://2130706433/f", "http://[64:ff9b::a9fe:a9fe]/f"],
)  # fmt: skip
def test_an_address_of_this_machine_or_its_network_is_refused_unless_allowed(tmp_path: Path, address: str) -> None:
    with pytest.raises(CannotFetch, match="private network"):
        pull(address, tmp_path, allow_private=False)


@pytest.mark.parametrize(
    "address",
    ["ftp://shop.example/f", "file:///etc/passwd", "http:///f", "http://shop.example:99999/f", "http://a..b/f",
     f"http://{'x' * 70}.example/f"],
)  # fmt: skip
def test_what_is_no_web_address_is_refused(tmp_path: Path, address: str) -> None:
    with pytest.raises(CannotFetch):
        pull(address, tmp_path)


@pytest.mark.parametrize("location", ["http:__[", "http:__a..b_f", "_é", "ftp:__a_f"])
def test_a_redirect_that_leads_nowhere_is_said(shop: str, tmp_path: Path, location: str) -> None:
    with pytest.raises(CannotFetch):
        pull(f"{shop}/to/{quote(location, safe=':[]')}", tmp_path)


def test_a_redirect_is_looked_at_like_the_first_address(
    shop: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The shop stands for a public address, what it sends us to does not.
    from app.feeds import fetch as module

    monkeypatch.setattr(module, "_public", lambda address: address == "127.0.0.1")
    with pytest.raises(CannotFetch, match=r"169\.254\.169\.254"):
        pull(f"{shop}/to/http:__169.254.169.254_latest", tmp_path, allow_private=False)
