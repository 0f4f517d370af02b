"""`personalize import`: from files to catalogue and features, resumable, twice is once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.importing.load import Loader
from app.importing.mapping import Mapping
from app.importing.rows import CannotImport, count_lines, digest, find_files, read_rows
from app.importing.translate import Translator, time_reader
from app.node import Node
from store.clock import EventClock

BATCHES_EACH = 400
"""Orders (or clicks) between two notes of how far the import has come."""

Moved = Callable[[int, int], None]
"""Told rows done and rows in all."""


@dataclass(frozen=True)
class Imported:
    """What an import did."""

    rows: int
    resumed_at: int
    items: int
    outcomes: Counter[str]
    skipped: Counter[str]


async def import_files(node: Node, mapping: Mapping, folder: Path, moved: Moved, until: str = "") -> Imported:
    """Load what a mapping describes. Interrupted, it goes on where it was; repeated, it changes nothing.

    `until` leaves out rows from that time on (in the mapping's own time format). On a node with a wall clock the
    history is moved so that its last event happened just now: its age is then what it was when the export was made.
    Raises CannotImport or a StoreFault.
    """
    files = find_files(folder, mapping.files)
    source = f"{mapping.name}:{digest(files)}{':' + until if until else ''}"
    total = count_lines(files)
    done = node.person.imported(source)
    shift = await _shift(node, mapping, files, source, until)
    translator = Translator(mapping, currency=node.config.shop.currency, shift_ms=shift)
    loader = Loader(node)
    items: set[str] = set()
    end = time_reader(mapping.time)(until) if until else 0
    rows = read_rows(files, mapping, skip=done)
    if end:
        read = time_reader(mapping.time)
        rows = ((number, row) for number, row in rows if read(row[mapping.time.column]) < end)
    for portion in translator.portions(rows, BATCHES_EACH):
        if portion.items:
            node.clock.observe(translator.latest_ms)
            await node.shop.put_items(list(portion.items.values()), node.clock.now())
            items.update(portion.items)
        await loader.load(portion.batches)
        await _note(node, source, portion.done)
        moved(portion.done, total)
    return Imported(total, done, len(items), loader.outcomes, translator.skipped)


async def _note(node: Node, source: str, done: int) -> None:
    now = node.clock.now()

    async def note(transaction: object) -> None:
        node.person.note_import(transaction, source, done, now)  # type: ignore[arg-type]

    await node.intake.writer.exclusive(note)


async def _shift(node: Node, mapping: Mapping, files: Sequence[Path], source: str, until: str) -> int:
    """Milliseconds to add to the files' times; the same again when an import is resumed."""
    if isinstance(node.clock, EventClock):
        return 0
    kept = node.person.imported(f"shift of {source}")
    if kept:
        return kept
    read, latest = time_reader(mapping.time), 0
    for number, row in read_rows(files, mapping):
        try:
            latest = max(latest, read(row[mapping.time.column]))
        except ValueError as error:
            raise CannotImport(f"row {number}: time {row[mapping.time.column]!r} cannot be read ({error})") from None
    shift = node.clock.now_ms() - latest - 60_000
    await _note(node, f"shift of {source}", shift)
    return shift
