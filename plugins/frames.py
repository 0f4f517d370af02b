"""Arrays over a pipe: a length, a small JSON header with what follows, then the arrays' own bytes.

Nothing in a frame is code: a function travels as its name, and only arrays of numbers are read.
"""

from __future__ import annotations

from typing import IO

import msgspec
import numpy as np

from plugins.engine import Arrays

MAGIC = b"PZ1\n"
MOST_BYTES = 1 << 34
"""No single array is larger; a header that says so is broken."""


class BrokenFrame(Exception):
    """The other end stopped in the middle, or is no peer of this program."""


class ArrayHead(msgspec.Struct, frozen=True, array_like=True):
    """How an array's bytes are to be read."""

    name: str
    dtype: str
    shape: tuple[int, ...]


class Head(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a frame says before its arrays: the function to call, or what went wrong."""

    function: str = ""
    failed: str = ""
    arrays: tuple[ArrayHead, ...] = ()


def write_frame(pipe: IO[bytes], arrays: Arrays, *, function: str = "", failed: str = "") -> None:
    """Send arrays, with the name of a function or with a failure."""
    solid = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    heads = tuple(ArrayHead(name, array.dtype.str, np.shape(arrays[name])) for name, array in solid.items())
    head = msgspec.json.encode(Head(function, failed, heads))
    pipe.write(MAGIC + len(head).to_bytes(4, "little") + head)
    for array in solid.values():
        pipe.write(array.reshape(-1).view(np.uint8).data)
    pipe.flush()


def read_frame(pipe: IO[bytes]) -> tuple[Head, Arrays] | None:
    """The next frame, None where the other end has closed; raises BrokenFrame."""
    start = pipe.read(len(MAGIC) + 4)
    if not start:
        return None
    if len(start) < len(MAGIC) + 4 or not start.startswith(MAGIC):
        raise BrokenFrame("not a frame of this program")
    try:
        head = msgspec.json.decode(_exactly(pipe, int.from_bytes(start[len(MAGIC) :], "little")), type=Head)
        return head, {array.name: _array(pipe, array) for array in head.arrays}
    except (msgspec.DecodeError, TypeError, ValueError) as error:
        raise BrokenFrame(str(error)) from error


def _array(pipe: IO[bytes], head: ArrayHead) -> np.ndarray:
    dtype = np.dtype(head.dtype)
    if dtype.kind not in "biuf" or any(side < 0 for side in head.shape):
        raise BrokenFrame(f"{head.name}: {head.dtype} {head.shape} is no array of numbers")
    array = np.empty(head.shape, dtype)
    if array.nbytes > MOST_BYTES:
        raise BrokenFrame(f"{head.name}: {array.nbytes} bytes are too many")
    _fill(pipe, memoryview(array.reshape(-1).view(np.uint8).data))
    return array


def _exactly(pipe: IO[bytes], length: int) -> bytes:
    bytes_ = bytearray(length)
    _fill(pipe, memoryview(bytes_))
    return bytes(bytes_)


def _fill(pipe: IO[bytes], room: memoryview) -> None:
    while len(room):
        got = pipe.readinto(room)  # type: ignore[attr-defined]
        if not got:
            raise BrokenFrame("the other end stopped in the middle of a frame")
        room = room[got:]
