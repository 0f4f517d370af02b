"""Reads CSV and TSV as shops export them: a header, then a row a product, in the encoding the operator says."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from app.feeds.options import FeedOptions
from app.feeds.raw import FeedBroken

LONGEST_CELL = 1_000_000
_BOMS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


def header_of(path: Path, options: FeedOptions) -> list[str]:
    """The columns' names, as written."""
    with path.open(encoding=encoding_of(path, options), newline="", errors="replace") as file:
        text = file.readline(LONGEST_CELL)
    return next(csv.reader([text], delimiter=delimiter_of(text, options)), [])


def read_table(path: Path, options: FeedOptions, delimiter: str = "") -> Iterator[tuple[int, dict[str, str]]]:
    """(line, column -> text) of every row that is not empty. Raises FeedBroken."""
    csv.field_size_limit(LONGEST_CELL)
    encoding = encoding_of(path, options)
    line = 1
    try:
        with path.open(encoding=encoding, newline="") as file:
            head = file.readline(LONGEST_CELL)
            file.seek(0)
            reader = csv.reader(file, delimiter=delimiter or delimiter_of(head, options), strict=False)
            names = [name.strip() for name in next(reader, [])]
            if not any(names):
                raise FeedBroken("the file is empty; the first line names the columns")
            for values in reader:
                line = reader.line_num
                if any(values):
                    yield line, dict(zip(names, values, strict=False))
    except UnicodeDecodeError as error:
        raise FeedBroken(
            f"near line {line + 1}: not {encoding} ({error.reason}); set `encoding` to what it is, often cp1252"
        ) from None
    except LookupError:
        raise FeedBroken(f"there is no encoding {encoding!r}; most files are utf-8 or cp1252") from None
    except csv.Error as error:
        raise FeedBroken(f"near line {line + 1}: {error}") from None


def encoding_of(path: Path, options: FeedOptions) -> str:
    """What the file says by its first bytes, else what the operator says."""
    with path.open("rb") as file:
        begin = file.read(4)
    return next((encoding for bom, encoding in _BOMS if begin.startswith(bom)), options.encoding)


def delimiter_of(head: str, options: FeedOptions) -> str:
    """The one of comma, semicolon and tab that the first line has most of."""
    return options.delimiter or max(",;\t", key=head.count)
