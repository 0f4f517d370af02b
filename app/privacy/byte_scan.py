"""Looks for somebody in every byte of every file: the proof that an erasure left nothing.

A file is read once however many needles there are: two tables say for each place whether any needle could begin there,
and only such places are compared. Compressed streams are inflated and searched as well.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import numpy as np

SHORTEST = 6
"""Bytes of a needle; shorter ones are found by chance."""
_CHUNK = 4 << 20
_OVERLAP = 64 << 10
"""Bytes of a chunk that are looked at again with the next, so that nothing hides on a border."""
_INFLATED = 1 << 20
"""Bytes of a compressed stream that are looked at."""
_ZLIB = tuple(int.from_bytes(head, "little") for head in (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda"))
_GZIP = int.from_bytes(b"\x1f\x8b", "little")


class Needle(NamedTuple):
    """Something that must not be there. `name` says what, never whose."""

    name: str
    pattern: bytes


class Sighting(NamedTuple):
    """Where something was found that must not be there."""

    file: str
    needle: str
    offset: int
    inflated: bool = False


class Scanned(NamedTuple):
    """What a scan looked at and what it found."""

    files: int
    bytes: int
    streams: int
    """Compressed streams that were inflated."""
    sightings: tuple[Sighting, ...]


def text_needles(name: str, text: str) -> list[Needle]:
    """A text in utf-8 and utf-16, in hex, in base64, and as it would stand in a URL."""
    ways = {"utf-8": text.encode(), "utf-16-le": text.encode("utf-16-le"), "utf-16-be": text.encode("utf-16-be")}
    found = [Needle(f"{name} in {way}", body) for way, body in ways.items()]
    found += _written(name, text.encode())
    if quote(text, safe="") != text:
        found.append(Needle(f"{name} in a URL", quote(text, safe="").encode()))
    return [needle for needle in found if len(needle.pattern) >= SHORTEST]


def byte_needles(name: str, value: bytes) -> list[Needle]:
    """Random bytes as they are, in hex and in base64. The halves of what is 16 bytes or longer are looked for, as a
    value may lie across two pages of a file."""
    middle = len(value) // 2
    parts = [value] if len(value) < 16 else [value[:middle], value[middle:]]
    return [Needle(name, part) for part in parts] + _written(name, value)


def number_needles(name: str, number: int) -> list[Needle]:
    """A 63-bit number as SQLite stores it in a column and as a row's key, reversed, and in digits."""
    big = number.to_bytes(8, "big")
    ways = {"stored": big, "reversed": big[::-1], "a row's key": row_key(number), "digits": str(number).encode()}
    return [Needle(f"{name} ({way})", body) for way, body in ways.items()] + _written(name, big)


def row_key(number: int) -> bytes:
    """SQLite's variable-length integer (file format, section 1.6)."""
    if number < 1 << 56:
        groups = [number & 0x7F]
        while number := number >> 7:
            groups.append(number & 0x7F | 0x80)
        return bytes(reversed(groups))
    last, number = number & 0xFF, number >> 8
    return bytes([number >> shift & 0x7F | 0x80 for shift in range(49, -1, -7)]) + bytes([last])


