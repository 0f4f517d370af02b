"""Turns mapped rows into items and event batches in the shape a shop's server would send (WEB.md)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from app.importing.mapping import Column, Mapping, TimeSpec
from app.importing.rows import Row
from store.records import Item

LINES_PER_EVENT = 500
"""An order with more lines becomes several events."""


@dataclass
class Portion:
    """Some rows, translated: what to store, and up to which row that is."""

    done: int = 0
    items: dict[str, Item] = field(default_factory=dict)
    batches: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class _Open:
    """The event that rows are still being added to."""

    group: str
    batch: dict[str, Any]
    lines: list[dict[str, Any]]


class Translator:
    """Rows in, portions out; counts what was skipped and why."""

    def __init__(self, mapping: Mapping, *, currency: str, shift_ms: int = 0) -> None:
        self.mapping = mapping
        self.skipped: Counter[str] = Counter()
        self.latest_ms = 0
        self._shift_ms = shift_ms
        self._currency = currency
        self._time = time_reader(mapping.time)
        self._known: dict[str, Item] = {}
        item, visitor, event = mapping.item, mapping.visitor, mapping.event
        self._item_id = _reader(item.id)
        self._title, self._price, self._quantity = _reader(item.title), _reader(item.price), _reader(item.quantity)
        self._brand, self._category = _reader(item.brand), _reader(item.category)
        self._user, self._session, self._region = map(_reader, (visitor.user, visitor.session, visitor.region))
        self._refund = _reader(event.refund_when)

    def portions(self, rows: Iterable[tuple[int, Row]], batches_each: int) -> Iterator[Portion]:
        """Translated rows, some `batches_each` at a time; an order is never cut by a portion's end."""
        portion, waiting = Portion(), None
        for number, row in rows:
            group = row.get(self.mapping.event.group_by, "") if self.mapping.event.group_by else str(number)
            if waiting is None or waiting.group != group or len(waiting.lines) >= LINES_PER_EVENT:
                if waiting is not None:
                    _close(waiting, portion)
                    waiting = None
                portion.done = number - 1
                if len(portion.batches) >= batches_each:
                    yield portion
                    portion = Portion(number - 1)
            waiting = self._add(row, number, group, waiting, portion)
            portion.done = max(portion.done, number - 1)
            last = number
        if waiting is not None:
            _close(waiting, portion)
        if portion.done or waiting is not None:
            portion.done = last
            yield portion

    def _add(self, row: Row, number: int, group: str, waiting: _Open | None, portion: Portion) -> _Open | None:
        """Put a row into the open event, or open one; None while no usable row of the group was seen."""
        line = self._line(row, portion)
        if line is None:
            return waiting
        if waiting is None:
            batch = self._batch(row, number, group)
            if batch is None:
                return None
            waiting = _Open(group, batch, [])
        waiting.lines.append(line)
        return waiting

    def _line(self, row: Row, portion: Portion) -> dict[str, Any] | None:
        item_id = self._item_id(row)
        if not item_id:
            return self._skip("no item id")
        if self.mapping.item.price and self._price(row) is None:
            return self._skip("price does not match")
        if self.mapping.item.quantity and self._quantity(row) is None:
            return self._skip("quantity does not match")
        try:
            price = float(self._price(row) or 0)
            quantity = abs(float(self._quantity(row) or 1))
        except ValueError:
            return self._skip("price or quantity is no number")
        self._note_item(item_id, row, price, portion)
        return {"item_id": item_id, "quantity": quantity, **({"price": price} if price > 0 else {})}

    def _skip(self, reason: str) -> None:
        self.skipped[reason] += 1

    def _note_item(self, item_id: str, row: Row, price: float, portion: Portion) -> None:
        """Items are as their latest row describes them; an empty title or price keeps the earlier one."""
        known = self._known.get(item_id)
        title = (self._title(row) or "").strip()
        category = self._category(row) or ""
        item = Item(
            id=item_id,
            title=title or (known.title if known else item_id),
            price=price if price > 0 else (known.price if known else None),
            currency=self._currency,
            brand=self._brand(row) or "",
            category=tuple(filter(None, category.split(self.mapping.item.category_separator))),
            published=known.published if known else self._at(row) / 1000,
        )
        if item != known:
            self._known[item_id] = portion.items[item_id] = item

    def _batch(self, row: Row, number: int, group: str) -> dict[str, Any] | None:
        """The envelope of a new event with its visitor; None for a row without one or without a time."""
        spec, event = self.mapping.visitor, self.mapping.event
        user, session = self._user(row), self._session(row)
        if not user and (spec.session is None or not session):
            return self._skip("no visitor")
        try:
            at = self._at(row)
        except ValueError:
            return self._skip("time cannot be read")
        self.latest_ms = max(self.latest_ms, at)
        name = "refund" if event.refund_when and self._refund(row) else event.name
        identity = f"{event.id and row.get(event.id, '') or group}-{number}"
        return {
            "consent": spec.consent,
            "purposes": spec.purposes,
            **({"user": user} if user else {"anon": f"signed-out session {session}"}),
            **({"session": session} if session else {}),
            "region": self._region(row) or "",
            "events": [{"id": identity, "name": name, "ts": at, "params": {"items": []}}],
        }

    def _at(self, row: Row) -> int:
        return self._time(row[self.mapping.time.column]) + self._shift_ms


def _close(waiting: _Open, portion: Portion) -> None:
    waiting.batch["events"][0]["params"]["items"] = waiting.lines
    portion.batches.append(waiting.batch)


def _reader(column: Column | None) -> Callable[[Row], str | None]:
    """A cleaned value of a row: None where it is absent or does not match."""
    if column is None:
        return lambda _row: None
    name, suffix, mapped, default = column.column, column.remove_suffix, column.map, column.default
    pattern = re.compile(column.matches) if column.matches else None

    def read(row: Row) -> str | None:
        value = row.get(name) or default
        if suffix:
            value = value.removesuffix(suffix)
        if pattern is not None and not pattern.match(value):
            return None
        return mapped.get(value, value)

    return read


def time_reader(spec: TimeSpec) -> Callable[[str], int]:
    """Text to epoch milliseconds; raises ValueError. Equal texts (lines of one order) are read once."""
    scale = {"epoch_seconds": 1000, "epoch_milliseconds": 1}.get(spec.format)
    if scale is not None:
        return lambda text: int(float(text) * scale)
    zone = ZoneInfo(spec.zone) if spec.zone != "UTC" else UTC
    iso = spec.format == "%Y-%m-%d %H:%M:%S"

    @lru_cache(maxsize=1024)
    def read(text: str) -> int:
        when = datetime.fromisoformat(text) if iso else datetime.strptime(text, spec.format)
        return int((when if when.tzinfo else when.replace(tzinfo=zone)).timestamp() * 1000)

    return read
