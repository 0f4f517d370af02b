"""What was released so far under differential privacy, kept beside the generations: later trainings build on it.

Nothing in it is about a person, or everything the door let out would be. It outlives refused and removed generations;
a training that may not spend makes its generation of this alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.learning.rates import Rate
from store.arrays import read_arrays, write_arrays
from store.budget import BUDGET_FILE, BudgetReader
from store.faults import LedgerLost

RELEASED_FILE = "released.npz"
_RUN = "run of "
_PARTS = ("total", "weight", "at", "exact")


class Memory:
    """Arrays by name; a `Rate` lies as three. Without a folder nothing lasts."""

    def __init__(self, arrays: dict[str, NDArray[Any]] | None = None, folder: Path | None = None) -> None:
        self.arrays = arrays or {}
        self._folder = folder

    def save(self) -> None:
        """Keep it, whole or as it was. Raises a StoreFault."""
        if self._folder is not None:
            write_arrays(self._folder / RELEASED_FILE, self.arrays)

    def rate(self, name: str, *shape: int) -> Rate:
        """What was released under this name so far, with room for `shape`."""
        if f"{name}.total" not in self.arrays:
            return Rate(np.zeros(shape))
        total, weight, at, exact = (self.arrays[f"{name}.{part}"] for part in _PARTS)
        return Rate(total.astype(np.float64), float(weight), float(at), bool(exact)).grown(*shape)

    def keep(self, name: str, rate: Rate) -> None:
        total = rate.total if rate.total.ndim == 1 else rate.total.astype(np.float32)
        values = (total, np.float64(rate.weight), np.float64(rate.at), np.bool_(rate.exact))
        self.arrays |= {f"{name}.{part}": np.asarray(value) for part, value in zip(_PARTS, values, strict=True)}

    @property
    def names(self) -> list[str]:
        """Of every release that is remembered."""
        return sorted(key.removeprefix(_RUN) for key in self.arrays if key.startswith(_RUN))

    def paid_by(self, name: str) -> int:
        """The run that released something last; 0 before the first."""
        return int(self.arrays.get(_RUN + name, np.int64(0)))

    def note_run(self, name: str, run: int) -> None:
        self.arrays[_RUN + name] = np.asarray(run)

    def check(self, ledger: BudgetReader) -> None:
        """Every release remembered here has its debit. Raises LedgerLost: what was spent is not known any more."""
        for name in self.names:
            run = self.paid_by(name)
            if not any(debit.name == name and debit.cost for debit in ledger.debits_of(run)):
                raise LedgerLost(
                    ledger.path,
                    f"has no debit for {name!r} of run {run}, which {RELEASED_FILE} holds: it is not the ledger of what"
                    f" was released; restore it, or remove {RELEASED_FILE} and start over",
                )


def recall(folder: Path) -> Memory:
    """What a data directory remembers. Raises a StoreFault where it cannot be read."""
    return Memory(read_arrays(folder / RELEASED_FILE), folder)


def ledger_lost(folder: Path) -> bool:
    """Whether something was released and the ledger is gone."""
    return (folder / RELEASED_FILE).is_file() and not (folder / BUDGET_FILE).is_file()
