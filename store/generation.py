"""What training learned, as one folder that is complete or not there: arrays, files, a card, a manifest of digests."""

from __future__ import annotations

import hashlib
import math
import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from store.beside import PIECE, Rest, at_once, pieces
from store.faults import GenerationUnreadable
from store.sparse import StoredRows

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Array = NDArray[Any]
Card = dict[str, Any]
"""The model card: what was learned from what, how good it is. Plain JSON."""

_MANIFEST = "manifest.json"
_POINTER = "current"
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
LARGE = 4 << 20
"""Bytes from which numpy asks for large pages."""
_MATRIX_PARTS = ("data", "indices", "indptr")


class _Entry(msgspec.Struct):
    """One file of a generation; `shape` and `dtype` are empty where it is not an array."""

    sha256: str
    size: int
    shape: tuple[int, ...] = ()
    dtype: str = ""


class _Manifest(msgspec.Struct):
    id: str
    files: dict[str, _Entry]
    card: Card


@dataclass(frozen=True)
class StoredGeneration:
    """A generation whose files were all found as its manifest describes them. Arrays are read-only,
    the small ones maps of their files."""

    id: str
    folder: Path
    arrays: Mapping[str, Array]
    paths: Mapping[str, Path]
    """Files that are not arrays, such as an index, by their name."""
    card: Card

    def rows(self, name: str) -> StoredRows | None:
        """The sparse matrix kept as `<name>.data|indices|indptr`; None where it was not learned.

        Raises GenerationUnreadable where the three do not fit.
        """
        if f"{name}.indptr" not in self.arrays:
            return None
        try:
            return StoredRows(**{part: self.arrays[f"{name}.{part}"] for part in _MATRIX_PARTS})
        except (KeyError, ValueError) as error:
            raise GenerationUnreadable(self.folder, f"{name} is no matrix ({error}); train again") from error


def matrix_arrays(name: str, matrix: csr_matrix) -> dict[str, Array]:
    """A sparse matrix as the three arrays `write_generation` takes."""
    return {f"{name}.{part}": getattr(matrix, part) for part in _MATRIX_PARTS}


