"""What an arm changes about a list: which experiment a list belongs to, and how its placement then answers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import msgspec

from app.experiments.assignment import EVERYONE, HELD_OUT
from app.serving.placements import Placement
from plugins.contract import Visitor
from store.experiments import HOLDOUT, Arm, Design, Experiment, ExperimentStore

STATIC = {"retrieve": ("popular",), "weights": {"popular": 1.0}, "arrange": (), "exclude_bought": False}
"""Distinct buyers of the last 60 days, for everyone alike."""


class ExperimentOnWire(msgspec.Struct, frozen=True):
    """Which experiment an answer belongs to, and the arm it was made in."""

    key: str
    arm: str


@dataclass(frozen=True)
class Trial:
    """One list's experiment and arm."""

    key: str
    arm: Arm
    compares: bool = False
    """Whether the places of pins are compared between this arm and one whose rules are off, or on."""

    @property
    def label(self) -> str:
        """As tokens and cacheable URLs carry it."""
        return f"{self.key}/{self.arm.key}"

    @property
    def told(self) -> ExperimentOnWire:
        return ExperimentOnWire(self.key, self.arm.key)

    def visitor(self, visitor: Visitor) -> Visitor:
        """Whom the list is for: a static one is for nobody in particular."""
        return Visitor(arms=visitor.arms) if self.arm.static else visitor

    def placement(self, placement: Placement) -> Placement:
        """The placement as this arm has it."""
        arm = self.arm
        if not arm.changes_lists:
            return placement
        if arm.static:
            # A list of what one has viewed or bought has nothing to show to everyone alike: it stays empty.
            return msgspec.structs.replace(placement, **STATIC) if placement.fill else placement
        retrieve = placement.retrieve if arm.retrieve is None else tuple(arm.retrieve)
        arrange = placement.arrange if arm.arrange is None else tuple(arm.arrange)
        weights = placement.weights | arm.weights
        return msgspec.structs.replace(
            placement,
            retrieve=tuple(name for name in retrieve if name not in arm.off),
            arrange=tuple(name for name in arrange if name not in arm.off),
            weights={name: weight for name, weight in weights.items() if name not in arm.off},
        )


def compares_places(design: Design, arm: Arm) -> bool:
    """Whether an arm is one of the two that tell what pins are worth."""
    sides = design.sides
    return sides is not None and arm in (design.arms[sides[0]], design.arms[sides[1]])


class NoSuchArm(LookupError):
    """A URL names an arm that is not running; the message says which are."""


class Trials:
    """Finds the experiment of a list among those that run."""

    def __init__(self, experiments: ExperimentStore, pages: Mapping[str, Collection[str]] | None = None) -> None:
        """`pages`: page -> those of its sections that are lists; who is in an experiment on a page is counted by
        them."""
        self._experiments = experiments
        self.pages = {} if pages is None else pages

    def of(self, placement: str, arms: Mapping[str, str]) -> Trial | None:
        """The experiment a list of this placement belongs to, for a visitor in these arms; None for none.

        At most one: experiments that concern the same placement share a layer, or they were not started.
        """
        if not arms:
            return None
        if arms.get(HOLDOUT) == HELD_OUT.key:
            return Trial(HOLDOUT, HELD_OUT)
        for experiment in self._experiments.running:
            if experiment.design.concerns(placement, self.pages):
                arm = experiment.arm(arms.get(experiment.key, ""))
                if arm is not None:
                    return Trial(experiment.key, arm, compares_places(experiment.design, arm))
        return Trial(HOLDOUT, EVERYONE) if HOLDOUT in arms else None

    def page(self, page: str, arms: Mapping[str, str]) -> Trial | None:
        """The same for the sections of a page."""
        if arms.get(HOLDOUT) == HELD_OUT.key:
            return Trial(HOLDOUT, HELD_OUT)
        for experiment in self._experiments.running:
            arm = experiment.arm(arms.get(experiment.key, "")) if page in experiment.design.pages else None
            if arm is not None:
                return Trial(experiment.key, arm)
        return None

    def named(self, label: str) -> dict[str, str]:
        """The arm a URL names as `key/arm`, as experiment -> arm. Raises NoSuchArm."""
        key, _, arm = label.partition("/")
        experiment = self._experiments.get(key)
        if experiment is None or experiment.state != "running" or experiment.arm(arm) is None:
            raise NoSuchArm(
                f"there is no running experiment with the arm {label!r}{_running(self._experiments.running)}"
            )
        return {key: arm}


def _running(experiments: tuple[Experiment, ...]) -> str:
    labels = [f"{each.key}/{arm.key}" for each in experiments for arm in each.design.arms]
    return f"; there are {', '.join(labels)}" if labels else "; none runs"
