"""Pulls a feed from its address: bounded, unchanged ones not at all, never from where a shop's feed cannot lie."""

from __future__ import annotations

import base64
import gzip
import http.client
import ipaddress
import socket
import ssl
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

REDIRECTS = 5
SECONDS = 60.0
_BLOCK = 1 << 16
_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")
"""NAT64 (RFC 6052): the last 32 bits are the IPv4 address it leads to."""


class CannotFetch(Exception):
    """The address does not give a feed; the message says why."""


@dataclass(frozen=True)
class Fetched:
    """What came, and what to ask with the next time; `changed` is False for 304, then nothing was written."""

    changed: bool
    etag: str = ""
    modified: str = ""


def fetch(url: str, to: Path, *, most_bytes: int, allow_private: bool, etag: str = "", modified: str = "") -> Fetched:
    """Write what the address gives to a file; follows up to REDIRECTS redirects, each looked at like the first.

    Raises CannotFetch.
    """
    headers = {"Accept-Encoding": "gzip", "User-Agent": "personalize"}
    if etag or modified:
        headers["If-None-Match" if etag else "If-Modified-Since"] = etag or modified
    for _ in range(REDIRECTS + 1):
        parts = _parts(url)
        connection = _connect(parts, allow_private)
        try:
            connection.request("GET", _target(parts), headers=headers | _authorization(parts))
            answer = connection.getresponse()
            if answer.status in (301, 302, 303, 307, 308):
                url = _next(url, answer.getheader("location", ""))
                continue
            if answer.status == 304:
                return Fetched(False, etag, modified)
            if answer.status != 200:
                raise CannotFetch(f"{_shown(parts)} answers {answer.status} {answer.reason}")
            _write(answer, to, most_bytes)
            return Fetched(True, answer.getheader("etag", ""), answer.getheader("last-modified", ""))
        except (OSError, http.client.HTTPException, UnicodeError) as error:
            raise CannotFetch(f"{_shown(parts)}: {str(error) or type(error).__name__}") from None
        finally:
            connection.close()
    raise CannotFetch(f"more than {REDIRECTS} redirects")


def _next(url: str, location: str) -> str:
    """Where a redirect leads. Raises CannotFetch."""
    try:
        return urljoin(url, location)
    except ValueError as error:
        raise CannotFetch(f"a redirect to what is no address: {error}") from None


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise CannotFetch(f"not an address: {error}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise CannotFetch(f"{parts.scheme or 'no'}:// is not read; a feed has an https:// or http:// address")
    return parts


def _connect(parts: SplitResult, allow_private: bool) -> http.client.HTTPConnection:
    """A connection to an address that was looked at: a name that answers differently a moment later changes nothing."""
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise CannotFetch(f"{host}: {error.strerror or error}") from None
    except UnicodeError:
        raise CannotFetch(f"{host[:100]} is no name of a host") from None
    addresses = [str(entry[4][0]) for entry in found]
    if not allow_private and (inner := [address for address in addresses if not _public(address)]):
        raise CannotFetch(
            f"{host} is {inner[0]}, an address of this machine or its private network;"
            " set allow_private = true where the feed really lies there"
        )
    kind = _Secure if parts.scheme == "https" else _Plain
    return kind(host, port, addresses[0])


def _public(address: str) -> bool:
    told = ipaddress.ip_address(address.partition("%")[0])
    inside = getattr(told, "ipv4_mapped", None) or told
    if inside in _TRANSLATED:
        inside = ipaddress.IPv4Address(int(inside) & 0xFFFFFFFF)
    return inside.is_global and not inside.is_multicast


class _Plain(http.client.HTTPConnection):
    def __init__(self, host: str, port: int, address: str) -> None:
        super().__init__(host, port, timeout=SECONDS)
        self._address = address

    def connect(self) -> None:
        self.sock = socket.create_connection((self._address, self.port), self.timeout)


class _Secure(_Plain):
    default_port = 443

    def connect(self) -> None:
        super().connect()
        self.sock = ssl.create_default_context().wrap_socket(self.sock, server_hostname=self.host)


def _target(parts: SplitResult) -> str:
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _authorization(parts: SplitResult) -> dict[str, str]:
    if not parts.username:
        return {}
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


def _shown(parts: SplitResult) -> str:
    """The address without what is secret in it."""
    return f"{parts.scheme}://{parts.hostname}{parts.path}"


def _write(answer: http.client.HTTPResponse, to: Path, most: int) -> None:
    body: IO[bytes] = answer
    if answer.getheader("content-encoding", "") == "gzip" or answer.getheader("content-type", "").endswith("gzip"):
        body = cast("IO[bytes]", gzip.GzipFile(fileobj=answer))
    size = 0
    try:
        with to.open("wb") as file:
            while block := body.read(_BLOCK):
                size += len(block)
                if size > most:
                    raise CannotFetch(f"larger than {most:,} bytes ([catalogue] feed_bytes)")
                file.write(block)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise CannotFetch(f"cut short or no gzip: {error}") from None
