"""The catalogue's columns and words as a file beside shop.db, so that a start need not decode every product anew.

A cache and nothing else: it is used where exactly this program made it, told by a digest, and where most products are
what they were, told by a mark of each; the others are decoded. It holds nothing about people.
"""

from __future__ import annotations

import hashlib
import logging
import os
import sys
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.abc import InspectLoader
from pathlib import Path
from types import CodeType
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from store.catalogue import Catalogue
from store.columns import AttributeColumn, Column, Words
from store.search_index import SearchIndex

Array = NDArray[Any]
Row = tuple[int, bytes]

_MADE_BY = (
    "store.affinities", "store.catalogue", "store.catalogue_cache", "store.columns", "store.postings",
    "store.price_bands", "store.records", "store.search_index", "store.search_words", "store.sensitive",
    "store.vocabulary",
)  # fmt: skip
"""Whatever decides what lies in a column: a change of any of them makes a cache stale."""
_COLUMNS = (
    "_price", "_log_price", "_discount", "_published", "_category", "_top_category", "_brand", "_availability",
    "_servable", "_sensitive", "_regions",
)  # fmt: skip
_CHANGED_AT_MOST = 0.5
"""With more of the products changed all are read."""
_log = logging.getLogger("personalize")


class _Head(msgspec.Struct):
    """What is no array."""

    ids: list[str]
    categories: list[tuple[str, ...]]
    """The path of every category code."""
    tops: list[str]
    brands: list[str]
    availabilities: list[str]
    regions: list[str]
    attributes: dict[str, list[str]]
    """Attribute -> its texts by code; its cells are the arrays `<name>/codes` and `<name>/numbers`."""
    words: list[str]
    spellings: dict[str, int]
    program: str = ""
    """Who made it; the caches of earlier versions do not say."""


@dataclass(frozen=True, eq=False)
class Seen:
    """What was read from the database: by which program and denylist, numbers of the products, and a mark of each."""

    program: str
    numbers: NDArray[np.int64]
    marks: NDArray[np.uint64]


def seen_in(rows: Sequence[Row], catalogue: Catalogue) -> Seen:
    """A mark is eight bytes of a digest; about a tenth of a second for 100,000 products."""
    program = hashlib.sha256(_program() + repr(catalogue.denied.entries).encode()).hexdigest()
    marks = b"".join([hashlib.blake2b(body, digest_size=8).digest() for _, body in rows])
    numbers = np.fromiter((number for number, _ in rows), np.int64, len(rows))
    return Seen(program, numbers, np.frombuffer(marks, np.uint64))


def write_cache(path: Path, seen: Seen, catalogue: Catalogue, search: SearchIndex) -> bool:
    """Keep them as they are; False, and nothing is kept, where they change meanwhile."""
    version, paths = catalogue.version, _paths(catalogue)
    if len(paths) != len(catalogue.category_names):  # a category without items: its path is not known any more
        return False
    head = _Head(
        catalogue.ids, paths, catalogue.top_category_names, catalogue.brand_names,
        catalogue.availability_names, catalogue.region_names,
        {name: column.words.names for name, column in catalogue.attributes.items()},
        search.vocabulary.words, search.vocabulary.spellings(), seen.program,
    )  # fmt: skip
    arrays = {"head": np.frombuffer(msgspec.msgpack.encode(head), np.uint8), "keys": search.keys}
    arrays |= {"numbers": seen.numbers, "marks": seen.marks}
    for name in _COLUMNS:
        arrays[name] = getattr(catalogue, name).values[: catalogue.size]
    for name, column in catalogue.attributes.items():
        for kind, cells in (("codes", column.codes), ("numbers", column.numbers)):
            if cells is not None:
                arrays[f"{name}/{kind}"] = cells.values[: catalogue.size]
    temporary = path.with_suffix(f".{os.getpid()}")
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            np.savez(file, allow_pickle=False, **arrays)  # type: ignore[arg-type]  # names are ours, none is a parameter
        if catalogue.version != version:
            return False
        temporary.replace(path)
    except OSError as error:
        _log.warning("%s cannot be written (%s): the next start takes longer", path, error.strerror)
        return False
    finally:
        temporary.unlink(missing_ok=True)
    return True


