"""Experiments: written down, started, read: first whether it is sound, then the decision in words, then the numbers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

from app.console.asked import Answer, Asked, Go, Notice, Page, Undo
from app.console.charts import Interval, LineChart, Series, intervals, line_chart
from app.console.experiment_form import (
    KINDS,
    arms_of,
    design_from,
    fields_of,
    from_design,
    with_what_has_no_field,
)
from app.console.pinned import of_experiment
from app.console.words import signed
from app.experiments.pinned import PinComparison
from app.experiments.reports import forget, holdout_of
from app.experiments.results import WORDS, ResultsAnswer
from app.problem import Problem
from app.routes.experiments import Handlers
from store.experiments import HOLDOUT, Design, Experiment, ExperimentChanged

if TYPE_CHECKING:
    from app.node import Node

HERE = "/console/experiments"
_GOOD, _BAD = ("better", "likely_better"), ("worse", "likely_worse")


class ExperimentLine(msgspec.Struct, frozen=True, kw_only=True):
    """One experiment in the list."""

    key: str
    name: str
    state: str
    where: str
    arms: list[str]
    started: int
    decision: str
    suspect: bool
    told: bool
    """Whether there are numbers yet."""


class Experiments(msgspec.Struct, frozen=True):
    """The running ones first."""

    experiments: list[ExperimentLine]
    holdout: float


class ExperimentResult(msgspec.Struct, frozen=True, kw_only=True):
    """One experiment with what came of it."""

    key: str
    state: str
    version: int
    created: int
    started: int
    stopped: int
    design: Design
    results: ResultsAnswer
    pins: list[PinComparison]
    """Where one arm is without rules: what each pin's places earned."""


