"""Passwords: what is stored of them, and whether one fits."""

from __future__ import annotations

import hashlib
import hmac
import secrets

MOST_LETTERS = 128
_CHOSEN = (15, 8, 3)
"""scrypt's log2 N, r, p: 32 MiB and a few tenths of a second a try (OWASP Password Storage, 2^15/8/3)."""
_GENERATED = (4, 8, 1)
"""144 random bits cannot be guessed, however fast a try is."""
_SALT = 16


def generate() -> str:
    """A password of 144 random bits that a person can copy."""
    return secrets.token_urlsafe(18)


def stored(password: str, *, generated: bool = False) -> str:
    """What may be kept: parameters, salt and scrypt of the password. Slow: call in a thread."""
    cost = _GENERATED if generated else _CHOSEN
    salt = secrets.token_bytes(_SALT)
    return "$".join(("scrypt", *map(str, cost), salt.hex(), _scrypt(password, salt, cost).hex()))


def fits(password: str, kept: str | None) -> bool:
    """Whether it is the one; None (no such account) takes as long as a real one. Slow: call in a thread."""
    if kept is None:
        _scrypt(password, bytes(_SALT), _CHOSEN)
        return False
    _, n, r, p, salt, digest = kept.split("$")
    cost = (int(n), int(r), int(p))
    if cost != _CHOSEN:
        _scrypt(password, bytes(_SALT), _CHOSEN)
    return hmac.compare_digest(_scrypt(password, bytes.fromhex(salt), cost), bytes.fromhex(digest))


def objection(password: str, name: str, least: int) -> str:
    """Why a password may not be chosen; empty: it may. Length is what counts: no rules about its letters
    (ASVS 5.0, 6.2.1, 6.2.5)."""
    if len(password) < least:
        return f"a password has at least {least} characters"
    if len(password) > MOST_LETTERS:
        return f"a password has at most {MOST_LETTERS} characters"
    if name.casefold() in password.casefold():
        return "a password does not contain the account's name"
    if len(set(password)) < 5:
        return "a password has more than four different characters"
    return ""


def _scrypt(password: str, salt: bytes, cost: tuple[int, int, int]) -> bytes:
    n, r, p = cost
    text = password.encode("utf-8", "surrogatepass")
    return hashlib.scrypt(text, salt=salt, n=1 << n, r=r, p=p, maxmem=64 << 20, dklen=32)
