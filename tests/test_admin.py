import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from app.admin.options import AdminOptions
from app.admin.staff import Staff, TryLater
from app.cli import cli
from app.node import Node
from app.routes import create_app
from app.routes.admin import CONFIRM, COOKIE, CSRF_HEADER
from store.accounts import Role
from store.admin import open_admin
from tests.open_shop import found_in_files, open_shop
from tests.signed_in import PASSWORD, headers_of

pytestmark = pytest.mark.anyio
HOME = "https://personalize.example"


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    async with open_shop(tmp_path) as node:
        yield node


def browser(node: Node, address: str = "203.0.113.7") -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(create_app(node), client=(address, 1)), base_url=HOME)


async def sign_in(browser: httpx.AsyncClient, password: str, name: str = "admin") -> httpx.Response:
    answer = await browser.post("/v1/admin/login", json={"name": name, "password": password})
    if answer.status_code == 200:
        browser.headers[CSRF_HEADER] = answer.json()["csrf"]
    return answer


def audited(node: Node) -> list[tuple[str, str, str, str]]:
    entries = reversed(node.staff.audit.page(None, 100))
    return [(entry.actor, entry.action, entry.target, entry.outcome) for entry in entries]


async def test_the_first_start_makes_one_account_with_a_random_password(node: Node, tmp_path: Path) -> None:
    await node.staff.ensure_first_account()
    password = node.staff.first_password
    assert len(password) == 24
    async with browser(node) as page:
        answer = await sign_in(page, password)
        assert answer.json()["roles"] == ["marketer", "privacy", "operator"]
    await node.staff.ensure_first_account()
    assert [account.name for account in node.staff.accounts.all()] == ["admin"]
    assert node.staff.first_password == password
    assert found_in_files(tmp_path, password) == []


async def test_there_is_no_default_password(node: Node) -> None:
    await node.staff.ensure_first_account()
    async with browser(node) as page:
        for guess in ("", "admin"):
            assert (await sign_in(page, guess)).status_code == 401


async def test_the_cookie_is_for_this_host_over_tls_and_out_of_reach_of_scripts(node: Node, tmp_path: Path) -> None:
    await node.staff.ensure_first_account()
    async with browser(node) as page:
        answer = await sign_in(page, node.staff.first_password)
        cookie = answer.headers["set-cookie"]
        name, *told = cookie.split("; ")
        assert name.startswith("__Host-")
        assert sorted(told) == ["HttpOnly", "Path=/", "SameSite=Strict", "Secure"]
        assert answer.headers["cache-control"] == "no-store"
        assert found_in_files(tmp_path, page.cookies[COOKIE]) == []


async def test_a_wrong_name_and_a_wrong_password_are_answered_alike(node: Node) -> None:
    await node.staff.ensure_first_account()
    async with browser(node) as page:
        wrong = await sign_in(page, "not the password")
        nobody = await sign_in(page, "not the password", "nobody")
        assert (wrong.status_code, wrong.content) == (nobody.status_code, nobody.content)


async def test_passwords_are_tried_slowly(tmp_path: Path) -> None:
    async with open_shop(tmp_path, admin={"attempts_per_minute": 2}) as node:
        await node.staff.ensure_first_account()
        async with browser(node) as page, browser(node, "198.51.100.1") as elsewhere:
            answers = [await sign_in(page, "guess", name) for name in ("ada", "bob", "eve")]
            assert [answer.status_code for answer in answers] == [401, 401, 429]
            assert int(answers[-1].headers["retry-after"]) >= 1
            assert (await sign_in(elsewhere, node.staff.first_password)).status_code == 200


async def test_an_account_is_tried_slowly_from_many_networks(tmp_path: Path) -> None:
    async with open_admin(tmp_path / "admin.db") as store:
        staff = Staff(store, AdminOptions(attempts_per_minute=3), lambda: 0.0)
        await staff.ensure_first_account()
        for network in range(3):
            assert await staff.sign_in("admin", "guess", f"198.51.{network}.1") is None
        with pytest.raises(TryLater):
            await staff.sign_in("Admin", staff.first_password, "198.51.9.1")


async def test_a_session_is_over_after_idle_minutes_and_after_a_days_work(tmp_path: Path) -> None:
    now = [0.0]
    async with open_admin(tmp_path / "admin.db") as store:
        staff = Staff(store, AdminOptions(idle_minutes=30, session_hours=12), lambda: now[0])
        await staff.ensure_first_account()
        found = await staff.sign_in("admin", staff.first_password, "")
        assert found is not None
        token, session = found
        for minute in range(0, 12 * 60, 29):
            now[0] = minute * 60
            assert staff.session(token) is session
        now[0] = 12 * 3600 + 1
        assert staff.session(token) is None
        (idle, _) = staff.start_session(staff.accounts.all()[0])
        now[0] += 30 * 60 + 1
        assert staff.session(idle) is None


