"""Who is in which arm: drawn from the visitor's pseudonym under a key of its own, so that nothing need be kept of it.

Draw: unit = HMAC-SHA-256(K_experiments of the epoch, pseudonym), 128 bits; BLAKE2b(unit, keyed with an experiment's
salt) gives two slots from 0 to 9,999: whether the visitor is in it, and which arm they get. So two experiments are
independent. In a layer the first slot comes of the layer's salt: its experiments never share a visitor. A person's row
overrules the draw: it keeps the arm somebody has seen, and those that a new epoch's keys would draw otherwise
(docs/decisions/experiments.md).
"""

from __future__ import annotations

import hashlib
import hmac
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Protocol

from store.experiments import HOLDOUT, SLOTS, Arm, Experiment, ExperimentStore
from store.keys import Domain
from store.parts import Part, Parts, read_parts, write_parts

HELD_OUT = Arm(key=HOLDOUT, weight=100, static=True)
EVERYONE = Arm(key="everyone", weight=100)
"""Who is not held out, in an experiment or not."""
HOLDOUT_NUMBER = 0


class ExperimentKeys(Protocol):
    """What of the key ring this needs."""

    epoch: int

    def key(self, domain: Domain, epoch: int | None = None) -> bytes: ...


def unit_of(key: bytes, pseudonym: bytes) -> bytes:
    """What a person's draws depend on, 16 bytes."""
    return hmac.digest(key, pseudonym, "sha256")[:16]


def slots_of(unit: bytes, salt: bytes) -> tuple[int, int]:
    """Two numbers from 0 to 9,999, uniform and independent of each other, and of those of other salts."""
    drawn = hashlib.blake2b(unit, key=salt, digest_size=16).digest()
    return int.from_bytes(drawn[:8], "big") * SLOTS >> 64, int.from_bytes(drawn[8:], "big") * SLOTS >> 64


class Draw:
    """An experiment, ready to be drawn from."""

    __slots__ = ("_edges", "_first", "_keys", "_last", "_layer", "_salt", "key", "number")

    def __init__(self, experiment: Experiment) -> None:
        self.number, self.key = experiment.number, experiment.key
        self._salt = experiment.salt.encode()
        self._layer = f"layer {experiment.design.layer}".encode() if experiment.design.layer else b""
        self._first, self._last = experiment.first_slot, experiment.last_slot
        self._edges, self._keys = edges_of(experiment.design.arms), [arm.key for arm in experiment.design.arms]

    def arm(self, unit: bytes) -> str:
        """The arm by key; empty: not in the experiment."""
        within, slot = slots_of(unit, self._salt)
        if self._layer:
            within, _ = slots_of(unit, self._layer)
        return self._keys[bisect_right(self._edges, slot)] if self._first <= within < self._last else ""


def edges_of(arms: Sequence[Arm]) -> list[int]:
    """Where each arm's share of the slots ends, but for the last one's."""
    return [round(end * SLOTS / 100) for end in accumulate(arm.weight for arm in arms[:-1])]


class Assigner:
    """Draws arms. Microseconds; holds nothing about anyone."""

    def __init__(self, keys: ExperimentKeys, experiments: ExperimentStore, holdout: float) -> None:
        """`holdout`: percent of the visitors."""
        self._keys = keys
        self._experiments = experiments
        self._held_slots = round(holdout * SLOTS / 100)
        self._drawn_of: tuple[Experiment, ...] = ()
        self._draws: tuple[Draw, ...] = ()

    @property
    def idle(self) -> bool:
        """Whether there is nothing to be in."""
        return not self._experiments.running and not self._held_slots

    def arms(self, pseudonym: bytes, kept: bytes | None, *, earlier: bool = False) -> dict[str, str]:
        """Experiment -> arm of a visitor whose row keeps `kept`.

        `earlier`: the pseudonym is the previous epoch's, under which the row still lies.
        """
        if self.idle:
            return {}
        found = self._numbered(pseudonym, read_parts(kept), self._keys.epoch - 1 if earlier else self._keys.epoch)
        arms = {draw.key: arm for draw in self._ready() if (arm := found.get(draw.number))}
        return arms | {HOLDOUT: found[HOLDOUT_NUMBER]} if self._held_slots else arms

    def arm_of(self, pseudonym: bytes, parts: Parts, number: int) -> str:
        """The arm in one experiment, under the current epoch; empty for none."""
        return self._numbered(pseudonym, parts, self._keys.epoch).get(number, "")

    def carried(self, kept: bytes | None, before: bytes, now: bytes) -> bytes | None:
        """What a row keeps when its person goes on under a new epoch's pseudonym: of each running experiment no more
        than the arm, where the new key would draw another one."""
        if self.idle:
            return None
        parts = self.current(read_parts(kept))
        theirs = self._numbered(before, parts, self._keys.epoch - 1)
        anew = self._numbered(now, {HOLDOUT_NUMBER: Part(EVERYONE.key)}, self._keys.epoch)
        if self._held_slots:
            anew |= self._numbered(now, {}, self._keys.epoch, only_holdout=True)
        for number, arm in theirs.items():
            if number not in parts and arm != anew[number]:
                parts[number] = Part(arm)
        return write_parts(parts)

    def current(self, parts: Parts) -> Parts:
        """Without what ended."""
        running = {each.number for each in self._experiments.running}
        if self._held_slots:
            running.add(HOLDOUT_NUMBER)
        return {number: part for number, part in parts.items() if number in running}

    def _numbered(
        self, pseudonym: bytes, parts: Mapping[int, Part], epoch: int, *, only_holdout: bool = False
    ) -> dict[int, str]:
        """Experiment's number -> arm, empty for none; of who is held out the holdout alone."""
        unit = unit_of(self._keys.key(Domain.EXPERIMENTS, epoch), pseudonym)
        found: dict[int, str] = {}
        if self._held_slots:
            held = parts[HOLDOUT_NUMBER].arm if HOLDOUT_NUMBER in parts else ""
            if not held:
                held = HELD_OUT.key if slots_of(unit, b"holdout")[0] < self._held_slots else EVERYONE.key
            found[HOLDOUT_NUMBER] = held
            if held == HELD_OUT.key or only_holdout:
                return found
        for draw in self._ready():
            part = parts.get(draw.number)
            found[draw.number] = part.arm if part is not None else draw.arm(unit)
        return found

    def _ready(self) -> tuple[Draw, ...]:
        running = self._experiments.running
        if running is not self._drawn_of:
            self._drawn_of, self._draws = running, tuple(Draw(each) for each in running)
        return self._draws


def joined(kept: bytes | None, guests: bytes | None) -> bytes | None:
    """What a row keeps once another of the same person joins it: its own arms, and the guest's where it has none."""
    return write_parts({**read_parts(guests), **read_parts(kept)})
