"""When a training may spend of the privacy budget, and how much: at most once a day, what is left over what is left.

From ε ≥ `daily_from_epsilon` on a window's budget is spread over its days, and each day's step starts from the one
before; below, one training takes the whole window's, as a thirtieth of little is nothing. The first training of all
takes `first_share` at once: it has a whole past to learn from, and nothing to start from. Why: docs/decisions/
privacy-budget.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil

from app.config.sections import PrivacyOptions
from app.learning.accounting import mu_of
from store.budget import BudgetReader, RunRow

DAY = 86_400.0
A_DAY = 23 * 3600.0
"""A training every day at the same hour may come a little early."""


@dataclass(frozen=True)
class Spending:
    """What a training may spend (μ²; 0 = nothing now) and the sentence that says why."""

    cost: float
    limit: float
    """μ² of a window's whole budget."""
    why: str
    again_at: float = 0.0
    """When something may be spent again; 0 = now."""


def spending(ledger: BudgetReader | None, options: PrivacyOptions, now: float) -> Spending:
    """What a training beginning now may spend."""
    limit = mu_of(options.epsilon, options.delta) ** 2
    daily = options.epsilon >= options.daily_from_epsilon
    window = ledger.window(now, options.window_days) if ledger else None
    paid = _paid(ledger, window.number) if ledger and window else []
    if ledger is None or window is None or not paid:
        if not daily:
            return Spending(limit, limit, "the whole budget of a new window, in one training")
        if ledger is None or ledger.read_until() == 0:
            return Spending(options.first_share * limit, limit, "the first training takes its share of the window")
        return Spending(limit / max(options.window_days, 1), limit, "the first day's share of a new window")
    end = window.began + options.window_days * DAY
    if not daily:
        told = f"below ε = {options.daily_from_epsilon:g} one training a window spends; the next may on {day_of(end)}"
        return Spending(0.0, limit, told, end)
    last = max(run.began for run in paid)
    if now < last + A_DAY:
        told = f"today's share was spent on {day_of(last)}; the next may be on {day_of(last + A_DAY)}"
        return Spending(0.0, limit, told, last + A_DAY)
    left = limit - ledger.spent(window.number)
    if left <= limit * 1e-9:
        told = f"the window's budget is spent (μ² = {limit:.4g}); the next begins on {day_of(end)}"
        return Spending(0.0, limit, told, end)
    days = max(ceil((end - now) / DAY), 1)
    return Spending(left / days, limit, f"a day's share: what is left (μ² = {left:.4g}) over the {days} days left")


def _paid(ledger: BudgetReader, window: int) -> list[RunRow]:
    """A window's runs that spent something, finished or not."""
    spent = {debit.run for debit in ledger.debits(window)}
    return [run for run in ledger.runs(window) if run.id in spent]


def day_of(at: float) -> str:
    """A time as people read it."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC"
