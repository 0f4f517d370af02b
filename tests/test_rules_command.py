"""`personalize rules`: a marketer's rules as a file, beside a running node."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from app.rules.index import Facts
from tests.open_shop import open_shop
from tests.test_cli import ended

pytestmark = pytest.mark.anyio
FILE = """
[[rules]]
id = "blue"
name = "Blue shoes"
priority = 3

[rules.when]
regions = ["UK"]
schedule = { ends = "2099-11-29" }

[rules.then]
do = "boost"
match = 'category == "shoes/blue"'
"""


async def test_rules_travel_as_a_file_and_a_running_node_follows(tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_text(FILE, "utf-8")
    (tmp_path / "wrong.toml").write_text(FILE.replace("category ==", "categry ="), "utf-8")
    (tmp_path / "personalize.toml").write_text("", "utf-8")

    async def ask(*arguments: str) -> tuple[int, str, str]:
        return await asyncio.to_thread(ended, tmp_path, "rules", *arguments)

    async with open_shop(tmp_path) as node:
        code, said, _ = await ask("import", "rules.toml")
        assert (code, said.startswith("1 rules are the draft now")) == (0, True)
        assert node.rules.published.version == ""
        code, said, _ = await ask("import", "rules.toml", "--publish", "--note", "from a file")
        assert (code, said) == (0, "1 rules are in force as r1\n")
        await node.rule_book.follow()
        ruling = node.rules.ruling(Facts(node.clock.now(), "home", "UK"))
        assert (ruling.version, len(ruling.boosts)) == ("r1", 1)
        actions = [(line.actor, line.action) for line in node.staff.audit.page(None, 5)]
        assert actions == [("shell", "rules published"), ("shell", "rules imported")]

        code, text, _ = await ask("export")
        assert code == 0
        assert "[[rules]]" in text
        (tmp_path / "again.toml").write_text(text, "utf-8")
        assert (await ask("import", "again.toml"))[0] == 0
        assert (await ask("export", "--version", "r1"))[1] == text

        code, _, complaint = await ask("import", "wrong.toml", "--publish")
        assert (code, "character 9 (= " in complaint) == (1, True), complaint
        code, _, complaint = await ask("export", "--version", "r9")
        assert (code, complaint) == (1, "there is no version r9 (any more)\n")
        assert await node.rule_book.store.latest_number() == 1
