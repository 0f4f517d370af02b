"""What changed between two versions of the rules, rule by rule and field by field."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from app.rules.model import Rule


class Change(msgspec.Struct, frozen=True, omit_defaults=True):
    """One field of a rule: where (a JSON pointer), what it was, what it is; null where it was or is not said."""

    pointer: str
    before: Any = None
    after: Any = None


class Changed(msgspec.Struct, frozen=True):
    """A rule that is in both, and says something else."""

    id: str
    name: str
    changes: list[Change]


class Diff(msgspec.Struct, frozen=True):
    """From one set of rules to another."""

    before: str
    after: str
    added: list[Rule]
    removed: list[Rule]
    changed: list[Changed]

    @property
    def empty(self) -> bool:
        return not (self.added or self.removed or self.changed)


def diff(before: Sequence[Rule], after: Sequence[Rule], names: tuple[str, str] = ("", "")) -> Diff:
    """What has to be done to `before` to get `after`."""
    old, new = {rule.id: rule for rule in before}, {rule.id: rule for rule in after}
    changed = [
        Changed(rule.id, rule.name, list(_changes(msgspec.to_builtins(old[rule.id]), msgspec.to_builtins(rule))))
        for rule in after
        if rule.id in old and old[rule.id] != rule
    ]
    added = [rule for rule in after if rule.id not in old]
    return Diff(names[0], names[1], added, [rule for rule in before if rule.id not in new], changed)


def _changes(before: Any, after: Any, pointer: str = "") -> Iterator[Change]:  # noqa: ANN401  JSON of any shape
    if isinstance(before, dict) and isinstance(after, dict):
        for key in dict.fromkeys([*before, *after]):
            yield from _changes(before.get(key), after.get(key), f"{pointer}/{key}")
    elif before != after:
        yield Change(pointer, before, after)
