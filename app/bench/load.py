"""Asks a server over keep-alive connections and times each answer: by a clock of its own, or as fast as it answers.

One thread on plain sockets: about 50 µs a request, so that one core asks several times faster than the server answers,
and `select` waits in microseconds where an event loop's timers tick in milliseconds.
"""

from __future__ import annotations

import contextlib
import select
import socket
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter

Address = tuple[str, int]
_END = b"\r\n\r\n"
_LENGTH = b"content-length:"
PATIENCE_SECONDS = 60.0


class NoAnswer(Exception):
    """The server closed a connection or did not answer in time."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer."""

    seconds: float
    """From the moment it was due to be asked, so waiting for a free connection counts (no coordinated omission)."""
    status: int
    body: bytes


class _Connection:
    """A socket with at most one question under way."""

    def __init__(self, address: Address) -> None:
        self.socket = socket.create_connection(address, timeout=PATIENCE_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.due = 0.0
        self._received = b""
        self._awaited = 0

    def fileno(self) -> int:
        return self.socket.fileno()

    def ask(self, request: bytes, due: float) -> None:
        self.due, self._received, self._awaited = due, b"", 0
        self.socket.sendall(request)

    def read(self) -> Answer | None:
        """The answer, once all of it has come."""
        part = self.socket.recv(262_144)
        if not part:
            raise NoAnswer("the server closed a connection")
        self._received += part
        if not self._awaited:
            head = self._received.find(_END)
            if head < 0:
                return None
            self._awaited = head + len(_END) + _content_length(self._received[:head])
        if len(self._received) < self._awaited:
            return None
        body = self._received.index(_END) + len(_END)
        return Answer(perf_counter() - self.due, int(self._received[9:12]), self._received[body:])

    def answer(self) -> Answer:
        """Wait for it."""
        while (answer := self.read()) is None:
            pass
        return answer

    def close(self) -> None:
        self.socket.close()


@contextlib.contextmanager
def connected(address: Address, count: int) -> Iterator[list[_Connection]]:
    connections = [_Connection(address) for _ in range(count)]
    try:
        yield connections
    finally:
        for connection in connections:
            connection.close()


def ask(address: Address, request: bytes) -> Answer:
    """One question on a connection of its own."""
    with connected(address, 1) as (connection,):
        connection.ask(request, perf_counter())
        return connection.answer()


def open_loop(address: Address, requests: Sequence[bytes], due: Sequence[float], connections: int = 64) -> list[Answer]:
    """Ask each request when it is due (seconds from the start, ascending), however long the others take."""
    answers: list[Answer] = []
    with connected(address, connections) as pool:
        idle, busy = deque(pool), set[_Connection]()
        start = perf_counter() + 0.01
        following = 0
        while following < len(requests) or busy:
            now = perf_counter() - start
            while following < len(requests) and due[following] <= now and idle:
                connection = idle.popleft()
                connection.ask(requests[following], start + due[following])
                busy.add(connection)
                following += 1
            wait = PATIENCE_SECONDS
            if following < len(requests) and idle:
                wait = max(0.0, due[following] - (perf_counter() - start))
            ready = select.select(list(busy), (), (), wait)[0]
            if not ready and wait == PATIENCE_SECONDS:
                raise NoAnswer(f"no answer within {wait:.0f} s")
            for connection in ready:
                answer = connection.read()
                if answer is not None:
                    answers.append(answer)
                    busy.discard(connection)
                    idle.append(connection)
    return answers


def closed_loop(
    address: Address, requests: Iterable[bytes], connections: int, seconds: float
) -> tuple[list[Answer], float]:
    """Every connection asks again as soon as it is answered, until `seconds` are over or the requests are used up;
    the answers and how long it took."""
    answers: list[Answer] = []
    waiting = iter(requests)
    with connected(address, connections) as pool:
        start = perf_counter()
        busy = set(pool[:0])
        for connection, request in zip(pool, waiting, strict=False):
            connection.ask(request, perf_counter())
            busy.add(connection)
        while busy:
            ready = select.select(list(busy), (), (), PATIENCE_SECONDS)[0]
            if not ready:
                raise NoAnswer(f"no answer within {PATIENCE_SECONDS:.0f} s")
            for connection in ready:
                answer = connection.read()
                if answer is None:
                    continue
                answers.append(answer)
                following = next(waiting, None) if perf_counter() - start < seconds else None
                if following is None:
                    busy.discard(connection)
                else:
                    connection.ask(following, perf_counter())
        return answers, perf_counter() - start


def _content_length(head: bytes) -> int:
    found = head.lower().find(_LENGTH)
    if found < 0:
        raise NoAnswer(f"an answer without its length: {head[:80]!r}")
    return int(head[found + len(_LENGTH) :].partition(b"\r\n")[0])