def _written(name: str, value: bytes) -> list[Needle]:
    needles = [Needle(f"{name} in hex", value.hex().encode()), Needle(f"{name} in hex", value.hex().upper().encode())]
    for shift in range(3):
        # Of base64 the characters that depend on this value alone, wherever in the stream it begins.
        whole = base64.b64encode(b"\0" * shift + value)
        body = whole[-(-8 * shift // 6) : 8 * (shift + len(value)) // 6]
        needles.append(Needle(f"{name} in base64", body))
        if body != (url := body.replace(b"+", b"-").replace(b"/", b"_")):
            needles.append(Needle(f"{name} in base64", url))
    return needles


class Finder:
    """Finds any of many needles in a few nanoseconds per byte."""

    def __init__(self, needles: Iterable[Needle]) -> None:
        self._by_start: dict[bytes, list[Needle]] = {}
        self._marks = np.zeros(1 << 16, np.uint8)
        """By two bytes: 1 = a needle begins so, 2 = it goes on so, 4 = a compressed stream may begin."""
        self.longest = SHORTEST
        for needle in dict.fromkeys(needles):
            pattern = needle.pattern
            if len(pattern) < SHORTEST:
                raise ValueError(f"{needle.name}: {len(pattern)} bytes would be found by chance")
            self._by_start.setdefault(pattern[:4], []).append(needle)
            self._marks[int.from_bytes(pattern[:2], "little")] |= 1
            self._marks[int.from_bytes(pattern[2:4], "little")] |= 2
            self.longest = max(self.longest, len(pattern))
        self._marks[[*_ZLIB, _GZIP]] |= 4

    def find(self, content: bytes) -> tuple[list[tuple[int, Needle]], list[int]]:
        """(offset, needle) of every occurrence, and where a compressed stream may begin."""
        found: list[tuple[int, Needle]] = []
        streams: list[int] = []
        for parity in (0, 1):
            marks = self._marks[_pairs(content, parity)]
            begins = (marks[:-1] & (marks[1:] >> 1) & 1).view(
                np.bool_
            )  # on truth values flatnonzero is six times as fast
            for place in (np.flatnonzero(begins) * 2 + parity).tolist():
                possible = self._by_start.get(content[place : place + 4], ())
                found += [(place, needle) for needle in possible if content.startswith(needle.pattern, place)]
            streams += (np.flatnonzero((marks >> 2).view(np.bool_)) * 2 + parity).tolist()
        return found, streams


def inflated(content: bytes, place: int) -> bytes:
    """The compressed stream that begins there, as far as it can be read; empty where there is none."""
    if content[place] == 0x1F and content[place + 2 : place + 3] != b"\x08":
        return b""
    view = memoryview(content)[place:]
    try:
        # Chance looks like a stream in two bytes of 10,000, and seldom for more than a few hundred.
        zlib.decompressobj(wbits=47).decompress(view[:512], 1_024)
        return zlib.decompressobj(wbits=47).decompress(view, _INFLATED)
    except zlib.error:
        return b""


def _pairs(content: bytes, parity: int) -> np.ndarray[tuple[int], np.dtype[np.uint16]]:
    count = (len(content) - parity) // 2
    return np.frombuffer(content, "<u2", count, parity) if count > 0 else np.empty(0, np.uint16)


def scan(folder: Path, needles: Iterable[Needle], only: frozenset[str] | None = None) -> Scanned:
    """Read every file below a folder (or `only` those, by their names) to the last byte."""
    finder = Finder(needles)
    files = size = streams = 0
    sightings: dict[tuple[str, str], Sighting] = {}
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        name = path.relative_to(folder).as_posix()
        if only is not None and name not in only:
            continue
        files += 1
        for sighting in _text_of_name(finder, name):
            sightings.setdefault((name, sighting.needle), sighting)
        for offset, content in _chunks(path):
            size += len(content)
            found, compressed = finder.find(content)
            for place, needle in found:
                sightings.setdefault((name, needle.name), Sighting(name, needle.name, offset + place))
            for place in compressed:
                body = inflated(content, place)
                streams += bool(body)
                for _, needle in finder.find(body)[0] if len(body) >= SHORTEST else ():
                    sightings.setdefault((name, needle.name), Sighting(name, needle.name, offset + place, True))
    return Scanned(files, size, streams, tuple(sightings.values()))


def _text_of_name(finder: Finder, name: str) -> list[Sighting]:
    found, _ = finder.find(name.encode(errors="surrogateescape"))
    return [Sighting(name, needle.name, -1) for _, needle in found]


def _chunks(path: Path) -> Iterator[tuple[int, bytes]]:
    try:
        with path.open("rb") as file:
            offset, before = 0, b""
            while content := file.read(_CHUNK):
                yield offset - len(before), before + content
                offset += len(content)
                before = content[-_OVERLAP:]
    except FileNotFoundError:  # a log that was folded into its database meanwhile
        return
