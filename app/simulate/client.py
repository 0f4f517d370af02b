"""Speaks to a running server over HTTP: as a page would for its visitors, and as a marketer who is signed in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from typing import Any

from app.routes.admin import COOKIE, CSRF_HEADER


class CannotSimulate(Exception):
    """The server said no, or something else than it should; the message says what to do."""


class Client:
    """One connection. `key` is a server key; it may be set later."""

    def __init__(self, address: str, key: str) -> None:
        """`address`: host and port."""
        self._connection = HTTPConnection(address.removeprefix("http://").rstrip("/"), timeout=60)
        self._address, self.key = address, key
        self._staff: dict[str, str] = {}

    def close(self) -> None:
        self._connection.close()

    def sign_in(self, name: str, password: str) -> None:
        """From here on `manage` speaks for this account."""
        told = self._ask("POST", "/v1/admin/login", {"name": name, "password": password}, {}, 200)
        self._staff = {CSRF_HEADER: told["csrf"], "cookie": f"{COOKIE}={self._cookie}"}

    def manage(self, method: str, path: str, body: object = None, *, expect: int = 200, **headers: str) -> Any:  # noqa: ANN401  any JSON
        """As the marketer."""
        return self._ask(method, path, body, {**self._staff, **headers}, expect)

    def ask(self, method: str, path: str, body: object = None, *, expect: int = 200) -> Any:  # noqa: ANN401  any JSON
        """As the shop."""
        return self._ask(method, path, body, {"authorization": f"Bearer {self.key}"}, expect)

    def _ask(self, method: str, path: str, body: object, headers: Mapping[str, str], expect: int) -> Any:  # noqa: ANN401
        content = None if body is None else json.dumps(body)
        try:
            self._connection.request(method, path, content, {"content-type": "application/json", **headers})
            answer = self._connection.getresponse()
            said = answer.read()
        except (OSError, HTTPException) as error:
            raise CannotSimulate(f"{self._address} does not answer ({error}); is the server running?") from None
        if answer.status != expect:
            raise CannotSimulate(f"{method} {path}: {answer.status} {said[:400].decode(errors='replace')}")
        cookie = answer.getheader("set-cookie", "")
        if cookie.startswith(f"{COOKIE}="):
            self._cookie = cookie.partition(";")[0].partition("=")[2]
        return json.loads(said) if said else None
