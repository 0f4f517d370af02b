"""What a person decides in one go: what they agree to, refuse and object to, and whether use is to pause meanwhile.

Pure: it says what a choice makes of the purposes in force; app/ingest/known.py changes the row by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from app.privacy.gatekeeper import ConsentSignal, Gate
from store.records import PURPOSE_NAMES, PersonRow, Purpose

_NAMES = [(name, int(purpose)) for name, purpose in PURPOSE_NAMES.items() if purpose]
_STANDING = 127


class Choice(NamedTuple):
    """A decision as it is told. Purposes are sets; what neither `yes` nor `no` names stays as it is, unless `state`
    says where to begin."""

    state: str = ""
    """`granted`, `session` or `denied` to begin from; empty: from what holds now."""
    yes: int = 0
    no: int = 0
    object_to: int = 0
    restrict: bool | None = None
    language: str = ""


class Told(NamedTuple):
    """When, how and under which text somebody decided."""

    at: int
    """Epoch seconds."""
    version: str = ""
    region: str = ""
    source: str = ""
    language: str = ""


def grantable(signal: ConsentSignal, gate: Gate) -> int:
    """Purposes that a yes can grant in this region, as far as consent strings that came along permit."""
    return int(gate.at_most(replace(signal, state="", named=Purpose.NONE)))


def chosen(choice: Choice, row: PersonRow, signal: ConsentSignal, gate: Gate, now: int) -> tuple[int, int]:
    """Purposes granted and purposes objected to after a choice; `row` is what was known before."""
    objected = (row.objected & ~choice.yes) | choice.object_to
    most = grantable(signal, gate)
    purposes = (_begin(choice, row, signal, gate, now) | choice.yes) & ~choice.no
    return purposes & most & ~objected, objected


def _begin(choice: Choice, row: PersonRow, signal: ConsentSignal, gate: Gate, now: int) -> int:
    if choice.state:
        return int(gate.decided(replace(signal, state=choice.state)) or 0)
    if row.restricted:
        return row.restricted & _STANDING
    return int(gate.allow(replace(signal, state="", named=Purpose.NONE), row, now).purposes)


def by_name(purposes: int) -> dict[str, bool]:
    """Every purpose that can be decided about, and whether it is in the set."""
    return {name: bool(purposes & purpose) for name, purpose in _NAMES}


def read_purposes(told: Mapping[str, bool]) -> tuple[int, int, list[str]]:
    """(yes, no, names nobody knows) of a table of purposes."""
    yes = no = 0
    unknown = []
    for name, said in told.items():
        purpose = PURPOSE_NAMES.get(name)
        if purpose is None:
            unknown.append(name)
        elif said:
            yes |= int(purpose)
        else:
            no |= int(purpose)
    return yes, no, unknown
