"""A signed note that travels with a list, so that a click can be credited to the list it came from.

It names the request, the placement, the experiment's arm, the model and the rules: never a person. Where an experiment
switches rules off it also tells which items stand at the places of pins. Its time is rounded
to the hour, so that a token does not tell two visits of a minute apart.
"""

from __future__ import annotations

import binascii
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Protocol

import msgspec

from app.rules.pinned_places import Places
from app.serving.options import ServingOptions
from store.keys import Domain

TAG_BYTES = 16
BUCKET_SECONDS = 3600
LONGEST = 1024


class Attribution(msgspec.Struct, frozen=True, array_like=True):
    """What a token says."""

    request: str
    placement: str
    arm: str = ""
    model: str = ""
    rules: str = ""
    hour: int = 0
    """Hours since the epoch."""
    places: Places = ()
    """What stands at the places of pin rules, where an experiment compares them with what would stand there."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Attribution).decode


class TokenKeys(Protocol):
    """What of the key ring this needs."""

    def epochs(self) -> list[int]: ...

    def key(self, domain: Domain, epoch: int | None = None) -> bytes: ...


class Tokens:
    """Signs with the newest key and reads what any key in force has signed (HMAC-SHA-256, 128 bits kept)."""

    def __init__(self, keys: TokenKeys, options: ServingOptions) -> None:
        self._keys = keys
        self._hours = options.token_hours

    def sign(
        self, request: str, placement: str, now: float, *, arm: str = "", model: str = "", rules: str = "",
        places: Places = (),
    ) -> str:  # fmt: skip
        """The token of one list, base64url."""
        body = _encode(Attribution(request, placement, arm, model, rules, int(now // BUCKET_SECONDS), places))
        return urlsafe_b64encode(body + _tag(self._keys.key(Domain.TOKEN), body)).rstrip(b"=").decode()

    def read(self, token: str, now: float) -> Attribution | None:
        """What a token says; None where it is not ours, damaged, from the future or older than it may be."""
        if len(token) > LONGEST:
            return None
        try:
            raw = urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
        except (UnicodeEncodeError, binascii.Error):
            return None
        body, tag = raw[:-TAG_BYTES], raw[-TAG_BYTES:]
        keys = [self._keys.key(Domain.TOKEN, epoch) for epoch in self._keys.epochs()]
        if not any(hmac.compare_digest(_tag(key, body), tag) for key in keys):
            return None
        try:
            told = _decode(body)
        except msgspec.DecodeError:
            return None
        age = now // BUCKET_SECONDS - told.hour
        return told if -1 <= age <= self._hours else None


def _tag(key: bytes, body: bytes) -> bytes:
    return hmac.digest(key, body, "sha256")[:TAG_BYTES]
