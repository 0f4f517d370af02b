"""Holds floods off without keeping addresses: a bucket per network prefix, known only by a hash of today's secret."""

import hashlib
import secrets
import socket
from collections import OrderedDict

DAY = 86_400


class RateLimit:
    """Token buckets in memory. The secret is random, lives a day and in this process only: no address can be got back
    from what is held, and nothing links two days."""

    def __init__(self, *, per_minute: int, prefixes: int) -> None:
        self._rate = per_minute / 60
        self._burst = float(per_minute)
        self._most = prefixes
        self._day = -1
        self._secret = b""
        self._buckets: OrderedDict[bytes, tuple[float, float]] = OrderedDict()

    def wait(self, address: str, now: float) -> float:
        """Seconds this sender has to wait; 0: go ahead, and it is counted. `now` in seconds of a clock that never
        stops or goes back."""
        return self.wait_named(_prefix(address), now)

    def wait_named(self, sender: bytes, now: float) -> float:
        """The same for a sender known otherwise than by an address."""
        if int(now // DAY) != self._day:
            self._day, self._secret = int(now // DAY), secrets.token_bytes(32)
            self._buckets.clear()
        name = hashlib.blake2b(sender, key=self._secret, digest_size=12).digest()
        left, at = self._buckets.pop(name, (self._burst, now))
        left = min(self._burst, left + max(0.0, now - at) * self._rate)
        allowed = left >= 1
        self._buckets[name] = (left - 1 if allowed else left, now)
        if len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        return 0.0 if allowed else (1 - left) / self._rate


def client_address(peer: str, forwarded: str, proxies: int) -> str:
    """The sender's address: the peer's, or behind `proxies` proxies of the shop's own the one they vouch for."""
    if not proxies:
        return peer
    hops = [hop.strip() for hop in forwarded.split(",") if hop.strip()]
    return hops[-proxies] if len(hops) >= proxies else peer


_MAPPED = bytes(10) + b"\xff\xff"


def packed(address: str) -> bytes:
    """An address as 4 bytes, or 16 for IPv6 proper; empty for what is none."""
    try:
        return socket.inet_pton(socket.AF_INET, address)
    except (OSError, ValueError):
        pass
    try:
        long = socket.inet_pton(socket.AF_INET6, address.partition("%")[0])
    except (OSError, ValueError):
        return b""
    return long[12:] if long.startswith(_MAPPED) else long


def _prefix(address: str) -> bytes:
    """/24 of IPv4, /48 of IPv6; whoever has no address shares one."""
    found = packed(address)
    return found[:3] if len(found) == 4 else found[:6] or b"unknown"
