"""What the plugins that read consent strings share: the answer they give, and a reader of packed bits."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass

from store.records import Purpose


@dataclass(frozen=True)
class Permits:
    """What a consent string leaves to be done, at most."""

    purposes: Purpose
    decided: bool = True
    """A choice made for this shop. False: a general preference, such as Global Privacy Control, which an explicit
    decision overrides."""


NOTHING = Permits(Purpose.NONE)
"""Also the answer to what cannot be read."""


class Unreadable(ValueError):
    """Not a string of the format it should be."""


class Bits:
    """Reads big-endian numbers from base64url text, from its first bit on. Reading past the end raises Unreadable."""

    def __init__(self, text: str) -> None:
        try:
            data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise Unreadable("not base64url") from None
        self._value = int.from_bytes(data, "big")
        self._length = len(data) * 8
        self._at = 0

    def number(self, bits: int) -> int:
        if self._at + bits > self._length:
            raise Unreadable("too short")
        self._at += bits
        return (self._value >> (self._length - self._at)) & ((1 << bits) - 1)

    def flag(self) -> bool:
        return self.number(1) == 1

    def flags(self, count: int) -> frozenset[int]:
        """The numbers 1..count whose bit is set."""
        bits = f"{self.number(count):0{count}b}" if count else ""
        return frozenset(number for number, bit in enumerate(bits, 1) if bit == "1")

    def fibonacci(self) -> int:
        """A number in Fibonacci coding: bits of 1, 2, 3, 5, 8 …, ended by two ones in a row."""
        total, one, other, last = 0, 1, 2, False
        for _ in range(64):
            bit = self.flag()
            if bit and last:
                return total
            if bit:
                total += one
            one, other, last = other, one + other, bit
        raise Unreadable("a number without an end")


def strictest(answers: Iterable[Permits]) -> tuple[Purpose | None, bool]:
    """(what every decided answer permits, None where there is none; whether a general preference says no)."""
    purposes: Purpose | None = None
    preference = False
    for answer in answers:
        if answer.decided:
            purposes = answer.purposes if purposes is None else purposes & answer.purposes
        else:
            preference = preference or not answer.purposes
    return purposes, preference
