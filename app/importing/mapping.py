"""A mapping file: which column of a shop's export is the time, the visitor, the item, the event."""

from __future__ import annotations

import codecs
import re
import tomllib
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from app.config.loading import ConfigError, parse_table
from app.ingest.wire import EVENT_NAMES
from app.suggestion import suggest
from store.records import PURPOSE_NAMES

EPOCHS = {"epoch_seconds": 1000, "epoch_milliseconds": 1}
"""Formats that are numbers -> milliseconds of one."""
PRESETS = Path(__file__).parent / "presets"


class Column(msgspec.Struct, frozen=True):
    """Where a value comes from and how it is cleaned."""

    column: str
    remove_suffix: str = ""
    """Cut off the end when it is there: "17850.0" with ".0" is 17850."""
    matches: str = ""
    """Regular expression the value has to match (from its start); other rows count as `skipped`."""
    map: dict[str, str] = {}
    """Value -> value; what is not listed stays as it is."""
    default: str = ""


class FilesSpec(msgspec.Struct, frozen=True):
    """[files]"""

    pattern: str
    """File names inside the given folder; several are read in name order. `.gz` is unpacked on the way."""
    delimiter: str = ","
    encoding: str = "utf-8"


class TimeSpec(msgspec.Struct, frozen=True):
    """[time]"""

    column: str
    format: str = "epoch_seconds"
    """`epoch_seconds`, `epoch_milliseconds` or a strptime pattern."""
    zone: str = "UTC"
    """Time zone of times without one."""
    ends_now: bool = False
    """Move the history so that its last event happened just now: for old data sets, on a node with a wall clock."""


class VisitorSpec(msgspec.Struct, frozen=True):
    """[visitor]"""

    user: Column | None = None
    session: Column | None = None
    """The visit; also who a row without a user is: a signed-out session."""
    region: Column | None = None
    consent: Literal["session", "granted"] = "session"
    """What the shop holds consent for; the import states it, as the beacon would."""
    purposes: list[str] = []
    """Vault purposes opted in to, by name."""


class EventSpec(msgspec.Struct, frozen=True):
    """[event]"""

    name: str
    group_by: str = ""
    """Consecutive rows with one value here are one event with several lines: an invoice."""
    id: str = ""
    """Column that makes the event's id, so that a second import counts nothing twice; empty: file and line."""
    refund_when: Column | None = None
    """A row where this matches is a refund."""


class ItemSpec(msgspec.Struct, frozen=True):
    """[item]"""

    id: Column
    title: Column | None = None
    price: Column | None = None
    quantity: Column | None = None
    brand: Column | None = None
    category: Column | None = None
    category_separator: str = "/"


class Mapping(msgspec.Struct, frozen=True):
    """One whole mapping file."""

    name: str
    files: FilesSpec
    time: TimeSpec
    visitor: VisitorSpec
    event: EventSpec
    item: ItemSpec
    about: str = ""
    source: str = ""
    """Where the data comes from and under which licence."""

    def problems(self) -> list[str]:
        """What is wrong beyond types."""
        found = []
        for path, column in self.columns():
            try:
                re.compile(column.matches)
            except re.error as error:
                found.append(f"{path}.matches: not a regular expression: {error}")
        if self.visitor.user is None and self.visitor.session is None:
            found.append("visitor: needs user or session, or nobody did anything")
        found += [
            f"visitor.purposes: no purpose '{purpose}'{suggest(purpose, PURPOSE_NAMES)}"
            for purpose in self.visitor.purposes
            if purpose not in PURPOSE_NAMES
        ]
        if self.event.name not in EVENT_NAMES:
            found.append(f"event.name: no event '{self.event.name}'{suggest(self.event.name, EVENT_NAMES)}")
        return found + self._unreadable()

    def _unreadable(self) -> list[str]:
        """Settings of reading that Python does not know."""
        found = []
        if len(self.files.delimiter) != 1:
            found.append(f"files.delimiter: expected one character, got {self.files.delimiter!r}")
        try:
            codecs.lookup(self.files.encoding)
        except LookupError:
            found.append(f"files.encoding: no encoding '{self.files.encoding}'; most files are utf-8 or cp1252")
        try:
            ZoneInfo(self.time.zone)
        except (ZoneInfoNotFoundError, ValueError):
            found.append(f"time.zone: no time zone '{self.time.zone}'; expected one like Europe/Paris")
        if "%" not in self.time.format and self.time.format not in EPOCHS:
            found.append(f"time.format: '{self.time.format}' is no strptime pattern{suggest(self.time.format, EPOCHS)}")
        return found

    def columns(self) -> list[tuple[str, Column]]:
        """Every column asked for, with its TOML path."""
        parts = (("visitor", self.visitor), ("event", self.event), ("item", self.item))
        return [
            (f"{name}.{field}", value)
            for name, part in parts
            for field in part.__struct_fields__
            if isinstance(value := getattr(part, field), Column)
        ]

    def column_names(self) -> set[str]:
        """Names the header row must have."""
        names = {self.time.column, *(column.column for _, column in self.columns())}
        return names | {name for name in (self.event.group_by, self.event.id) if name}


def load_mapping(name: str) -> Mapping:
    """A preset by name, or a mapping file by path. Raises ConfigError naming what is wrong or the presets there are."""
    path = PRESETS / f"{name}.toml"
    if not path.is_file():
        path = Path(name)
    if not path.is_file():
        known = sorted(preset.stem for preset in PRESETS.glob("*.toml"))
        raise ConfigError(name, [f"neither a preset nor a mapping file{suggest(name, known)}"])
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(str(path), [f"not valid TOML: {error}"]) from None
    mapping = parse_table(Mapping, table, str(path))
    if found := mapping.problems():
        raise ConfigError(str(path), found)
    return mapping
