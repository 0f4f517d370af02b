"""What learning across people has cost so far, as `personalize budget` and GET /v1/privacy/budget tell it."""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt
from pathlib import Path

import msgspec

from app.config.sections import PrivacyOptions
from app.learning.accounting import epsilon_of, mu_of
from app.learning.schedule import DAY, day_of, spending
from store.budget import BudgetReader, Debit, RunRow, read_budget

_WINDOWS = 24
"""Windows that are told."""


class ReleaseSpent(msgspec.Struct, frozen=True, kw_only=True):
    """What one kind of release has cost in the window."""

    name: str
    times: int
    sensitivity: float
    noise: float
    """σ of the last one, in units of the sensitivity."""
    cost: float
    """μ² of all."""
    share: float
    """Of the window's budget."""
    run: int
    """That released it last."""


class WindowSpent(msgspec.Struct, frozen=True, kw_only=True):
    """One window of the budget, and what is spent of it."""

    number: int
    began: float
    ends: float
    data_from: float
    """Events are read from here on; 0 = as far back as there are any."""
    runs: int
    """Trainings that spent something."""
    unfinished: int
    """Of them, trainings that ended without publishing: what they spent stays spent."""
    cost: float
    epsilon: float


class NextSpending(msgspec.Struct, frozen=True, kw_only=True):
    """What the next training may spend."""

    cost: float
    """μ²; 0 = nothing yet."""
    at: float
    """When; 0 = now."""
    why: str


class BudgetReport(msgspec.Struct, frozen=True, kw_only=True):
    """GET /v1/privacy/budget. Costs are μ² of Gaussian differential privacy, which simply add up."""

    learned: str
    epsilon: float
    delta: float
    window_days: float
    limit: float
    """μ² of a window's whole budget."""
    window: WindowSpent | None
    left: float
    """μ² that is left of the window's budget; the whole of it between two windows."""
    releases: list[ReleaseSpent]
    next: NextSpending
    windows_per_person: int
    lifetime_epsilon: float
    """What one person may be exposed to in all the windows they take part in, at `delta`."""
    earlier: list[WindowSpent]
    without_budget: int
    """Trainings in `exact` or `threshold`, which no ε speaks for."""


def report_of(folder: Path, options: PrivacyOptions, now: float) -> BudgetReport:
    """The report on a data directory. Raises a StoreFault where its ledger cannot be read."""
    with read_budget(folder) as ledger:
        limit = mu_of(options.epsilon, options.delta) ** 2
        window = ledger.window(now, options.window_days) if ledger else None
        may = spending(ledger, options, now)
        told = list(_windows(ledger, options)) if ledger else []
        current = next((each for each in told if window and each.number == window.number), None)
        debits = ledger.debits(window.number) if ledger and window else []
        return BudgetReport(
            learned=options.learned,
            epsilon=options.epsilon,
            delta=options.delta,
            window_days=options.window_days,
            limit=limit,
            window=current,
            left=max(limit - (current.cost if current else 0.0), 0.0),
            releases=_by_name(debits, limit),
            next=NextSpending(cost=may.cost, at=may.again_at, why=may.why),
            windows_per_person=options.windows_per_person,
            lifetime_epsilon=epsilon_of(sqrt(limit * options.windows_per_person), options.delta),
            earlier=[each for each in told if each is not current],
            without_budget=len(ledger.runs(None)) if ledger else 0,
        )


def readable(report: BudgetReport) -> str:
    """The report as text."""
    return "\n".join(_lines(report))


def _lines(report: BudgetReport) -> Iterator[str]:
    yield f"[privacy] learned = {report.learned!r}"
    if report.without_budget:
        yield f"  {report.without_budget} trainings were not under differential privacy: no ε speaks for them"
    yield (
        f"budget: ε = {report.epsilon:g}, δ = {report.delta:g} per person and {report.window_days:g} days"
        f" (μ² = {report.limit:.4f})"
    )
    yield (
        f"  a person is learned from in at most {report.windows_per_person} windows: ε = {report.lifetime_epsilon:.1f}"
        " over all of them"
    )
    window = report.window
    if window is None:
        yield "no window is open; the next training begins one"
    else:
        since = f", events since {day_of(window.data_from)}" if window.data_from else ""
        yield f"window {window.number}: {day_of(window.began)} to {day_of(window.ends)}{since}"
        unfinished = f", {window.unfinished} of which published nothing" if window.unfinished else ""
        yield f"  spent  μ² = {window.cost:.4f}, ε = {window.epsilon:.3f}, in {window.runs} trainings{unfinished}"
        yield f"  left   μ² = {report.left:.4f}"
        for each in report.releases:
            times = f"{each.times} ×" if each.times > 1 else ""
            yield (
                f"    {each.name:<24}{times:>6} {each.share:6.1%}  sensitivity {each.sensitivity:.3g},"
                f" noise {each.noise * each.sensitivity:.3g}"
            )
    if report.learned == "dp":
        worth = f"μ² = {report.next.cost:.4f}: " if report.next.cost else "nothing: "
        yield f"next training may spend {worth}{report.next.why}"
    for past in report.earlier:
        yield f"window {past.number}: {day_of(past.began)} to {day_of(past.ends)}, ε = {past.epsilon:.3f} spent"


def _windows(ledger: BudgetReader, options: PrivacyOptions) -> Iterator[WindowSpent]:
    for window in ledger.windows(_WINDOWS):
        cost = ledger.spent(window.number)
        paid = _paid(ledger, window.number)
        yield WindowSpent(
            number=window.number,
            began=window.began,
            ends=window.began + options.window_days * DAY,
            data_from=window.data_from,
            runs=len(paid),
            unfinished=sum(run.generation is None for run in paid),
            cost=cost,
            epsilon=epsilon_of(sqrt(cost), options.delta),
        )


def _paid(ledger: BudgetReader, window: int) -> list[RunRow]:
    spent = {debit.run for debit in ledger.debits(window)}
    return [run for run in ledger.runs(window) if run.id in spent]


def _by_name(debits: list[Debit], limit: float) -> list[ReleaseSpent]:
    found: dict[str, list[Debit]] = {}
    for debit in debits:
        found.setdefault(debit.name, []).append(debit)
    return [
        ReleaseSpent(
            name=name,
            times=len(rows),
            sensitivity=rows[-1].sensitivity,
            noise=rows[-1].multiplier,
            cost=sum(row.cost or 0.0 for row in rows),
            share=sum(row.cost or 0.0 for row in rows) / limit,
            run=rows[-1].run,
        )
        for name, rows in sorted(found.items())
    ]