async def test_signing_out_ends_the_session(node: Node) -> None:
    await node.staff.ensure_first_account()
    async with browser(node) as page:
        await sign_in(page, node.staff.first_password)
        kept = {"cookie": f"{COOKIE}={page.cookies[COOKIE]}"}
        assert (await page.get("/v1/admin/session")).status_code == 200
        gone = await page.post("/v1/admin/logout")
        assert gone.status_code == 204
        assert "Max-Age=0" in gone.headers["set-cookie"]
        assert (await page.get("/v1/admin/session", headers=kept)).status_code == 401


@pytest.mark.parametrize(
    "told",
    [
        {CSRF_HEADER: ""},
        {CSRF_HEADER: "x" * 32},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "https://["},
    ],
)
async def test_pages_of_other_origins_change_nothing(node: Node, told: dict[str, str]) -> None:
    async with browser(node) as page:
        signed_in = await headers_of(node, "operator")
        body = {"name": "mallory", "roles": ["operator"], "password": PASSWORD}
        answer = await page.post("/v1/admin/users", json=body, headers={**signed_in, **told})
        assert answer.status_code == 403
        assert node.staff.accounts.get("mallory") is None
        assert (await page.post("/v1/admin/users", json=body, headers=signed_in)).status_code == 201


async def test_a_form_of_another_site_cannot_sign_anyone_in(node: Node) -> None:
    await node.staff.ensure_first_account()
    body = f'{{"name": "admin", "password": "{node.staff.first_password}"}}'
    async with browser(node) as page:
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
            answer = await page.post("/v1/admin/login", content=body, headers={"content-type": kind})
            assert answer.status_code == 415
            assert "set-cookie" not in answer.headers


async def test_accounts_and_keys_want_the_password_again_after_a_while(tmp_path: Path) -> None:
    now = [0.0]
    async with open_shop(tmp_path) as node, open_admin(tmp_path / "other.db") as store:
        node.staff = Staff(store, node.config.admin, lambda: now[0])
        await node.staff.ensure_first_account()
        async with browser(node) as page:
            await sign_in(page, node.staff.first_password)
            now[0] = 6 * 60
            body = {"kind": "server"}
            refused = await page.post("/v1/keys", json=body)
            assert (refused.status_code, refused.json()["type"]) == (403, CONFIRM)
            assert (await page.get("/v1/keys")).status_code == 200
            wrong = await page.post("/v1/admin/confirm", json={"password": "guess"})
            assert wrong.status_code == 400
            assert (await page.post("/v1/keys", json=body)).status_code == 403
            right = await page.post("/v1/admin/confirm", json={"password": node.staff.first_password})
            assert right.json()["confirmed"] is True
            assert (await page.post("/v1/keys", json=body)).status_code == 201


async def test_a_key_made_or_revoked_counts_from_the_next_request(node: Node) -> None:
    async with browser(node) as page:
        page.headers.update(await headers_of(node, "operator"))
        made = (await page.post("/v1/keys", json={"kind": "server"})).json()
        shop = {"authorization": f"Bearer {made['key']}"}
        assert (await page.get("/v1/items", headers=shop)).status_code == 200
        listed = (await page.get("/v1/keys")).json()["keys"]
        assert made["key"] not in str(listed)
        assert (await page.delete(f"/v1/keys/{made['id']}")).status_code == 204
        assert (await page.get("/v1/items", headers=shop)).status_code == 401
        assert (await page.delete(f"/v1/keys/{made['id']}")).status_code == 404


async def test_a_new_password_or_role_ends_the_accounts_sessions(node: Node) -> None:
    async with browser(node) as page:
        marketer = await headers_of(node, "marketer")
        page.headers.update(await headers_of(node, "operator"))
        assert (await page.get("/v1/admin/session", headers=marketer)).status_code == 200
        name = "marketer-of-the-shop"
        answer = await page.patch(f"/v1/admin/users/{name}", json={"roles": ["marketer", "privacy"]})
        assert answer.json()["roles"] == ["marketer", "privacy"]
        assert (await page.get("/v1/admin/session", headers=marketer)).status_code == 401
        assert (await page.patch(f"/v1/admin/users/{name}", json={"password": PASSWORD})).status_code == 200
        async with browser(node) as theirs:
            assert (await sign_in(theirs, PASSWORD, name)).status_code == 200
            changed = {"password": PASSWORD, "new": "another long sentence"}
            assert (await theirs.post("/v1/admin/password", json=changed)).status_code == 204
            assert (await theirs.get("/v1/admin/session")).status_code == 401
            assert (await sign_in(theirs, "another long sentence", name)).status_code == 200
            await page.delete(f"/v1/admin/users/{name}")
            assert (await theirs.get("/v1/admin/session")).status_code == 401


