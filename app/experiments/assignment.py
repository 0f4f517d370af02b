"""Who is in which arm: drawn from the visitor's pseudonym under a key of its own, so that nothing need be kept of it.

Draw: unit = HMAC-SHA-256(K_experiments of the epoch, pseudonym), 128 bits; a slot = BLAKE2b(unit, keyed with a salt) as
a number from 0 to 9,999. A layer's salt says who is in which experiment, the experiment's own which arm they get; so
two experiments are independent, and those of one layer never share a visitor. A person's row overrules the draw: it
keeps the arm somebody has seen, and those that a new epoch's keys would draw otherwise (docs/decisions/experiments.md).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Protocol

from store.experiments import HOLDOUT, SLOTS, Arm, Experiment, ExperimentStore
from store.keys import Domain
from store.parts import Part, Parts, read_parts, write_parts

HELD_OUT = Arm(key=HOLDOUT, weight=100, static=True)
EVERYONE = Arm(key="everyone", weight=100)
"""Who is not held out, in an experiment or not."""
HOLDOUT_NUMBER = 0
_WIDTH = (1 << 64) // SLOTS


class ExperimentKeys(Protocol):
    """What of the key ring this needs."""

    epoch: int

    def key(self, domain: Domain, epoch: int | None = None) -> bytes: ...


def unit_of(key: bytes, pseudonym: bytes) -> bytes:
    """What a person's draws depend on, 16 bytes."""
    return hmac.digest(key, pseudonym, "sha256")[:16]


def slot_of(unit: bytes, salt: str) -> int:
    """0..9,999, uniform; independent for different salts."""
    drawn = hashlib.blake2b(unit, key=salt.encode(), digest_size=8).digest()
    return min(int.from_bytes(drawn, "big") // _WIDTH, SLOTS - 1)


def arm_at(arms: list[Arm], slot: int) -> Arm:
    """Whose share of the slots this one is in."""
    edge = 0.0
    for arm in arms:
        edge += arm.weight * SLOTS / 100
        if slot < round(edge):
            return arm
    return arms[-1]


def drawn(unit: bytes, experiment: Experiment) -> str:
    """The arm a draw gives, by key; empty: not in the experiment."""
    if not experiment.first_slot <= slot_of(unit, experiment.layer) < experiment.last_slot:
        return ""
    return arm_at(experiment.design.arms, slot_of(unit, f"{experiment.salt} arm")).key


class Assigner:
    """Draws arms. Microseconds; holds nothing about anyone."""

    def __init__(self, keys: ExperimentKeys, experiments: ExperimentStore, holdout: float) -> None:
        """`holdout`: percent of the visitors."""
        self._keys = keys
        self._experiments = experiments
        self._held_slots = round(holdout * SLOTS / 100)

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
        keys = {each.number: each.key for each in self._experiments.running} | {HOLDOUT_NUMBER: HOLDOUT}
        return {keys[number]: arm for number, arm in found.items() if arm}

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
                held = HELD_OUT.key if slot_of(unit, HOLDOUT) < self._held_slots else EVERYONE.key
            found[HOLDOUT_NUMBER] = held
            if held == HELD_OUT.key or only_holdout:
                return found
        for experiment in self._experiments.running:
            part = parts.get(experiment.number)
            found[experiment.number] = part.arm if part is not None else drawn(unit, experiment)
        return found


def joined(kept: bytes | None, guests: bytes | None) -> bytes | None:
    """What a row keeps once another of the same person joins it: its own arms, and the guest's where it has none."""
    return write_parts({**read_parts(guests), **read_parts(kept)})
