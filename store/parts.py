"""What a person's row says of the experiments they are in: the arm, and how often what happened. Bounded, coarse.

Kept under the purpose `experiments` only, for running experiments only.
"""

from __future__ import annotations

import msgspec


class Part(msgspec.Struct, array_like=True):
    """One person in one experiment."""

    arm: str
    """Its key; empty: the person is in none, and stays out."""
    lists: int = 0
    """Lists of the experiment that were shown."""
    clicks: int = 0
    carts: int = 0
    orders: int = 0
    last: str = ""
    """The request of the list counted last, so that what is told of one list in portions is counted once."""

    @property
    def exposed(self) -> bool:
        return self.lists > 0


Parts = dict[int, Part]
"""Experiment's number -> part; 0 is the holdout."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Parts).decode


def read_parts(blob: bytes | None) -> Parts:
    """As stored; what cannot be read counts as nothing known."""
    if not blob:
        return {}
    try:
        return _decode(blob)
    except msgspec.DecodeError:
        return {}


def write_parts(parts: Parts) -> bytes | None:
    """As the database stores it; None for nothing."""
    return _encode(parts) if parts else None
