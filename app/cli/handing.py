"""Hands a feed to the server that has the data folder, as the shop's own server would: POST /v1/imports."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import msgspec

from app.feeds.take import Taken

_PATIENCE = 3600.0
"""Seconds for an answer; the server itself gives a feed up after [catalogue] feed_minutes."""


class NotHanded(Exception):
    """Why a server did not take a feed, in words."""


class _Wrong(msgspec.Struct):
    pointer: str = ""
    detail: str = ""


class _Problem(msgspec.Struct):
    title: str = ""
    detail: str = ""
    errors: list[_Wrong] = []


def address_of(bind: str) -> str:
    """Where a server with this [server] bind is reached from its own machine."""
    host, _, port = bind.rpartition(":")
    return f"http://{ {'0.0.0.0': '127.0.0.1', '[::]': '[::1]'}.get(host, host) }:{port}"


def hand_over(server: str, key: str, file: Path | None, query: Mapping[str, str]) -> Taken:
    """What the server made of the feed in `file`, or of its own configured one. Raises NotHanded."""
    at = urlsplit(server)
    kind = http.client.HTTPSConnection if at.scheme == "https" else http.client.HTTPConnection
    headers = {"authorization": f"Bearer {key}", "content-type": "application/octet-stream"}
    path = f"{at.path.rstrip('/')}/v1/imports?{urlencode(query)}"
    connection = kind(at.netloc, timeout=_PATIENCE)
    try:
        if file is None:
            connection.request("POST", path, b"", headers)
        else:
            headers["content-length"] = str(file.stat().st_size)
            with file.open("rb") as body:
                connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
    except (OSError, http.client.HTTPException, UnicodeEncodeError) as error:
        raise NotHanded(f"{server}: {error}") from None
    finally:
        connection.close()
    if answer.status == http.client.OK:
        return msgspec.json.decode(content, type=Taken)
    raise NotHanded(f"{server}: {_told(answer.status, content)}")


def _told(status: int, content: bytes) -> str:
    """A problem of the server in lines."""
    try:
        problem = msgspec.json.decode(content, type=_Problem)
    except msgspec.DecodeError:
        return f"answered {status}, and not as this program does"
    rows = [f"    {wrong.pointer.strip('/')}: {wrong.detail}" for wrong in problem.errors[:20]]
    return "\n".join([f"{problem.title}: {problem.detail}", *rows])
