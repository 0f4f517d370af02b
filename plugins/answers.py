"""Holds what a plugin answers to what its hook promises: a wrong type, length or number counts as a failure."""

from __future__ import annotations

import numpy as np

from plugins.calls import Call
from plugins.contract import NO_ITEMS, Ints
from store import loops


class WrongAnswer(TypeError):
    """A hook answered with something else than it promises. Speaks of types and lengths, never of a person."""


def checked_items(call: Call, items: object, size: int) -> Ints | None:
    if not isinstance(items, np.ndarray) or items.ndim != 1 or (len(items) and items.dtype.kind not in "iu"):
        call.failed(WrongAnswer(f"retrieve must answer a flat array of item numbers, got {shape_of(items)}"))
        return None
    if len(items) == 0:
        return NO_ITEMS
    items = np.ascontiguousarray(items, np.int32)
    if not loops.within(items, size):
        call.failed(WrongAnswer(f"retrieve answered an item number outside 0..{size - 1}"))
        return None
    return items


def checked_scores(call: Call, scores: object, length: int) -> bool:
    if isinstance(scores, np.ndarray) and scores.shape == (length,) and scores.dtype.kind in "fiub":
        return True
    call.failed(WrongAnswer(f"score must answer {length} floats, got {shape_of(scores)}"))
    return False


def checked_order(call: Call, positions: object, length: int) -> bool:
    if not isinstance(positions, np.ndarray) or positions.ndim != 1 or positions.dtype.kind not in "iu":
        call.failed(WrongAnswer(f"arrange must answer positions into the ranked items, got {shape_of(positions)}"))
        return False
    if len(positions) == 0:
        return True
    if int(positions.min()) < 0 or int(positions.max()) >= length:
        call.failed(WrongAnswer(f"arrange answered a position outside 0..{length - 1}"))
        return False
    if np.bincount(positions, minlength=length).max() > 1:
        call.failed(WrongAnswer("arrange answered a position twice"))
        return False
    return True


def shape_of(value: object) -> str:
    return f"{value.dtype} {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__
