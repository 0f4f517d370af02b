"""Rules as a TOML file: to be kept in a repository, reviewed, and carried from one shop to another."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence

import msgspec
import tomli_w

from app.problem import FieldError, field_error
from app.rules.model import Rule


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    rules: list[Rule] = []


class NotToml(ValueError):
    """A file that cannot be read as rules, each mistake with its place."""

    def __init__(self, problems: list[FieldError]) -> None:
        super().__init__(
            "; ".join(f"{each.pointer}: {each.detail}" if each.pointer else each.detail for each in problems)
        )
        self.problems = problems


def to_toml(rules: Sequence[Rule]) -> str:
    """`[[rules]]` tables, in the order in which they have their way."""
    return tomli_w.dumps({"rules": [msgspec.to_builtins(rule) for rule in rules]})


def from_toml(text: str) -> list[Rule]:
    """Raises NotToml."""
    try:
        told = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise NotToml([FieldError("", f"not TOML: {error}")]) from None
    try:
        return msgspec.convert(told, _File).rules
    except msgspec.ValidationError as error:
        raise NotToml([field_error(error)]) from None