class ExperimentScreen:
    """The list, the form, the results."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._desk = Handlers(node)

    async def listing(self, asked: Asked) -> Answer:
        data = Experiments(await self.lines(), self._node.config.experiments.holdout)
        return Page("experiments.html", "Experiments", data)

    async def lines(self) -> list[ExperimentLine]:
        """The holdout where there is one, then the running ones, drafts and stopped ones."""
        order = {"running": 0, "draft": 1, "stopped": 2}
        found = sorted(self._node.experiments.all(), key=lambda each: (order[each.state], -each.created))
        holdout = [holdout_of(self._node)] if self._node.config.experiments.holdout else []
        return [await self._line(each) for each in holdout + found]

    async def new(self, asked: Asked) -> Answer:
        return self._form(asked, None, {}, fields_of(asked.form))

    async def create(self, asked: Asked) -> Answer:
        """A draft; nobody is drawn before it is started."""
        fields = fields_of(asked.form)
        design, errors = design_from(fields)
        if design is not None:
            errors = self._wrong(design)
        if design is None or errors:
            return self._form(asked, None, errors, fields, 422)
        try:
            made = await self._node.experiments.add(design, self._node.clock.now())
        except ExperimentChanged:
            return self._form(asked, None, {"key": "there is an experiment of this key; take another"}, fields, 422)
        await self._node.staff.note(asked.actor, "experiment created", made.key)
        return Go(f"{HERE}/{made.key}", Notice("Written down. It draws nobody until you start it."))

    async def one(self, asked: Asked) -> Answer:
        experiment = self._named(asked.path("key"))
        results = await self._desk.read(experiment)
        data = ExperimentResult(
            key=experiment.key, state=experiment.state, version=experiment.version, created=experiment.created,
            started=experiment.started, stopped=experiment.stopped, design=experiment.design, results=results,
            pins=await of_experiment(asked, experiment),
        )  # fmt: skip
        extra = {
            "plots": _plots(results), "charts": _charts(results), "arms": arms_of(experiment.design), "metrics": WORDS,
            "good": _GOOD, "bad": _BAD, "holdout": experiment.key == HOLDOUT, "signed": signed,
        }  # fmt: skip
        return Page("experiment.html", experiment.design.name, data, extra=extra)

    async def edit(self, asked: Asked) -> Answer:
        experiment = self._named(asked.path("key"))
        return self._form(asked, experiment, {}, from_design(experiment.design))

    async def change(self, asked: Asked) -> Answer:
        """Another design for a draft that is as it was read."""
        experiment, fields = self._named(asked.path("key")), fields_of(asked.form)
        design, errors = design_from({**fields, "key": experiment.key})
        if experiment.state != "draft":
            raise Problem(409, "It has visitors", "people have seen its arms; stop it and write another")
        if asked.form.get("version") != str(experiment.version):
            errors = {"name": "somebody else changed it meanwhile; save again to put yours in its place"}
        elif design is not None:
            design = with_what_has_no_field(design, experiment.design)
            errors = self._wrong(design)
        if design is None or errors:
            return self._form(asked, experiment, errors, fields, 422)
        await self._desk.put(experiment, msgspec.structs.replace(experiment, design=design))
        await self._node.staff.note(asked.actor, "experiment changed", experiment.key)
        return Go(f"{HERE}/{experiment.key}", Notice("Changed."))

    async def act(self, asked: Asked) -> Answer:
        """Start, stop, delete, or put back what was deleted."""
        action, key = asked.form.get("do"), asked.path("key")
        if action == "restore":
            return await self._restore(asked)
        experiment = self._named(key)
        here = f"{HERE}/{key}"
        if asked.form.get("version") != str(experiment.version):
            return Go(here, Notice("Somebody else changed it meanwhile; this is how it is now.", "warning"))
        if action == "start":
            await self._desk.put(experiment, self._desk.started(experiment))
            notice = Notice("It runs: visitors are drawn from the next request on.")
        elif action == "stop":
            await self._desk.put(experiment, self._desk.stopped(experiment))
            notice = Notice("Stopped. Nobody is drawn any more; what was counted stays.")
        elif action == "delete":
            return await self._delete(asked, experiment)
        else:
            raise Problem(404, "There is no such action", "there are start, stop and delete")
        done = {"start": "started", "stop": "stopped"}[action]
        await self._node.staff.note(asked.actor, f"experiment {done}", key)
        return Go(here, notice)

    async def _delete(self, asked: Asked, experiment: Experiment) -> Answer:
        if experiment.state == "running":
            raise Problem(409, "It is running", "stop it first")
        await self._node.experiments.remove(experiment)
        await forget(self._node, experiment)
        await self._node.staff.note(asked.actor, "experiment deleted", experiment.key)
        undo = None
        if experiment.state == "draft":
            kept = msgspec.json.encode(experiment.design).decode()
            undo = Undo(f"{HERE}/{experiment.key}", {"do": "restore", "design": kept})
        return Go(HERE, Notice(f"“{experiment.design.name}” is gone.", undo=undo))

    async def _restore(self, asked: Asked) -> Answer:
        try:
            design = msgspec.json.decode(asked.form.get("design"), type=Design)
        except msgspec.DecodeError:
            raise Problem(400, "Not an experiment", "it cannot be put back; write it anew") from None
        self._desk.check(design)
        made = await self._node.experiments.add(design, self._node.clock.now())
        await self._node.staff.note(asked.actor, "experiment created", made.key)
        return Go(f"{HERE}/{made.key}", Notice("It is back."))

    def _named(self, key: str) -> Experiment:
        return holdout_of(self._node) if key == HOLDOUT else self._desk.found(key)

    def _wrong(self, design: Design) -> dict[str, str]:
        try:
            self._desk.check(design)
        except Problem as problem:
            told: dict[str, str] = {}
            for each in problem.details.errors:
                parts = each.pointer.strip("/").split("/")
                place = int(parts[1]) if parts[0] == "arms" and len(parts) > 1 and parts[1].isdigit() else None
                told.setdefault(parts[0] if place is None else f"arm{place}", each.detail)
            return told
        return {}

    async def _line(self, experiment: Experiment) -> ExperimentLine:
        design = experiment.design
        results = await self._desk.read(experiment)
        return ExperimentLine(
            key=experiment.key, name=design.name, state=experiment.state,
            where=", ".join([*design.placements, *design.pages]) or "every list",
            arms=[f"{arm.key} {arm.weight:g} %" for arm in design.arms], started=experiment.started,
            decision=results.decision, suspect=bool(results.shares and results.shares.suspect),
            told=bool(results.metrics),
        )  # fmt: skip

    def _form(
        self, asked: Asked, experiment: Experiment | None, errors: dict[str, str], fields: dict[str, object],
        status: int = 200,
    ) -> Page:  # fmt: skip
        placements = self._node.recommender.placements
        extra = {
            "fields": fields, "errors": errors, "experiment": experiment, "kinds": KINDS,
            "metrics": list(WORDS.items()),
            "places": [*((name, placements[name].title or name) for name in sorted(placements)), ("search", "Search")],
            "scorers": self._node.plugins.names("score"),
        }  # fmt: skip
        data = Experiments([], self._node.config.experiments.holdout)
        title = f"Change {experiment.design.name}" if experiment else "New experiment"
        return Page("experiment_form.html", title, data, status, extra)


def _plots(results: ResultsAnswer) -> dict[tuple[str, str], Interval]:
    """The interval of each metric of each arm, all on one scale."""
    told = [each for each in results.metrics if each.uplift is not None]
    rows = [
        (-math.inf if each.low is None else each.low, each.uplift or 0.0, math.inf if each.high is None else each.high)
        for each in told
    ]
    return {(each.metric, each.arm): place for each, place in zip(told, intervals(rows), strict=True)}


def _charts(results: ResultsAnswer) -> list[tuple[str, LineChart]]:
    """The uplift over time with its band, a chart for every arm; an interval without an end is cut at the axis."""
    charts = []
    for arm in dict.fromkeys(each.arm for each in results.over_time):
        days = [each for each in results.over_time if each.arm == arm]
        if len(days) < 2:  # a line has two ends
            continue
        reach = 2 * max(0.05, *(abs(each.uplift) for each in days))
        series = Series(
            "Uplift", [each.uplift for each in days], [max(each.low, -reach) for each in days],
            [min(each.high, reach) for each in days],
        )  # fmt: skip
        charts.append((arm, line_chart([each.day for each in days], [series], form="{:+.1%}", floor=0.0)))
    return charts