def write_generation(
    folder: Path,
    id: str,  # noqa: A002 - what a generation is called everywhere
    arrays: Mapping[str, Array],
    files: Mapping[str, Callable[[Path], None]],
    card: Card,
) -> Path:
    """Write `folder/id`: into a temporary folder, synced, then renamed, so that it is whole or absent.

    `files` maps a file name to what writes it. Raises ValueError for a bad id or not-finite numbers, FileExistsError.
    """
    if not _ID.fullmatch(id) or id == _POINTER:
        raise ValueError(f"generation id {id!r}: letters, digits, '.', '_' and '-' only, at most 64")
    target = folder / id
    if target.exists():
        raise FileExistsError(f"{target}: this generation exists already; give the new one another id")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = folder / f".{id}.{os.getpid()}"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(mode=0o700)
    try:
        entries = {
            f"{name}.npy": _write_array(temporary / f"{name}.npy", name, array) for name, array in arrays.items()
        }
        for name, write in files.items():
            write(temporary / name)
            entries[name] = _describe(temporary / name)
        manifest = msgspec.json.encode(_Manifest(id, entries, card))
        (temporary / _MANIFEST).write_bytes(msgspec.json.format(manifest, indent=1))
        for path in (*temporary.iterdir(), temporary):
            _sync(path)
        temporary.rename(target)
        _sync(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return target


def load_generation(folder: Path, id: str, rest: Rest = at_once) -> StoredGeneration:  # noqa: A002
    """Open a generation after comparing every file with the manifest; small arrays are memory-mapped.

    `rest`: called after every little piece of work. Raises GenerationUnreadable, which names the file and what is wrong
    with it.
    """
    home = folder / id
    manifest = _manifest(home)
    arrays: dict[str, Array] = {}
    paths: dict[str, Path] = {}
    for name, entry in manifest.files.items():
        path = home / name
        if entry.dtype:
            arrays[name.removesuffix(".npy")] = _array_of(path, entry, rest)
        else:
            _compare(path, _described(path, rest), entry)
            paths[name] = path
    return StoredGeneration(id, home, arrays, paths, manifest.card)


def read_card(folder: Path, id: str) -> Card:  # noqa: A002
    """The model card alone; nothing else of the generation is looked at. Raises GenerationUnreadable."""
    return _manifest(folder / id).card


def publish(folder: Path, id: str) -> None:  # noqa: A002
    """Make a generation the current one: the pointer file is replaced in one step. Raises GenerationUnreadable."""
    if not (folder / id / _MANIFEST).is_file():
        raise GenerationUnreadable(folder / id, "is not a complete generation; only a complete one can be published")
    temporary = folder / f".{_POINTER}.{os.getpid()}"
    temporary.write_text(id + "\n", "utf-8")
    _sync(temporary)
    temporary.replace(folder / _POINTER)
    _sync(folder)


def current(folder: Path) -> str | None:
    """The published generation's id; None = nothing was published yet. Raises GenerationUnreadable."""
    try:
        text = (folder / _POINTER).read_text("utf-8").strip()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise GenerationUnreadable(folder / _POINTER, f"cannot be read ({error})") from error
    if not _ID.fullmatch(text):
        raise GenerationUnreadable(folder / _POINTER, "does not name a generation; publish one again")
    return text


def generations(folder: Path) -> list[str]:
    """Ids of the complete generations, oldest first (by the time they were finished)."""
    found = [path.parent for path in folder.glob(f"[!.]*/{_MANIFEST}")]
    return [
        path.name for path in sorted(found, key=lambda path: (path.joinpath(_MANIFEST).stat().st_mtime_ns, path.name))
    ]


def aside(folder: Path) -> Path:
    """Where generations lie that were not good enough to serve."""
    return folder / "refused"


def refused(folder: Path) -> list[str]:
    """Ids of the generations that were kept aside, oldest first."""
    return generations(aside(folder))


def prune(folder: Path, keep: int) -> list[str]:
    """Delete all but the `keep` newest generations, never the current one; also what a crash left half-written."""
    published = current(folder)
    removed = [name for name in generations(folder)[: -keep or None] if name != published]
    for name in removed:
        shutil.rmtree(folder / name)
    for leftover in folder.glob(".*.*"):
        if not _alive(leftover.suffix[1:]):
            if leftover.is_dir():
                shutil.rmtree(leftover, ignore_errors=True)
            else:
                leftover.unlink(missing_ok=True)
    return removed


def _manifest(home: Path) -> _Manifest:
    try:
        manifest = msgspec.json.decode((home / _MANIFEST).read_bytes(), type=_Manifest)
    except (OSError, msgspec.MsgspecError) as error:
        raise GenerationUnreadable(home / _MANIFEST, f"cannot be read ({error}); train again or go back one") from error
    if manifest.id != home.name:
        raise GenerationUnreadable(home / _MANIFEST, f"describes generation {manifest.id!r}, not {home.name!r}")
    return manifest


def _write_array(path: Path, name: str, array: Array) -> _Entry:
    if array.dtype.hasobject:
        raise ValueError(f"array {name!r} holds Python objects; only plain numbers and fixed-width text can be kept")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError(f"array {name!r} holds nan or infinity; the training went wrong")
    with path.open("wb") as file:
        np.lib.format.write_array(file, np.ascontiguousarray(array), allow_pickle=False)
    entry = _describe(path)
    entry.shape, entry.dtype = array.shape, array.dtype.str
    return entry


def _array_of(path: Path, entry: _Entry, rest: Rest) -> Array:
    """The array in a file that is as the manifest describes it: mapped, or, where it is large, read while it is
    compared: only memory of its own lies in large pages, and where not every row is in a page of its own, gathering 500
    rows of 100,000 vectors takes a third of the time."""
    if entry.size < LARGE or 0 in entry.shape:
        _compare(path, _described(path, rest), entry)
        try:
            # An empty array cannot be mapped.
            array: Array = np.load(path, mmap_mode="r" if 0 not in entry.shape else None, allow_pickle=False)
        except (OSError, ValueError) as error:
            raise GenerationUnreadable(path, f"is no array ({error})") from error
    else:
        array = _read_array(path, entry, rest)
    if array.shape != entry.shape or array.dtype.str != entry.dtype:
        found = f"{array.shape} {array.dtype.str}"
        raise GenerationUnreadable(path, f"is {found}, the manifest says {entry.shape} {entry.dtype}")
    # A plain view of the mapping: every operation on numpy's memmap class costs 1-2 µs more, sixty times a request.
    return np.asarray(array)


def _read_array(path: Path, entry: _Entry, rest: Rest) -> Array:
    try:
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            read_header = (
                np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            )
            shape, in_columns, dtype = read_header(file)
            if in_columns or dtype.hasobject or math.prod(shape) * dtype.itemsize != entry.size - file.tell():
                raise ValueError("its head does not fit its size")
            read = file.tell()
            array: Array = np.empty(shape, dtype)
            file.seek(0)
            digest = hashlib.sha256(file.read(read))
            content = array.data.cast("B")
            for piece in pieces(len(content)):
                read += file.readinto(content[piece])
                digest.update(content[piece])
                rest()
    except (OSError, ValueError) as error:
        _compare(path, _described(path, rest), entry)  # what is damaged is told as that
        raise GenerationUnreadable(path, f"is no array ({error})") from error
    _compare(path, _Entry(digest.hexdigest(), read), entry)
    array.flags.writeable = False
    return array


def _described(path: Path, rest: Rest) -> _Entry:
    try:
        return _describe(path, rest)
    except OSError as error:
        raise GenerationUnreadable(path, f"cannot be read ({error.strerror}); train again or go back one") from error


def _describe(path: Path, rest: Rest = at_once) -> _Entry:
    digest, size, piece = hashlib.sha256(), 0, bytearray(PIECE)
    with path.open("rb", buffering=0) as file:
        while read := file.readinto(piece):
            digest.update(memoryview(piece)[:read])
            size += read
            rest()
    return _Entry(digest.hexdigest(), size)


def _compare(path: Path, found: _Entry, entry: _Entry) -> None:
    if found.size != entry.size:
        raise GenerationUnreadable(path, f"has {found.size} bytes, the manifest says {entry.size}")
    if found.sha256 != entry.sha256:
        raise GenerationUnreadable(path, "is damaged: its digest is not the manifest's")


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _alive(process: str) -> bool:
    return process.isdigit() and Path("/proc", process).exists()
