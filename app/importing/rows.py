"""Reads the rows of an export: CSV or the like, several files in name order, gzip on the way, bytes counted."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from app.importing.mapping import FilesSpec, Mapping
from app.suggestion import suggest

Row = dict[str, str]


class CannotImport(Exception):
    """Files that are absent or not what the mapping says; the message says what, where and what would be right."""


def find_files(folder: Path, spec: FilesSpec) -> list[Path]:
    """The files of a mapping, in name order."""
    if not folder.exists():
        raise CannotImport(f"{folder}: there is no such folder")
    files = [folder] if folder.is_file() else sorted(folder.glob(spec.pattern))
    if not files:
        raise CannotImport(f"{folder}: no file matches '{spec.pattern}' ([files] pattern)")
    return files


def digest(files: Sequence[Path]) -> str:
    """What the files hold, as 16 hex digits: a changed file is another import."""
    found = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                found.update(block)
    return found.hexdigest()[:16]


def count_lines(files: Sequence[Path]) -> int:
    """About how many rows are to come, for the progress bar. Raises CannotImport for damaged gzip."""
    lines = 0
    for path in files:
        with _open(path) as file, _whole(path):
            while block := file.read(1 << 20):
                lines += block.count(b"\n")
        lines -= 1
    return max(lines, 0)


def read_rows(files: Sequence[Path], mapping: Mapping, skip: int = 0) -> Iterator[tuple[int, Row]]:
    """(number, row) of every data row, numbered from 1 over all files; the first `skip` are passed over.

    Raises CannotImport for a missing column, and for bytes the encoding does not have.
    """
    number = 0
    for path in files:
        with _whole(path), _open(path) as raw, io.TextIOWrapper(raw, mapping.files.encoding, newline="") as text:
            reader = csv.reader(text, delimiter=mapping.files.delimiter)
            try:
                header = next(reader, [])
                header[:1] = [header[0].removeprefix("\ufeff")] if header else []  # Excel's mark of UTF-8
                _check_header(path, header, mapping)
                for values in reader:
                    number += 1
                    if number > skip:
                        yield number, dict(zip(header, values, strict=False))
            except UnicodeDecodeError as error:
                raise CannotImport(
                    f"{path}: near row {number + 1}: not {mapping.files.encoding} ({error.reason});"
                    " set [files] encoding to what it is, often 'cp1252'"
                ) from None
            except csv.Error as error:
                raise CannotImport(f"{path}: near row {number + 1}: {error}") from None


@contextmanager
def _whole(path: Path) -> Iterator[None]:
    try:
        yield
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise CannotImport(f"{path}: cut short or no gzip: {error}") from None


def _open(path: Path) -> IO[bytes]:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


def _check_header(path: Path, header: list[str], mapping: Mapping) -> None:
    missing = sorted(mapping.column_names() - set(header))
    if missing:
        said = "; ".join(f"no column '{name}'{suggest(name, header)}" for name in missing)
        raise CannotImport(f"{path}: {said}")
