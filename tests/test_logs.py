import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import pytest

from app.logs import PlacesOnly, set_up_logs
from app.routes import create_app
from store.faults import DatabaseFull
from tests.open_shop import ANON, batch, event, key_of, open_shop

CANARY = "canary-4f1d88"


@pytest.fixture
def debugging() -> Iterator[None]:
    """Everything turned up, and back again."""
    root = logging.getLogger()
    before, level, hook = root.handlers[:], root.level, sys.excepthook
    set_up_logs(logging.DEBUG)
    yield
    root.handlers[:], sys.excepthook = before, hook
    root.setLevel(level)


def told(error: Exception) -> str:
    try:
        raise error
    except type(error) as raised:
        return PlacesOnly().formatException((type(raised), raised, raised.__traceback__))


def test_a_traceback_says_where_and_not_with_which_words() -> None:
    empty: dict[str, str] = {}
    with pytest.raises(ExceptionGroup) as raised:  # noqa: PT012  # what is raised while handling another
        try:
            empty[CANARY]
        except KeyError as error:
            raise ExceptionGroup(CANARY, [ValueError(CANARY), error]) from msgspec.ValidationError(CANARY)
    text = PlacesOnly().formatException((raised.type, raised.value, raised.tb))
    assert CANARY not in text
    assert "test_logs.py" in text
    assert all(kind in text for kind in ("KeyError", "ValueError", "ValidationError", "which led to:"))


def test_what_the_store_says_to_operators_is_told(tmp_path: Path) -> None:
    assert "make room" in told(DatabaseFull(tmp_path, "cannot grow; make room on the disk"))


@pytest.mark.anyio
async def test_nothing_of_a_visitor_is_logged_however_far_the_log_is_turned_up(
    tmp_path: Path, debugging: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("httpx"), "disabled", True)  # the client, not us
    set_up_logs(logging.DEBUG)  # under pytest's capture
    async with open_shop(tmp_path) as node:
        app = create_app(node)
        transport = httpx.ASGITransport(app, client=("203.0.113.77", 1), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://shop") as shop:
            search = event(node, "search", CANARY, search_term=CANARY)
            body = batch(search, event(node, "view_item", "e2", "S1"), key=key_of(node).shown, user=CANARY)
            answers = [
                await shop.post("/v1/events", content=body, headers={"content-type": "text/plain"}),
                await shop.post("/v1/search", json={"query": CANARY, "visitor": {"anon": ANON}}),
                await shop.post("/v1/recommendations", json={"requests": [{"placement": CANARY}]}),
                await shop.get("/v1/recommendations", params={"filter": CANARY}),
                await shop.post("/v1/admin/login", json={"name": CANARY, "password": CANARY}),
            ]
            assert [answer.status_code for answer in answers] == [202, 200, 404, 400, 401]
    said = capsys.readouterr().err
    for personal in (CANARY, ANON, "203.0.113"):
        assert personal not in said
