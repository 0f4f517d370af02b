"""`personalize check --ledger` and `--receipt`, beside nothing but the files."""

import json
import sqlite3
from pathlib import Path

import anyio
import httpx
import pytest
from click.testing import CliRunner, Result

from app.cli import cli
from app.routes import create_app
from tests.open_shop import ANON, open_shop


def decide(folder: Path, times: int = 3) -> Path:
    """A node that took some decisions; the last one's receipt."""

    async def work() -> str:
        text = ""
        async with open_shop(folder) as node:
            transport = httpx.ASGITransport(create_app(node))
            async with httpx.AsyncClient(transport=transport, base_url="http://shop") as http:
                for number in range(times):
                    told = {"visitor": {"anon": ANON}, "purposes": {"profile": bool(number % 2)}}
                    text = (await http.post("/v1/consent", json=told)).text
        return text

    receipt = folder / "receipt.json"
    receipt.write_text(anyio.run(work))
    (folder / "personalize.toml").write_text("")
    return receipt


def check(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["--config", str(folder / "personalize.toml"), "check", *arguments])


def test_a_whole_ledger_is_said_to_be_whole_and_a_flipped_byte_is_found(tmp_path: Path) -> None:
    decide(tmp_path)
    fine = check(tmp_path, "--ledger")
    assert (fine.exit_code, "whole; entries 1 to 3" in fine.output) == (0, True)
    with sqlite3.connect(tmp_path / "data/person.db") as connection:
        (body,) = connection.execute("SELECT body FROM consent_ledger WHERE seq = 2").fetchone()
        flipped = bytes([body[0] ^ 1]) + body[1:]
        connection.execute("UPDATE consent_ledger SET body = ? WHERE seq = 2", (flipped,))
    connection.close()
    broken = check(tmp_path, "--ledger")
    assert (broken.exit_code, "broken at entry 2" in broken.output) == (1, True)


def test_a_receipt_is_told_from_a_forged_one_and_from_a_replaced_ledger(tmp_path: Path) -> None:
    receipt = decide(tmp_path)
    assert "genuine; entry 3" in check(tmp_path, "--receipt", str(receipt)).output
    told = json.loads(receipt.read_text())["receipt"]
    told["privacy_notice"] = "what we wish it had said"
    receipt.with_name("forged.json").write_text(json.dumps(told))
    forged = check(tmp_path, "--receipt", str(tmp_path / "forged.json"))
    assert (forged.exit_code, "forged" in forged.output) == (1, True)
    with sqlite3.connect(tmp_path / "data/person.db") as connection:
        connection.execute("UPDATE consent_ledger SET hash = zeroblob(32) WHERE seq = 3")
    connection.close()
    replaced = check(tmp_path, "--receipt", str(receipt))
    assert (replaced.exit_code, "the ledger was replaced" in replaced.output) == (1, True)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"signature": 5}', '{"ledger": {}, "signature": {"alg": "Ed25519"}}']
)
def test_what_is_no_receipt_is_said_to_be_none(tmp_path: Path, text: str) -> None:
    decide(tmp_path, 1)
    (tmp_path / "other.json").write_text(text)
    said = check(tmp_path, "--receipt", str(tmp_path / "other.json"))
    assert said.exit_code == 1
    assert "forged" in said.output or "not a receipt" in said.output


def test_without_a_data_directory_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "personalize.toml").write_text("")
    said = check(tmp_path, "--ledger")
    assert said.exit_code == 1
    assert "person.db" in said.output