@pytest.mark.parametrize(
    ("password", "said"),
    [
        ("short", "at least 12"),
        ("x" * 200, "at most 128"),
        ("grace-of-the-shop", "the account's name"),
        ("abababababab", "more than four"),
    ],
)
async def test_weak_passwords_are_refused_with_what_would_be_right(node: Node, password: str, said: str) -> None:
    async with browser(node) as page:
        page.headers.update(await headers_of(node, "operator"))
        answer = await page.post("/v1/admin/users", json={"name": "grace", "roles": [], "password": password})
        assert answer.status_code == 400
        assert said in answer.json()["errors"][0]["detail"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "a b", "roles": [], "password": PASSWORD}, 400),
        ({"name": "grace", "roles": ["king"], "password": PASSWORD}, 400),
        ({"name": "OPERATOR-of-the-shop", "roles": [], "password": PASSWORD}, 409),
        ({"roles": []}, 400),
    ],
)
async def test_accounts_are_made_right_or_not_at_all(node: Node, body: dict[str, Any], status: int) -> None:
    async with browser(node) as page:
        page.headers.update(await headers_of(node, "operator"))
        assert (await page.post("/v1/admin/users", json=body)).status_code == status
        assert len(node.staff.accounts.all()) == 1


async def test_the_last_operator_stays(node: Node) -> None:
    async with browser(node) as page:
        page.headers.update(await headers_of(node, "operator"))
        path = "/v1/admin/users/operator-of-the-shop"
        assert (await page.delete(path)).status_code == 409
        assert (await page.patch(path, json={"roles": ["marketer"]})).status_code == 409
        account = node.staff.accounts.get("operator-of-the-shop")
        assert account is not None
        assert account.roles == Role.OPERATOR


async def test_what_staff_did_is_written_down_page_by_page(node: Node) -> None:
    await node.staff.ensure_first_account()
    async with browser(node) as page:
        await sign_in(page, "secret typed as a name", "oops my password")
        await sign_in(page, "guess")
        await sign_in(page, node.staff.first_password)
        made = (await page.post("/v1/keys", json={"kind": "public"})).json()
        assert audited(node) == [
            ("(unknown)", "login", "", "wrong name or password"),
            ("admin", "login", "", "wrong name or password"),
            ("admin", "login", "", "done"),
            ("admin", "key created", f"public key {made['id']}", "done"),
        ]
        for number in range(100):
            await node.staff.note("node", "counted", str(number))
        first = (await page.get("/v1/audit")).json()
        assert (len(first["entries"]), first["entries"][0]["target"]) == (100, "99")
        rest = (await page.get("/v1/audit", params={"before": first["next"]})).json()
        assert ([entry["action"] for entry in rest["entries"]][-1], rest.get("next")) == ("login", None)
        for wrong in ("-1", "x", "٣", "9" * 30):
            assert (await page.get("/v1/audit", params={"before": wrong})).status_code == 400


async def test_old_lines_leave_the_book(tmp_path: Path) -> None:
    async with open_admin(tmp_path / "admin.db") as store:
        staff = Staff(store, AdminOptions(audit_days=30))
        await store.audit.note("admin", "login", "", "done", staff.now() - 31 * 86_400)
        await staff.note("admin", "login", "")
        assert await staff.forget_old() == 1
        assert len(store.audit.page(None, 10)) == 1


async def test_accounts_changed_from_the_shell_count_at_the_next_request(node: Node, tmp_path: Path) -> None:
    (tmp_path / "personalize.toml").touch()

    def shell(*words: str) -> str:
        result = CliRunner().invoke(cli, ["-c", str(tmp_path / "personalize.toml"), "users", *words])
        assert result.exit_code == 0, result.output
        return result.output.strip()

    password = await asyncio.to_thread(shell, "add", "grace", "--role", "privacy")
    async with browser(node) as page:
        assert (await sign_in(page, password, "grace")).json()["roles"] == ["privacy"]
        again = await asyncio.to_thread(shell, "password", "grace")
        assert (await page.get("/v1/admin/session")).status_code == 401
        assert (await sign_in(page, again, "grace")).status_code == 200
        await asyncio.to_thread(shell, "roles", "grace", "--role", "marketer")
        assert "grace" in await asyncio.to_thread(shell, "list")
        await asyncio.to_thread(shell, "remove", "grace")
        assert (await sign_in(page, again, "grace")).status_code == 401
    assert [line[1] for line in audited(node) if line[0] == "shell"] == [
        "account added", "password changed", "roles changed", "account removed",
    ]  # fmt: skip
