"""Consent & retention: how many people agreed to what, how long what is kept, and what was removed."""

from __future__ import annotations

import msgspec

from app.console.asked import Answer, Asked, Page
from app.console.charts import Series, line_chart
from app.privacy.consent_stats import NOTHING, PEOPLE, REPORT, UNDECIDED
from app.routes.retention import Figures, RetentionReport, figures, report
from store.event_days import date_of
from store.records import PURPOSE_NAMES

DAYS = 90
VERSION = "text version "


class Agreed(msgspec.Struct, frozen=True):
    """One purpose, and how many of all people agreed to it."""

    name: str
    people: int
    share: float


class PurposeRule(msgspec.Struct, frozen=True):
    """What a jurisdiction wants before something may be done."""

    jurisdiction: str
    home: bool
    regions: list[str]
    modes: dict[str, str]
    gpc: str
    record_days: int


class ConsentScreen(msgspec.Struct, frozen=True, kw_only=True):
    """GET /console/consent.json. Figures are published once a day, rounded down; small cells are absent."""

    day: str
    at_least: int
    people: int
    undecided: int
    nothing: int
    agreed: list[Agreed]
    versions: dict[str, int]
    policy_version: str
    policies: list[PurposeRule]
    retention: RetentionReport
    reports: Figures


async def consent(asked: Asked) -> Answer:
    node = asked.node
    day, told = node.aggregates.latest(REPORT)
    people = told.get(PEOPLE, 0)
    asked_report = asked.query("report")
    known = node.aggregates.reports()
    data = ConsentScreen(
        day=str(date_of(day)) if day else "",
        at_least=node.config.retention.people_at_least,
        people=people,
        undecided=told.get(UNDECIDED, 0),
        nothing=told.get(NOTHING, 0),
        agreed=[
            Agreed(name, told.get(name, 0), told.get(name, 0) / people if people else 0.0)
            for name, purpose in PURPOSE_NAMES.items()
            if purpose
        ],
        versions={name.removeprefix(VERSION): count for name, count in told.items() if name.startswith(VERSION)},
        policy_version=node.config.consent.version,
        policies=_policies(asked),
        retention=report(node),
        reports=figures(node, asked_report if asked_report in known else ""),
    )
    days = sorted({figure.day for figure in node.aggregates.read(REPORT, 0, 1 << 31)})[-DAYS:]
    chart = _over_time(asked, days) if len(days) > 1 else None
    extra = {"chart": chart, "report": asked_report if asked_report in known else ""}
    return Page("consent.html", "Consent & retention", data, extra=extra)


def _over_time(asked: Asked, days: list[int]) -> object:
    by_day: dict[str, dict[int, int]] = {}
    for figure in asked.node.aggregates.read(REPORT, days[0], days[-1]):
        by_day.setdefault(figure.cell, {})[figure.day] = figure.people
    series = [
        Series(name, [by_day.get(cell, {}).get(day) for day in days], kind=kind)
        for name, cell, kind in (("Everyone", PEOPLE, "control"), ("Profile", "profile", "main"),
                                 ("Training", "training", "second"))
        if cell in by_day
    ]  # fmt: skip
    return line_chart([str(date_of(day)) for day in days], series, floor=0)


def _policies(asked: Asked) -> list[PurposeRule]:
    policy = asked.node.config.consent
    wanted = ("session", "profile", "training", "experiments", "purchases", "searches", "location")
    return [
        PurposeRule(
            name, name == policy.home, list(each.regions), {field: getattr(each, field) for field in wanted}, each.gpc,
            each.record_days,
        )
        for name, each in policy.jurisdictions().items()
    ]  # fmt: skip