def read_cache(
    path: Path, seen: Seen, rows: Sequence[Row], catalogue: Catalogue, search: SearchIndex
) -> list[Row] | None:
    """Fill a new catalogue and its index from what was kept: the rows that changed since, still to be taken over.

    None, with nothing changed, where it does not fit.
    """
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            head = msgspec.msgpack.decode(file["head"].tobytes(), type=_Head)
            if head.program != seen.program:
                return None
            arrays = {name: file[name] for name in file.files if name != "head"}
        numbers, marks = arrays["numbers"], arrays["marks"]
        kept = len(numbers)
        if not np.array_equal(numbers, seen.numbers[:kept]):
            return None
        changed = [*np.flatnonzero(marks != seen.marks[:kept]).tolist(), *range(kept, len(rows))]
        if len(changed) > _CHANGED_AT_MOST * len(rows):
            return None
    except FileNotFoundError:
        return None
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, msgspec.MsgspecError) as error:
        _log.warning("%s is damaged (%s): it is made anew", path, error)
        return None
    _restore(catalogue, head, arrays, rows[:kept])
    search.restore(head.words, head.spellings, arrays["keys"])
    return [rows[place] for place in changed]


def _restore(catalogue: Catalogue, head: _Head, arrays: dict[str, Array], rows: Sequence[Row]) -> None:
    names = catalogue.names
    for path in head.categories:
        names.category(path)
    for top in head.tops:
        names.top((top,))
    for brand in head.brands:
        names.brand(brand)
    for words, known in ((catalogue.availabilities, head.availabilities), (catalogue.regions_named, head.regions)):
        for word in known:
            words.code(word)
    catalogue.take_over(head.ids, dict(rows), {name: arrays[name] for name in _COLUMNS})
    for name, texts in head.attributes.items():
        catalogue.attributes[name] = _attribute(
            texts, arrays.get(f"{name}/codes"), arrays.get(f"{name}/numbers"), catalogue.size
        )


def _attribute(texts: list[str], codes: Array | None, numbers: Array | None, size: int) -> AttributeColumn:
    column = AttributeColumn(size)
    column.words = Words()
    for text in texts:
        column.words.code(text)
    if codes is not None:
        column.codes = Column(np.int32, -1, 0)
        column.codes.values = codes
    if numbers is not None:
        column.numbers = Column(np.float64, np.nan, 0)
        column.numbers.values = numbers
    return column


def _paths(catalogue: Catalogue) -> list[tuple[str, ...]]:
    """The path behind every category code, told by the first item that has it."""
    codes, first = np.unique(catalogue.category, return_index=True)
    return [catalogue.item(int(number)).category for code, number in zip(codes, first, strict=True) if code >= 0]


def _program() -> bytes:
    return b"".join(hashlib.sha256(code).digest() for code in _compiled())


def _compiled() -> Iterator[bytes]:
    yield f"{sys.version_info[:2]} {np.__version__}".encode()
    for name in _MADE_BY:
        spec = sys.modules[name].__spec__
        loader = spec.loader if spec else None
        if not isinstance(loader, InspectLoader):  # nothing is known of it: then no cache ever fits
            yield os.urandom(16)
            continue
        yield from _code(loader.get_code(name))


def _code(code: CodeType | None) -> Iterator[bytes]:
    """Instructions, names and constants of a module and of everything in it, alike in every process."""
    if code is None:
        return
    yield code.co_code + repr(code.co_names).encode()
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _code(constant)
        else:
            yield repr(sorted(map(repr, constant)) if isinstance(constant, frozenset) else constant).encode()
