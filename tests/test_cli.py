"""The commands as a person types them: what they say, how they end, and never a traceback."""

import json
import re
import socket
import sqlite3
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app import __version__
from app.config import load_config, parse_config
from app.node import locked_folder, open_node
from tests.server_process import ENVIRONMENT, PATIENCE, PROGRAM, unprivileged

pytestmark = pytest.mark.anyio
CSV = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
LINE = "1,10001,LAMP,1,2011-12-01 09:00:00,2.5,17001.0,France\n"


def ended(folder: Path, *arguments: str, **environment: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of `personalize …` in a folder."""
    done = subprocess.run(
        [*PROGRAM, *arguments], cwd=folder, env={**ENVIRONMENT, **environment}, capture_output=True, text=True,
        timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout, done.stderr


def together(folder: Path, *commands: list[str]) -> list[tuple[int, str, str]]:
    """Several commands at once, as starting a program is what takes the time."""
    with ThreadPoolExecutor(2) as two:
        return list(two.map(lambda command: ended(folder, *command), commands))


def test_the_first_minutes_with_a_new_shop(tmp_path: Path) -> None:
    assert ended(tmp_path, "init", "--name", "Lamps", "--currency", "GBP") == (
        0, "wrote personalize.toml; next: personalize check, personalize import, personalize serve\n", "",
    )  # fmt: skip
    assert load_config(tmp_path / "personalize.toml").shop.name == "Lamps"
    (tmp_path / "online_retail.csv").write_text(CSV + LINE)
    first, check, plugins, listed = together(
        tmp_path, ["import", "online-retail", ".", "--quiet"], ["check"], ["plugins", "--json"], ["init"],
    )  # fmt: skip
    assert first[0] == 0
    assert "1 rows in" in first[1]
    assert "server  sk_" in first[1]
    assert check[0] == 0
    assert re.fullmatch(r"personalize.toml: fine; \d+ plugins on\n", check[1])
    described = json.loads(plugins[1])
    assert {"in_stock", "taste", "popular"} <= {plugin["name"] for plugin in described}
    assert all(plugin["hooks"] for plugin in described)
    assert listed == (1, "", "personalize.toml exists already; it was left as it is\n")
    again, keys, training = together(
        tmp_path, ["import", "online-retail", ".", "--quiet"], ["--version"], ["train", "--quiet"]
    )
    assert "1 rows had been imported before" in again[1]
    assert keys[1] == f"personalize, version {__version__}\n"
    assert training[0] == 0
    assert "the first training takes its share of the window" in training[1]


def test_keys_are_listed_made_and_revoked(tmp_path: Path) -> None:
    (tmp_path / "personalize.toml").write_text("")
    code, key, told = ended(tmp_path, "keys", "create", "public", "--origin", "https://shop.example")
    assert (code, key.startswith("pk_"), key.count("\n")) == (0, True, 1)
    assert "these API keys are shown only now" in told
    code, listed, _ = ended(tmp_path, "keys", "list")
    assert code == 0
    lines = listed.splitlines()
    assert len(lines) == 3
    assert "https://shop.example" in lines[2]
    assert key.strip() in lines[2]
    server = told.split("server ")[1].strip()
    assert server not in listed
    revoked, unknown, secret = together(
        tmp_path, ["keys", "revoke", "3"], ["keys", "revoke", "99"], ["keys", "signing-secret"]
    )
    assert revoked[0] == 0
    assert unknown == (1, "", "there is no key 99; `personalize keys list` shows them\n")
    assert len(secret[1].strip()) >= 40
    assert len(ended(tmp_path, "keys", "list")[1].splitlines()) == 2


def test_mistakes_in_a_command_or_its_configuration_are_named(tmp_path: Path) -> None:
    (tmp_path / "typo.toml").write_text('[server]\nbnd = "x"\n[plugins.tste]\n[node]\nclock = "sun"\n')
    (tmp_path / "plugin.toml").write_text("[plugins.tste]\n[plugins.popular]\nwieght = 2.0\n")
    (tmp_path / "broken.toml").write_text("[server\n")
    (tmp_path / "fine.toml").write_text("")
    typo, plugin, broken, absent, command, mapping, folder, bind, until = together(
        tmp_path,
        ["-c", "typo.toml", "serve"], ["-c", "plugin.toml", "check"], ["-c", "broken.toml", "train"], ["check"],
        ["serv"], ["-c", "fine.toml", "import", "online-retial", "."], ["-c", "fine.toml", "train"],
        ["-c", "fine.toml", "serve", "--bind", "here"], ["-c", "fine.toml", "import", "online-retail", "nowhere"],
    )  # fmt: skip
    assert typo[0] == 2
    assert "typo.toml: 2 problems" in typo[2]
    assert "server.bnd: unknown setting; did you mean 'bind'?" in typo[2]
    assert "node.clock: 'sun' is no choice here" in typo[2]
    assert plugin[0] == 1
    assert "plugins.tste" in plugin[2]
    assert "did you mean 'taste'?" in plugin[2]
    assert "plugins.popular.wieght" in plugin[2]
    assert (broken[0], "not valid TOML" in broken[2]) == (2, True)
    assert (absent[0], "`personalize init` writes a commented one" in absent[2]) == (2, True)
    assert (command[0], "unknown command 'serv'; did you mean 'serve'?" in command[2]) == (2, True)
    assert (mapping[0], "did you mean 'online-retail'?" in mapping[2]) == (1, True)
    assert (folder[0], "holds no shop yet; import a catalogue or start the server first" in folder[2]) == (1, True)
    assert (bind[0], "server.bind: expected an address and a port" in bind[2]) == (2, True)
    assert (until[0], "nowhere: there is no such folder\n" in until[2]) == (1, True)


def test_an_account_never_loses_its_roles_by_a_forgotten_option(tmp_path: Path) -> None:
    (tmp_path / "personalize.toml").write_text("")
    ended(tmp_path, "users", "add", "ada", "--role", "marketer")
    code, _, said = ended(tmp_path, "users", "roles", "ada")
    assert (code, "Missing option '--role'" in said) == (2, True)
    assert "marketer" in ended(tmp_path, "users", "list")[1]


def test_what_is_in_use_is_said(tmp_path: Path) -> None:
    (tmp_path / "personalize.toml").write_text("")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        code, _, told = ended(tmp_path, "serve", "--bind", address)
    said = f"cannot listen on {address}: Address already in use; set [server] bind or --bind to a free address"
    assert (code, said in told) == (1, True)
    with locked_folder(tmp_path / "data"):
        for code, _, told in together(tmp_path, ["serve"], ["import", "online-retail", "."]):
            assert (code, told) == (1, "data: in use by another personalize process; stop it first\n")


async def test_a_data_folder_that_cannot_be_used_is_named_with_what_to_do(tmp_path: Path) -> None:
    for name in ("corrupt", "newer", "keyless", "fine"):
        (tmp_path / f"{name}.toml").write_text(f'[node]\ndata = "{name}"\n')
        async with open_node(parse_config({"node": {"data": name}}), tmp_path / f"{name}.toml"):
            pass
    (tmp_path / "corrupt/person.db").write_bytes(b"this is no database at all" * 400)
    newer = sqlite3.connect(tmp_path / "newer/vault.db")
    newer.execute("PRAGMA user_version = 999")
    newer.close()
    (tmp_path / "keyless/keys.db").unlink()
    (tmp_path / "unwritable.toml").write_text('[node]\ndata = "/proc/personalize"\n')
    (tmp_path / "file.toml").write_text('[node]\ndata = "fine.toml"\n')
    names = ("corrupt", "newer", "keyless", "unwritable", "file")
    said = together(tmp_path, *(["-c", f"{name}.toml", "serve", "--bind", "127.0.0.1:0"] for name in names))
    expected = {
        "corrupt": "corrupt/person.db: is damaged or not a database",
        "newer": "newer/vault.db: ",
        "keyless": "keyless/keys.db: is missing, but person.db was written with its keys; restore it from a backup",
        "unwritable": "/proc/personalize: ",
        "file": "fine.toml: File exists; [node] data has to be a folder that this user may write",
    }
    for name, (code, _, told) in zip(names, said, strict=True):
        assert (name, code) == (name, 1)
        assert expected[name] in told
        assert len(told.splitlines()) == 1
    assert "newer" in said[1][2].partition("vault.db")[2]


async def test_a_folder_of_another_user_is_said_to_be_unwritable() -> None:
    program, somebody = unprivileged()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # noqa: ASYNC240  nothing else runs here
        async with open_node(parse_config({}), folder / "personalize.toml"):
            pass
        (folder / "personalize.toml").write_text("")
        if "user" not in somebody:
            (folder / "data").chmod(0)
        done = subprocess.run(  # noqa: ASYNC221  nothing else runs here
            [*program, "-c", folder / "personalize.toml", "serve"], cwd="/", capture_output=True, text=True,
            timeout=PATIENCE, check=False, **somebody,
        )  # fmt: skip
        (folder / "data").chmod(0o700)
    said = f"{folder}/data: Permission denied; [node] data has to be a folder that this user may write\n"
    assert (done.returncode, done.stderr) == (1, said)
