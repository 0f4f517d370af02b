"""What is tried out on the shop's visitors: designs, when they run, and which share of everyone they may have.

Held in memory, changed after the commit, so that the next request obeys. Nothing here is about a person.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Collection, Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from store.database import Database

SLOTS = 10_000
"""Everyone falls into one of so many slots of a layer; a share of the traffic is a range of them."""
HOLDOUT = "holdout"
"""Key of the one experiment that is always there: who is kept out of personalization, by configuration."""
_KEY = r"^[a-z0-9][a-z0-9_-]{0,31}\Z"

Key = Annotated[str, Meta(pattern=_KEY, max_length=32, description="Small letters, digits, - and _")]
Name = Annotated[str, Meta(max_length=64)]
Percent = Annotated[float, Meta(gt=0, le=100)]
Metric = Literal["clicks", "click_rate", "carts", "orders"]
State = Literal["draft", "running", "stopped"]


class Arm(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One way of doing it; says only what it changes."""

    key: Key
    weight: Percent
    """Of the experiment's visitors, percent."""
    static: bool = False
    """The same list for everyone: distinct buyers of the last 60 days."""
    rules_off: bool = False
    """Without the marketers' rules."""
    weights: Annotated[dict[Name, Annotated[float, Meta(ge=-100, le=100)]], Meta(max_length=64)] = {}
    """Scorer -> weight, laid over the placement's."""
    retrieve: Annotated[list[Name], Meta(max_length=64)] | None = None
    """Who proposes, in place of the placement's."""
    arrange: Annotated[list[Name], Meta(max_length=64)] | None = None
    off: Annotated[list[Name], Meta(max_length=64)] = []
    """Plugins that neither propose nor score nor arrange."""
    sections: Annotated[list[Name], Meta(max_length=64)] | None = None
    """Of a page, in this order, in place of the configured ones."""

    @property
    def changes(self) -> bool:
        """Whether it differs in anything from what visitors outside of the experiment get."""
        return bool(self.rules_off or self.changes_lists or self.sections is not None)

    @property
    def only_without_rules(self) -> bool:
        return self.rules_off and not self.changes_lists and self.sections is None

    @property
    def changes_lists(self) -> bool:
        return bool(self.static or self.weights or self.off or self.retrieve is not None or self.arrange is not None)


