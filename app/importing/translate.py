"""Turns mapped rows into items and event batches in the shape a shop's server would send (WEB.md)."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from app.importing.mapping import EPOCHS, Column, Mapping, TimeSpec
from app.importing.rows import Row
from store.item_rules import item_problems
from store.records import Item

LINES_PER_EVENT = 500
"""An order with more lines becomes several events."""


class Unusable(Exception):
    """Why a row is passed over."""


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
    """Rows in, portions out; counts what was skipped and why.

    `stored` is what the catalogue knows of an item already: what the rows do not say about it stays as it is.
    """

    def __init__(
        self,
        mapping: Mapping,
        *,
        currency: str,
        shift_ms: int = 0,
        stored: Callable[[str], Item | None] = lambda _item_id: None,
    ) -> None:
        self.mapping = mapping
        self.skipped: Counter[str] = Counter()
        self.latest_ms = 0
        self._shift_ms = shift_ms
        self._currency = currency
        self._stored = stored
        self._time = time_reader(mapping.time)
        self._items: dict[str, Item] = {}
        self._said: dict[str, tuple[str, float, str, str]] = {}
        item, visitor, event = mapping.item, mapping.visitor, mapping.event
        self._item_id = _reader(item.id)
        self._title, self._price, self._quantity = _reader(item.title), _reader(item.price), _reader(item.quantity)
        self._brand, self._category = _reader(item.brand), _reader(item.category)
        self._user, self._session, self._region = map(_reader, (visitor.user, visitor.session, visitor.region))
        self._refund = _reader(event.refund_when)

    def portions(self, rows: Iterable[tuple[int, Row]], batches_each: int) -> Iterator[Portion]:
        """Translated rows, some `batches_each` at a time; an order is never cut by a portion's end."""
        portion, waiting, last = Portion(), None, 0
        group_by = self.mapping.event.group_by
        for number, row in rows:
            group = row.get(group_by, "") if group_by else str(number)
            if waiting is None or waiting.group != group or len(waiting.lines) >= LINES_PER_EVENT:
                if waiting is not None:
                    _close(waiting, portion)
                    waiting = None
                portion.done = number - 1
                if len(portion.batches) >= batches_each:
                    yield portion
                    portion = Portion(number - 1)
            waiting = self._add(row, number, group, waiting, portion)
            last = number
        if waiting is not None:
            _close(waiting, portion)
        if last:
            portion.done = last
            yield portion

    def _add(self, row: Row, number: int, group: str, waiting: _Open | None, portion: Portion) -> _Open | None:
        """Put a row into the open event, or open one; None while no usable row of the group was seen."""
        try:
            at = self._time(row.get(self.mapping.time.column, "")) + self._shift_ms
            line = self._line(row, at, portion)
            if waiting is None:
                waiting = _Open(group, self._batch(row, number, group, at), [])
        except Unusable as reason:
            self.skipped[str(reason)] += 1
        else:
            waiting.lines.append(line)
        return waiting

    def _line(self, row: Row, at: int, portion: Portion) -> dict[str, Any]:
        item_id = self._item_id(row)
        if not item_id:
            raise Unusable("no item id")
        price, quantity = 0.0, 1.0
        if self.mapping.item.price:
            price = _number(self._price(row), "price")
        if self.mapping.item.quantity:
            quantity = abs(_number(self._quantity(row), "quantity") or 1.0)
        self._note_item(item_id, row, price, at, portion)
        return {"item_id": item_id, "quantity": quantity, **({"price": price} if price > 0 else {})}

    def _note_item(self, item_id: str, row: Row, price: float, at: int, portion: Portion) -> None:
        """Items are as their latest row describes them; an empty title or price keeps the earlier one."""
        said = ((self._title(row) or "").strip(), price, self._brand(row) or "", self._category(row) or "")
        if self._said.get(item_id) == said:
            return
        title, price, brand, category = said
        known = self._items.get(item_id) or self._stored(item_id)
        base = known or Item(id=item_id, title=item_id, currency=self._currency, published=at / 1000)
        item = msgspec.structs.replace(
            base,
            title=title or base.title,
            price=price if price > 0 else base.price,
            brand=brand or base.brand,
            category=tuple(filter(None, category.split(self.mapping.item.category_separator))) or base.category,
        )
        if problems := item_problems(item):
            raise Unusable(f"item{problems[0][0]}: {problems[0][1]}")
        self._items[item_id], self._said[item_id] = item, said
        if item != known:
            portion.items[item_id] = item

    def _batch(self, row: Row, number: int, group: str, at: int) -> dict[str, Any]:
        """The envelope of a new event with its visitor."""
        spec, event = self.mapping.visitor, self.mapping.event
        user, session = self._user(row), self._session(row)
        if not user and not session:
            raise Unusable("no visitor")
        self.latest_ms = max(self.latest_ms, at)
        name = "refund" if event.refund_when and self._refund(row) else event.name
        identity = f"{(row.get(event.id, '') if event.id else '') or group}-{number}"
        return {
            "consent": spec.consent,
            "purposes": spec.purposes,
            **({"user": user} if user else {"anon": f"signed-out session {session}"}),
            **({"session": session} if session else {}),
            "region": self._region(row) or "",
            "events": [{"id": identity, "name": name, "ts": at, "params": {"items": []}}],
        }


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
    """Text to epoch milliseconds; raises Unusable. Equal texts (lines of one order) are read once."""
    scale = EPOCHS.get(spec.format, 0)
    zone = ZoneInfo(spec.zone) if spec.zone != "UTC" else UTC
    iso = spec.format == "%Y-%m-%d %H:%M:%S"

    @lru_cache(maxsize=1024)
    def read(text: str) -> int:
        try:
            if scale:
                return int(float(text) * scale)
            when = datetime.fromisoformat(text) if iso else datetime.strptime(text, spec.format)  # noqa: DTZ007  below
            return int((when if when.tzinfo else when.replace(tzinfo=zone)).timestamp() * 1000)
        except (ValueError, OverflowError):
            raise Unusable("time cannot be read") from None

    return read


def _number(text: str | None, what: str) -> float:
    """0 where nothing is written."""
    if text is None:
        raise Unusable(f"{what} does not match")
    try:
        number = float(text or 0)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise Unusable(f"{what} is no number")
    return number
