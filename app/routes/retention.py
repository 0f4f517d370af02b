"""What a privacy officer watches: how long everything is kept, what was removed, and how many people agreed to what."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.node import Node
from app.privacy.consent_stats import REPORT
from app.privacy.ladder import KIND, fields_of, ladder
from app.privacy.sweeps import Swept, read_sweeps
from app.problem import FieldError, Problem
from app.routes.admin import require
from app.routes.answers import json_response
from app.routes.openapi import Operation
from store.event_days import date_of

NO_STORE = {"cache-control": "no-store"}
_MOST_FIGURES = 10_000


class RetentionOfKind(msgspec.Struct, frozen=True, kw_only=True):
    """One rung of the ladder."""

    kind: str
    what: str
    fields: list[str]
    """The personal fields it is made of, as the registry names them."""
    setting: str
    keep_days: float
    anonymize_days: float | None
    aggregate_days: float | None
    removed: int
    """Since the data directory was made."""
    removed_last: int
    """By the last sweep."""
    last_run: int
    """Epoch seconds; 0 = never."""
    oldest: int | None
    """Epoch seconds of the oldest that stayed when last looked at; null = nothing."""


class RetentionReport(msgspec.Struct, frozen=True, kw_only=True):
    """GET /v1/privacy/retention."""

    running: bool
    last_run: int
    next_run: float
    """Epoch seconds; 0 = at once."""
    problems: list[str]
    kinds: list[RetentionOfKind]


class ConsentStats(msgspec.Struct, frozen=True, kw_only=True):
    """GET /v1/privacy/consent-stats: published once a day, rounded down; cells of too few people are absent."""

    day: str
    """Empty before the first sweep."""
    at_least: int
    people: dict[str, int]


class FigureOfDay(msgspec.Struct, frozen=True):
    """So many people, rounded down."""

    day: str
    cell: str
    people: int


class Figures(msgspec.Struct, frozen=True):
    """GET /v1/privacy/aggregates."""

    reports: dict[str, tuple[str, str]]
    """Every report there is, with its first and last published day."""
    figures: list[FigureOfDay]


OPERATIONS = [
    Operation("GET", "/v1/privacy/retention", "How long what is kept, and what the sweeps removed",
              answer=RetentionReport, key="privacy", problems=(401, 403)),
    Operation("GET", "/v1/privacy/consent-stats", "How many people agreed to what", answer=ConsentStats, key="privacy",
              problems=(401, 403)),
    Operation("GET", "/v1/privacy/aggregates", "Figures over many people, one report at a time", answer=Figures,
              key="privacy", query={"report": "Its name, as in `reports`; none lists the reports only"},
              problems=(400, 401, 403)),
]  # fmt: skip


def routes(node: Node) -> list[Route]:
    async def retention(request: Request) -> Response:
        require(request, "privacy")
        return json_response(report(node), headers=NO_STORE)

    async def consent_stats(request: Request) -> Response:
        require(request, "privacy")
        day, people = node.aggregates.latest(REPORT)
        stats = ConsentStats(day=str(date_of(day)) if day else "", at_least=node.config.retention.people_at_least,
                             people=people)  # fmt: skip
        return json_response(stats, headers=NO_STORE)

    async def aggregates(request: Request) -> Response:
        require(request, "privacy")
        return json_response(figures(node, request.query_params.get("report", "")), headers=NO_STORE)

    return [
        Route("/v1/privacy/retention", retention, methods=["GET"]),
        Route("/v1/privacy/consent-stats", consent_stats, methods=["GET"]),
        Route("/v1/privacy/aggregates", aggregates, methods=["GET"]),
    ]


def report(node: Node) -> RetentionReport:
    """The retention table as it is now."""
    swept = read_sweeps(node.reader)
    kinds = []
    for kind, policy in ladder(node.config, node.plugins).items():
        known = swept.get(kind, Swept())
        assert policy.keep_days is not None
        kinds.append(
            RetentionOfKind(
                kind=kind,
                what=KIND[kind].what,
                fields=[field.name for field in fields_of(kind)],
                setting=KIND[kind].setting,
                keep_days=policy.keep_days,
                anonymize_days=policy.anonymize_days,
                aggregate_days=policy.aggregate_days,
                removed=known.removed,
                removed_last=known.last_removed,
                last_run=known.ended,
                oldest=known.oldest,
            )
        )
    return RetentionReport(
        running=node.sweeps.running,
        last_run=max((each.ended for each in swept.values()), default=0),
        next_run=node.sweeps.next_at,
        problems=[
            sentence for sentence in (node.sweeps.problem(), node.stalled.get("retention sweep", "")) if sentence
        ],
        kinds=kinds,
    )


def figures(node: Node, name: str) -> Figures:
    """What is published of one report. Raises Problem for one there is not."""
    known = node.aggregates.reports()
    if name and name not in known:
        told = f"no such report; there are {', '.join(sorted(known)) or 'none yet'}"
        raise Problem(400, "Unknown report", told, errors=[FieldError("?report", told)])
    rows = node.aggregates.read(name, 0, 1 << 31, _MOST_FIGURES) if name else []
    return Figures(
        {report: (str(date_of(first)), str(date_of(last))) for report, (first, last) in sorted(known.items())},
        [FigureOfDay(str(date_of(row.day)), row.cell, row.people) for row in rows],
    )
