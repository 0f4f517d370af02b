"""What a person's row says of the experiments they are in: the arm, and how often what happened. Bounded, coarse.

Kept under the purpose `experiments` only, for running experiments only.
"""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from store.database import Connection, Transaction


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
    places: dict[int, tuple[int, int, int]] = {}
    """Number of a pin rule -> lists in which its places were seen, clicks there, orders of what stood there. Only in an
    experiment that compares pinned places with automatic ones."""
    seen: list[int] = []
    """The rules whose places were counted in the `last` list."""

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


async def drop_parts(
    transaction: Transaction, running: Collection[int], after: int, rows: int
) -> tuple[int | None, int]:
    """Take out of the next `rows` people's rows what is not of the `running` experiments; where the next slice begins
    (None: at the end), and how many rows changed."""

    def work(connection: Connection) -> tuple[int | None, int]:
        sql = "SELECT surrogate, experiments FROM profiles WHERE surrogate > ? ORDER BY surrogate LIMIT ?"
        found = connection.execute(sql, (after, rows)).fetchall()
        changed = []
        for surrogate, blob in found:
            parts = read_parts(blob)
            left = {number: part for number, part in parts.items() if number in running}
            if len(left) < len(parts):
                changed.append((write_parts(left), surrogate))
        connection.executemany("UPDATE profiles SET experiments = ? WHERE surrogate = ?", changed)
        return (found[-1][0] if len(found) == rows else None), len(changed)

    return await transaction.run(work)
