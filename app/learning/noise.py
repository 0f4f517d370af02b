"""Gaussian noise nobody can draw again: from the operating system's randomness, through a key that dies with the run.

Every (release, step, block) has a key stream of its own, so a block that is tried again gets the very noise it had: two
different noises around one number would average to less noise than was paid for. There is no seed to set.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from math import ceil, floor, log2

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CTR
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from numpy.typing import NDArray

Doubles = NDArray[np.float64]

GRID = 2**-10
"""Released numbers are multiples of about this much of the noise, so that their last bits tell nothing about what the
noise was added to (Mironov, "On significance of the least significant bits for differential privacy", CCS 2012)."""

_CHUNK = 1 << 20
"""Numbers drawn at once: 8 MB of key stream."""


class NoiseSource:
    """A run's noise. The key is made here, is in no file, and is gone after `destroy` (or with the process)."""

    def __init__(self) -> None:
        self._key = bytearray(secrets.token_bytes(32))

    def normal(self, name: str, step: int, block: int, count: int) -> Doubles:
        """`count` standard normal numbers, the same for the same (name, step, block) of this run."""
        stream = self._stream(name, step, block)
        noise = np.empty(count)
        for start in range(0, count, _CHUNK):
            part = noise[start : start + _CHUNK]
            part[:] = _normals(stream, len(part))
        return noise

    def mark(self, name: str, step: int, block: int, statistic: bytes) -> bytes:
        """What a block was asked for, recognizable only while the run lasts."""
        mac = HMAC(self._live(), SHA256())
        mac.update(_label("mark", name, step, block))
        mac.update(statistic)
        return mac.finalize()

    def destroy(self) -> None:
        """End of the run: no noise can be drawn any more, nor drawn again."""
        self._key[:] = bytes(len(self._key))
        self._key.clear()

    def _live(self) -> bytes:
        if not self._key:
            raise RuntimeError("this run has ended: its noise key is destroyed")
        return bytes(self._key)

    def _stream(self, name: str, step: int, block: int) -> Callable[[bytes], bytes]:
        """An AES-256-CTR key stream under a key of this block alone, so the counter may begin at zero."""
        key = HKDFExpand(SHA256(), 32, _label("noise", name, step, block)).derive(self._live())
        return Cipher(AES256(key), CTR(bytes(16))).encryptor().update


def to_grid(values: Doubles, sigma: float) -> Doubles:
    """Rounded, in place, to multiples of the power of two at or below `sigma` · GRID; sums of them are exact."""
    grid = 2.0 ** floor(log2(sigma * GRID))
    np.divide(values, grid, out=values)
    np.rint(values, out=values)
    np.multiply(values, grid, out=values)
    return values


def _normals(stream: Callable[[bytes], bytes], count: int) -> Doubles:
    """Box and Muller: two uniform numbers of 53 bits become two normal ones, up to 8.5 standard deviations."""
    pairs = ceil(count / 2)
    words = np.frombuffer(stream(bytes(16 * pairs)), dtype="<u8")
    uniform = ((words >> np.uint64(11)) + np.uint64(1)).astype(np.float64) * 2.0**-53  # (0, 1]
    radius = np.sqrt(-2 * np.log(uniform[:pairs]))
    angle = 2 * np.pi * uniform[pairs:]
    return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[:count]


def _label(use: str, name: str, step: int, block: int) -> bytes:
    return f"{use}\0{name}\0{step}\0{block}".encode()
