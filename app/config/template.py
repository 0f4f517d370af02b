"""The commented configuration that ships, and the same with a shop's own answers in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomli_w

TEMPLATE = Path(__file__).with_name("template.toml")
"""A link to the personalize.toml at the top of the repository; in the wheel and the binary a copy."""


def fill(answers: Mapping[str, Mapping[str, Any]], *, minimal: bool = False) -> str:
    """The shipped file with some values replaced (table -> key -> value); `minimal`: only those values."""
    if minimal:
        return tomli_w.dumps({table: dict(values) for table, values in answers.items() if values})
    lines, table = [], ""
    for line in TEMPLATE.read_text("utf-8").splitlines():
        if found := re.match(r"\[([^\]]+)\]", line):
            table = found[1]
        key = line.partition("=")[0].strip()
        if key in answers.get(table, {}):
            written = tomli_w.dumps({key: answers[table][key]}).rstrip("\n")
            _, hash_sign, comment = line.partition("  #")
            line = f"{written:<30} #{comment}" if hash_sign else written
        lines.append(line)
    return "\n".join(lines) + "\n"
