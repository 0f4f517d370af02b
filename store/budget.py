"""budget.db: the ledger of what learning across people has cost, by window, written before anything is released."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from store.database import Connection, Row, faults_of, open_reader, open_writer

BUDGET_FILE = "budget.db"

_ROUNDING = 1e-9
"""Shares of a budget add up to it but for this part of it."""


class Overspent(Exception):
    """A debit that would pass the window's budget; nothing was written."""

    def __init__(self, cost: float, spent: float, limit: float) -> None:
        super().__init__(f"{spent:g} + {cost:g} > {limit:g}")
        self.cost, self.spent, self.limit = cost, spent, limit


class Window(NamedTuple):
    """A budget's time; `data_from` is where the events it may use begin."""

    number: int
    began: float
    data_from: float


class RunRow(NamedTuple):
    """A training as the ledger keeps it."""

    id: int
    window: int | None
    mode: str
    epsilon: float | None
    delta: float | None
    began: float
    data_until: float
    ended: float | None
    generation: str | None


class Debit(NamedTuple):
    """One release. `cost` is μ²; None where it was released without noise."""

    run: int
    name: str
    step: int
    sensitivity: float
    multiplier: float
    cost: float | None
    at: float


_RUN = "id, window, mode, epsilon, delta, began, data_until, ended, generation"
_DEBIT = "run, name, step, sensitivity, multiplier, cost, at"


class BudgetReader:
    """What was spent, read beside whoever writes."""

    def __init__(self, path: Path, connection: Connection) -> None:
        self.path = path
        self._connection = connection

    def window(self, now: float, days: float) -> Window | None:
        """The window in force; None before the first and after the last one's end."""
        last = self.last_window()
        return last if last and now < last.began + days * 86_400 else None

    def last_window(self) -> Window | None:
        row = self._one("SELECT number, began, data_from FROM windows ORDER BY number DESC LIMIT 1")
        return Window(*row) if row else None

    def windows(self, most: int) -> list[Window]:
        """The newest windows, newest first."""
        sql = "SELECT number, began, data_from FROM windows ORDER BY number DESC LIMIT ?"
        return [Window(*row) for row in self._all(sql, (most,))]

    def read_until(self) -> float:
        """Where the last run that spent anything stopped reading; 0 before the first."""
        row = self._one("SELECT max(data_until) FROM runs WHERE id IN (SELECT run FROM debits WHERE cost > 0)")
        return float(row[0] or 0) if row else 0.0

    def spent(self, window: int) -> float:
        """μ² of a window so far."""
        row = self._one(
            "SELECT total(d.cost) FROM debits AS d JOIN runs AS r ON r.id = d.run WHERE r.window = ?", (window,)
        )
        return float(row[0]) if row else 0.0

    def runs(self, window: int | None) -> list[RunRow]:
        """A window's runs, or those outside any, oldest first."""
        sql = f"SELECT {_RUN} FROM runs WHERE window IS ? ORDER BY id"
        return [RunRow(*row) for row in self._all(sql, (window,))]

    def run(self, number: int) -> RunRow | None:
        row = self._one(f"SELECT {_RUN} FROM runs WHERE id = ?", (number,))
        return RunRow(*row) if row else None

    def debits(self, window: int) -> list[Debit]:
        """Every release of a window, oldest first."""
        sql = f"SELECT {_DEBIT} FROM debits WHERE run IN (SELECT id FROM runs WHERE window = ?) ORDER BY id"
        return [Debit(*row) for row in self._all(sql, (window,))]

    def debits_of(self, run: int) -> list[Debit]:
        """Every release of a run, oldest first."""
        return [Debit(*row) for row in self._all(f"SELECT {_DEBIT} FROM debits WHERE run = ? ORDER BY id", (run,))]

    def _one(self, sql: str, parameters: tuple[object, ...] = ()) -> Row | None:
        rows = self._all(sql, parameters)
        return rows[0] if rows else None

    def _all(self, sql: str, parameters: tuple[object, ...] = ()) -> list[Row]:
        with faults_of(self.path):
            return self._connection.execute(sql, parameters).fetchall()


class BudgetLedger(BudgetReader):
    """The ledger, for the one training that runs. Every method is one durable transaction, or a StoreFault."""

    def begin_run(
        self,
        now: float,
        mode: str,
        *,
        data_until: float,
        days: float = 0.0,
        epsilon: float | None = None,
        delta: float | None = None,
    ) -> RunRow:
        """A run. With an `epsilon` it may spend: it joins the window in force, or begins the next one, whose events
        are those that no run of an earlier window could have read."""
        with self._transaction():
            number = None
            if epsilon is not None:
                window = self.window(now, days)
                if window is None:
                    sql = "INSERT INTO windows(began, data_from) VALUES (?, ?)"
                    number = self._connection.execute(sql, (now, self.read_until())).lastrowid
                else:
                    number = window.number
            run = self._connection.execute(
                "INSERT INTO runs(window, mode, epsilon, delta, began, data_until) VALUES (?, ?, ?, ?, ?, ?)",
                (number, mode, epsilon, delta, now, data_until),
            ).lastrowid
        found = self.run(run or 0)
        assert found is not None
        return found

    def debit(
        self,
        run: RunRow,
        name: str,
        step: int,
        *,
        sensitivity: float,
        multiplier: float,
        cost: float | None,
        limit: float,
        at: float,
    ) -> None:
        """Write a release down before it exists; on disk when this returns. Raises Overspent, a StoreFault."""
        with self._transaction():
            if cost is not None and run.window is not None:
                spent = self.spent(run.window)
                if not spent + cost <= limit * (1 + _ROUNDING):
                    raise Overspent(cost, spent, limit)
            self._connection.execute(
                f"INSERT INTO debits({_DEBIT}) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (run.id, name, step, sensitivity, multiplier, cost, at),
            ).close()

    def end_run(self, run: RunRow, at: float, generation: str | None) -> None:
        """The run is over; None = nothing of it was published."""
        with self._transaction():
            sql = "UPDATE runs SET ended = ?, generation = ? WHERE id = ?"
            self._connection.execute(sql, (at, generation, run.id)).close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with faults_of(self.path):
            self._connection.execute("BEGIN IMMEDIATE").close()
            try:
                yield
                self._connection.execute("COMMIT").close()
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK").close()
                raise


def use_up_the_past(path: Path, now: float) -> None:
    """After an older copy of a ledger was put back: what was spent since is not known, so everything that happened
    until now counts as learned from, and a window of its own begins."""
    with closing(open_writer(path, "budget")) as connection, faults_of(path):
        connection.execute("INSERT INTO windows(began, data_from) VALUES (?, ?)", (now, now)).close()


@contextmanager
def open_budget(folder: Path) -> Iterator[BudgetLedger]:
    """The ledger of a data directory, made where there is none. Raises a StoreFault where it cannot be written."""
    path = folder / BUDGET_FILE
    with closing(open_writer(path, "budget")) as connection:
        yield BudgetLedger(path, connection)


@contextmanager
def read_budget(folder: Path) -> Iterator[BudgetReader | None]:
    """The ledger for reading only; None where nothing was ever learned."""
    path = folder / BUDGET_FILE
    if not path.is_file():
        yield None
        return
    with closing(open_reader(path)) as connection:
        yield BudgetReader(path, connection)
