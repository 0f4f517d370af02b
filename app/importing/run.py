"""`personalize import`: from files to catalogue and features, resumable, twice is once."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.importing.load import Loader
from app.importing.mapping import Mapping
from app.importing.rows import CannotImport, Row, count_lines, digest, find_files, read_rows
from app.importing.translate import Translator, Unusable, time_reader
from app.node import Node
from store.clock import EventClock
from store.database import Transaction

DAY_MS = 86_400_000
BATCHES_EACH = 400
"""Orders (or clicks) between two notes of how far the import has come."""

VAULT_SECONDS = 60.0
"""How long the end of an import waits for the vault; the events are safe before that."""

Moved = Callable[[int, int], None]
"""Told rows done and rows in all."""


@dataclass(frozen=True)
class Imported:
    """What an import did."""

    rows: int
    """How far it has come, rows of earlier runs included."""
    resumed_at: int
    items: int
    outcomes: Counter[str]
    skipped: Counter[str]
    moved_days: float = 0.0
    """How far the history was moved (`[time] ends_now`)."""


async def import_files(node: Node, mapping: Mapping, folder: Path, moved: Moved, until: str = "") -> Imported:
    """Load what a mapping describes. Interrupted, it goes on where it was; repeated, it changes nothing.

    `until` leaves out rows from that time on (in the mapping's own time format). Where the
    mapping says `ends_now` and the node's clock is the wall's, the history is moved so that its last event is now.
    Raises CannotImport or a StoreFault.
    """
    files = find_files(folder, mapping.files)
    source = f"{mapping.name}:{digest(files)}{':' + until if until else ''}"
    total, done = count_lines(files), node.person.imported(source)
    end = _end(mapping, until)
    shift = await _shift(node, mapping, files, source, end)
    translator = Translator(
        mapping,
        currency=node.config.shop.currency,
        shift_ms=shift,
        stored=node.shop.get,
    )
    loader, items, reached = Loader(node), set[str](), done
    for portion in translator.portions(_rows(files, mapping, end, skip=done), BATCHES_EACH):
        if portion.items:
            node.clock.observe(translator.latest_ms)
            await node.shop.put_items(list(portion.items.values()), node.clock.now())
            items.update(portion.items)
        await loader.load(portion.batches)
        await _note(node, source, portion.done)
        reached = portion.done
        moved(reached, total)
    await node.intake.until_vaulted(patience=VAULT_SECONDS)
    return Imported(reached, done, len(items), loader.outcomes, translator.skipped, shift / DAY_MS)


def _rows(files: Sequence[Path], mapping: Mapping, end: int, skip: int = 0) -> Iterator[tuple[int, Row]]:
    """Rows before `end` (milliseconds; 0 = all). One whose time cannot be read stays, to be counted as skipped."""
    rows = read_rows(files, mapping, skip)
    if not end:
        return rows
    read, column = time_reader(mapping.time), mapping.time.column

    def before(row: Row) -> bool:
        try:
            return read(row.get(column, "")) < end
        except Unusable:
            return True

    return ((number, row) for number, row in rows if before(row))


def _end(mapping: Mapping, until: str) -> int:
    try:
        return time_reader(mapping.time)(until) if until else 0
    except Unusable:
        raise CannotImport(f"--until {until!r}: not a time as the files write it ({mapping.time.format})") from None


async def _note(node: Node, source: str, done: int) -> None:
    now = node.clock.now()

    async def note(transaction: Transaction) -> None:
        node.person.note_import(transaction, source, done, now)

    await node.intake.writer.exclusive(note)


async def _shift(node: Node, mapping: Mapping, files: Sequence[Path], source: str, end: int) -> int:
    """Milliseconds to add to the files' times; the same again when an import is resumed.

    Raises CannotImport where not one row has a time that can be read.
    """
    if isinstance(node.clock, EventClock) or not mapping.time.ends_now:
        return 0
    kept = node.person.imported(f"shift of {source}")
    if kept:
        return kept
    read, column, latest, example = time_reader(mapping.time), mapping.time.column, 0, None
    for _, row in _rows(files, mapping, end):
        example = row.get(column, "")
        with contextlib.suppress(Unusable):
            latest = max(latest, read(example))
    if not latest and example is not None:
        raise CannotImport(f"no time can be read, {example!r} for one is not {mapping.time.format} ([time] format)")
    shift = node.clock.now_ms() - latest - 60_000
    await _note(node, f"shift of {source}", shift)
    return shift
