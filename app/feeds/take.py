"""Takes a feed over: read beside the server, looked at, then all of it in one transaction, or none."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec
from msgspec.structs import replace

from app.feeds.options import FeedOptions
from app.feeds.reading import RowError
from app.feeds.shadow import Order, Report, read_shadow
from app.program import NICE, program
from store.catalogue import CatalogueFull
from store.database import Transaction
from store.records import Item

if TYPE_CHECKING:
    from app.node import Node

_BETWEEN = 200
_SHOWN = 20

Status = Literal["taken", "unchanged", "preview", "refused", "failed"]


class Taken(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an import came to."""

    feed: str
    status: Status
    detail: str = ""
    """Why it was refused or failed, and what would be right."""
    items: int = 0
    """Rows that became items."""
    new: int = 0
    changed: int = 0
    vanished: int = 0
    rejected: int = 0
    errors: list[RowError] = []
    """The first of the rows that were not taken."""
    vanishing: list[str] = []
    """The first ids that are gone from the feed."""


@dataclass
class _Change:
    """The feed beside what the catalogue has."""

    put: list[Item]
    """New and changed."""
    same: list[int]
    """Numbers of the items that are as they were."""
    new: int = 0


class Busy(Exception):
    """Another feed is being read."""


class FeedIntake:
    """One feed at a time; the catalogue serves on while it is read."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._turn = asyncio.Lock()
        self.folder = node.folder / "feeds"
        for left in self.folder.glob("*"):  # by a server that was killed while it read them
            left.unlink(missing_ok=True)

    async def take(
        self, name: str, options: FeedOptions, path: Path | None = None, *, preview: bool = False, shrink: bool = False
    ) -> Taken:
        """Read a feed and make the catalogue what it says; keeps the result, previews excepted.

        `path`: where the file lies already. `preview` changes nothing; `shrink` takes it however much is gone.
        Raises Busy, or a StoreFault with nothing changed.
        """
        if self._turn.locked():
            raise Busy
        async with self._turn:
            self.folder.mkdir(mode=0o700, exist_ok=True)
            shadow = self.folder / "shadow"
            try:
                taken = await self._take(name, options, path or self.folder / "feed", shadow, preview, shrink)
            finally:
                for left in (shadow, self.folder / "feed"):
                    left.unlink(missing_ok=True)
            if not preview:
                await self._node.shop.feeds.add_import(
                    name, self._node.clock.now(), msgspec.json.encode(taken).decode()
                )
            return taken

    async def _take(
        self, name: str, options: FeedOptions, path: Path, shadow: Path, preview: bool, shrink: bool
    ) -> Taken:
        node = self._node
        etag, modified = ("", "") if preview or shrink else await node.shop.feeds.left(name)
        order = Order(
            options=options, path=str(path), shadow=str(shadow), currency=node.config.shop.currency,
            most_bytes=node.config.catalogue.feed_bytes, most_items=node.config.node.items_at_most,
            errors_kept=node.config.catalogue.feed_errors, etag=etag, modified=modified,
        )  # fmt: skip
        report = await read_in_child(order, node.config.catalogue.feed_minutes)
        told = Taken(feed=name, status="taken", items=report.items, rejected=report.rejected, errors=report.errors)
        if report.broken:
            return replace(told, status="failed", detail=report.broken)
        if report.unchanged:
            return replace(told, status="unchanged", detail="the address says that it is as it was")
        change = await self._compare(shadow)
        held = await node.shop.feeds.held(name)
        gone = self._gone(held, change, report)
        told = replace(
            told, new=change.new, changed=len(change.put) - change.new, vanished=len(gone),
            vanishing=[node.catalogue.ids[number] for number in gone[:_SHOWN]],
        )  # fmt: skip
        refused = "" if shrink else _refused(report, len(held), len(gone), options.vanish_at_most)
        if refused or preview:
            return replace(told, status="preview" if preview else "refused", detail=refused)

        async def note(transaction: Transaction, numbers: list[int]) -> None:
            await node.shop.feeds.note(transaction, name, numbers + change.same, gone, report.etag, report.modified)

        try:
            await node.shop.replace(change.put, gone, note, node.clock.now())
        except CatalogueFull as full:
            return replace(told, status="failed", detail=str(full))
        return told

    async def _compare(self, shadow: Path) -> _Change:
        change = _Change([], [])
        for index, item in enumerate(read_shadow(shadow)):
            before = self._node.shop.get(item.id)
            if before is not None and before == _dated(item, before):
                number = self._node.catalogue.number(item.id)
                assert number is not None
                change.same.append(number)
            else:
                change.put.append(item)
                change.new += before is None
            if index % _BETWEEN == _BETWEEN - 1:
                await asyncio.sleep(0)
        return change

    def _gone(self, held: set[int], change: _Change, report: Report) -> list[int]:
        """What the feed brought before and names no more; a row with a mistake in it is still named."""
        named = set(change.same)
        ids = (*(item.id for item in change.put), *report.rejected_ids)
        named |= {number for item_id in ids if (number := self._node.catalogue.number(item_id)) is not None}
        return sorted(number for number in held - named if self._node.catalogue.exists(number))


def _dated(item: Item, before: Item) -> Item:
    return item if item.published else replace(item, published=before.published)


def _refused(report: Report, held: int, gone: int, share: float) -> str:
    if not report.items:
        return "not one row of it is an item; the catalogue stays as it is"
    if gone > share * held:
        return (
            f"{gone:,} of {held:,} items are gone from it, more than {share:.0%} (vanish_at_most);"
            " the catalogue stays as it is until someone takes it with shrink"
        )
    return ""


async def read_in_child(order: Order, minutes: float) -> Report:
    """Read in a process of its own, at low priority: parsing a large feed would hold requests up for milliseconds. An
    address that never comes to an end is given up after so many `minutes`."""
    child = await asyncio.create_subprocess_exec(
        *NICE, *program(), "read-feed",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip
    try:
        async with asyncio.timeout(minutes * 60):
            output, said = await child.communicate(msgspec.json.encode(order))
    except asyncio.CancelledError:
        child.terminate()
        await child.wait()
        raise
    except TimeoutError:
        child.kill()
        await child.wait()
        return Report(broken=f"it was not read after {minutes:g} minutes ([catalogue] feed_minutes)")
    if child.returncode:
        last = _last_line(said.decode(errors="replace").splitlines())
        return Report(broken=f"reading it ended with exit code {child.returncode}: {last}")
    return msgspec.json.decode(output, type=Report)


def _last_line(lines: Sequence[str]) -> str:
    return next((line for line in reversed(lines) if line.strip()), "it said nothing")
