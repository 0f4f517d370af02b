"""A marketer's evening with the server as a shop runs it: write, look, publish, take back; and the power fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

from tests.server_process import BY_HAND, Server, serving
from tests.test_cli import ended

ITEMS: list[dict[str, Any]] = [
    {"id": f"P{n}", "title": f"Thing {n}", "price": 10 + n, "attributes": {"waterproof": n % 4 == 0}} for n in range(40)
]
"""Without categories and brands, so that diversity has nothing to say."""
RULE = {
    "name": "Rain gear in the UK until Sunday",
    "when": {"placements": ["home"], "regions": ["UK"], "schedule": {"ends": "2099-11-29"}},
    "then": {"do": "boost", "match": "waterproof == true", "strength": 1.0},
}


class Marketer:
    """Signed in over HTTP, as the console is."""

    def __init__(self, server: Server, password: str) -> None:
        self.server = server
        said = server.http.post("/v1/admin/login", json={"name": "mary", "password": password})
        assert said.status_code == 200, said.text
        cookie = said.headers["set-cookie"].partition(";")[0]
        self.headers = {"cookie": cookie, "personalize-csrf": said.json()["csrf"]}

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> httpx.Response:
        sent = {**self.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        said = self.server.http.request(method, path, json=body, headers=sent)
        assert said.status_code < 300, said.text
        return said

    @property
    def etag(self) -> str:
        return str(self.ask("GET", "/v1/rules").json()["etag"])


def home(server: Server, region: str) -> tuple[list[str], str]:
    """What a shopper's page shows, and the version it was made under."""
    body = {"requests": [{"placement": "home", "limit": 8}], "context": {"region": region}}
    told = server.http.post("/v1/recommendations", json=body).json()
    return [item["id"] for item in told["results"][0]["items"]], told["served_by"]["rules"]


RAIN = {f"P{n}" for n in range(0, 40, 4)}


def test_rain_gear_is_promoted_in_one_region_until_sunday_and_survives_kill_9(tmp_path: Path) -> None:
    toml = BY_HAND + '[shop]\ntimezone = "Europe/London"\n'
    with serving(tmp_path, toml) as server:
        server.put(*ITEMS)
        code, password, _ = ended(tmp_path, "users", "add", "mary", "--role", "marketer")
        assert code == 0
        mary = Marketer(server, password.strip())
        plain, version = home(server, "UK")
        assert version == ""
        assert not set(plain) <= RAIN

        made = mary.ask("POST", "/v1/rules", RULE).json()
        assert made["status"] == "active"
        look = mary.ask(
            "POST", "/v1/rules:preview", {"visitor": {"name": "Somebody", "region": "UK"}, "limit": 8}
        ).json()
        assert {item["id"] for item in look["after"]["items"]} <= RAIN
        assert [item["id"] for item in look["before"]["items"]] == plain
        over = {"visitor": {"name": "Somebody", "region": "UK"}, "limit": 8, "at": "2099-11-30"}
        assert not {item["id"] for item in mary.ask("POST", "/v1/rules:preview", over).json()["after"]["items"]} <= RAIN

        assert mary.ask("POST", "/v1/rules:publish", {"note": "It rains"}, if_match=mary.etag).json()["version"] == "r1"
        assert set(home(server, "UK")[0]) <= RAIN
        assert home(server, "FR") == (plain, "r1")
        server.kill()
    with serving(tmp_path, toml) as server:
        assert set(home(server, "UK")[0]) <= RAIN
        mary = Marketer(server, password.strip())
        mary.ask("DELETE", f"/v1/rules/{made['rule']['id']}", if_match=made["etag"])
        mary.ask("POST", "/v1/rules:publish", {}, if_match=mary.etag)
        assert home(server, "UK") == (plain, "r2")
        mary.ask("POST", "/v1/rules:rollback", {"to": "r1"}, if_match=mary.etag)
        assert set(home(server, "UK")[0]) <= RAIN
        assert server.stop() == 0
