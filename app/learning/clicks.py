"""Collects the clicks blend weights are learned from: a few of each person, drawn by lot, with what they were chosen
among."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from typing import NamedTuple

import msgspec

from store.records import LoggedEvent, ShownList

CLICK = "select_item"
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(ShownList).decode


class Click(NamedTuple):
    """One click in a list of a placement."""

    person: int
    """The store's number of whoever clicked; never leaves the training."""
    placement: str
    packed: bytes

    @property
    def shown(self) -> ShownList:
        return _decode(self.packed)


class ClicksBuilder:
    """Keeps at most `most` clicks of each person, each as likely as any other of theirs."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._met: dict[int, int] = {}
        self._kept: dict[int, list[Click]] = {}

    def add(self, event: LoggedEvent) -> None:
        """An event that may be learned from."""
        if event.name != CLICK or event.shown is None or not event.placement:
            return
        click = Click(event.person, event.placement, _encode(event.shown))
        met = self._met[event.person] = self._met.get(event.person, 0) + 1
        kept = self._kept.setdefault(event.person, [])
        if len(kept) < self._most:
            kept.append(click)
        elif (place := secrets.randbelow(met)) < self._most:
            kept[place] = click

    def clicks(self, among: Collection[int]) -> list[Click]:
        """Those of these people."""
        return [click for person, kept in self._kept.items() if person in among for click in kept]