class Design(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a marketer writes down. The first arm is the one the others are compared with."""

    key: Key
    name: Annotated[str, Meta(min_length=1, max_length=200)]
    arms: Annotated[list[Arm], Meta(min_length=2, max_length=8)]
    hypothesis: Annotated[str, Meta(max_length=2_000)] = ""
    placements: Annotated[list[Name], Meta(max_length=64)] = []
    """Lists it concerns; neither placements nor pages: every list."""
    pages: Annotated[list[Name], Meta(max_length=64)] = []
    """Pages whose sections it concerns."""
    traffic: Percent = 100.0
    """Share of the visitors, percent."""
    layer: Annotated[str, Meta(pattern=r"^([a-z0-9][a-z0-9_-]{0,31})?\Z", max_length=32)] = ""
    """Experiments of one layer never share a visitor; empty: independent of all others."""
    metric: Metric = "clicks"
    """What the hypothesis is about."""
    guardrails: Annotated[list[Metric], Meta(max_length=4)] = msgspec.field(default_factory=lambda: ["orders"])
    """What must not get worse."""

    @property
    def sides(self) -> tuple[int, int] | None:
        """The places of the arm that is as everyone has it and of the one that does no more than switch rules off:
        what tells whether pins are worth their places. None without these two."""
        pinned = next((place for place, arm in enumerate(self.arms) if not arm.changes), None)
        automatic = next((place for place, arm in enumerate(self.arms) if arm.only_without_rules), None)
        return None if pinned is None or automatic is None else (pinned, automatic)

    def concerns(self, placement: str, pages: Mapping[str, Collection[str]]) -> bool:
        """Whether lists of this placement belong to it; `pages`: page -> the lists among its sections."""
        if not self.placements and not self.pages:
            return True
        return placement in self.placements or any(placement in pages.get(page, ()) for page in self.pages)


class Experiment(msgspec.Struct, frozen=True, kw_only=True):
    """A design and what became of it."""

    number: int
    design: Design
    state: State = "draft"
    version: int = 1
    """Grows with every change; the ETag."""
    salt: str = ""
    """What its draws depend on besides the visitor; random."""
    first_slot: int = 0
    """Of its layer, once it runs."""
    last_slot: int = 0
    """One past its last."""
    created: int = 0
    started: int = 0
    stopped: int = 0
    """Epoch seconds; 0: not yet."""

    @property
    def key(self) -> str:
        return self.design.key

    @property
    def layer(self) -> str:
        """By what its visitors are drawn: the layer's name, else its own salt."""
        return f"layer {self.design.layer}" if self.design.layer else self.salt

    def arm(self, key: str) -> Arm | None:
        return next((arm for arm in self.design.arms if arm.key == key), None)

    def place(self, key: str) -> int:
        """Where an arm stands in the design; -1 for none."""
        return next((place for place, arm in enumerate(self.design.arms) if arm.key == key), -1)


class ExperimentChanged(Exception):
    """Somebody else changed it meanwhile, or took it away."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Experiment).decode


class ExperimentStore:
    """Every experiment by key; `running` are those that draw visitors now, oldest first."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._turn = asyncio.Lock()
        self._all: dict[str, Experiment] = {}
        self.running: tuple[Experiment, ...] = ()
        self.version = 0
        """Grows whenever anything changes, for whoever keeps something derived."""

    async def load(self) -> None:
        """Read what is stored; once, before anything else is asked."""
        rows = await self._database.fetch("SELECT body FROM experiments ORDER BY number")
        self._all = {experiment.key: experiment for experiment in (_decode(body) for (body,) in rows)}
        self._settle()

    def all(self) -> list[Experiment]:
        return list(self._all.values())

    def get(self, key: str) -> Experiment | None:
        return self._all.get(key)

    async def add(self, design: Design, now: float) -> Experiment:
        """A draft. Raises ExperimentChanged where there is one of that key."""
        async with self._turn:
            if design.key in self._all:
                raise ExperimentChanged(design.key)
            async with self._database.transaction() as transaction:
                ((number,),) = await transaction.fetch(
                    "UPDATE experiment_numbers SET next = next + 1 RETURNING next - 1"
                )
                experiment = Experiment(number=number, design=design, salt=secrets.token_hex(16), created=int(now))
                transaction.insert(
                    "INSERT INTO experiments(number, key, body)", [(number, design.key, _encode(experiment))]
                )
            self._all[design.key] = experiment
            self._settle()
        return experiment

    async def replace(self, before: Experiment, after: Experiment) -> Experiment:
        """Put `after` in the place of `before`, with the next version. Raises ExperimentChanged where `before` is not
        what is stored."""
        async with self._turn:
            self._same(before)
            after = msgspec.structs.replace(after, number=before.number, version=before.version + 1)
            await self._database.execute(
                "UPDATE experiments SET body = ? WHERE number = ?", (_encode(after), before.number)
            )
            self._all[before.key] = after
            self._settle()
        return after

    async def remove(self, experiment: Experiment) -> None:
        """Raises ExperimentChanged where it is not what is stored."""
        async with self._turn:
            self._same(experiment)
            await self._database.execute("DELETE FROM experiments WHERE number = ?", (experiment.number,))
            del self._all[experiment.key]
            self._settle()

    def _same(self, experiment: Experiment) -> None:
        if self._all.get(experiment.key) != experiment:
            raise ExperimentChanged(experiment.key)

    def _settle(self) -> None:
        self.running = tuple(each for each in self._all.values() if each.state == "running")
        self.version += 1
