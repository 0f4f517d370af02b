"""Runs the protocols one after another and writes down what came out and what it took."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import msgspec

from app.quality import retail, retrieval, scratch, sessions
from app.quality.measure import Measure, table

Said = Callable[[str], None]
SEED = 20261122
CLEAN = Path(__file__).with_name("online-retail-clean.toml")


def run(data: Path, output: Path, said: Said, only: str = "", *, validate: bool = False) -> bool:
    """Everything the data folder allows; the table is said, quality.json written. True when every floor holds.

    `only` is "shop" or "sessions". `validate` guesses the month before the test begins: what settings are chosen on.
    """
    started = perf_counter()
    said(f"seed {SEED}")
    when = retail.VALIDATION if validate else retail.TEST
    measures: list[Measure] = []
    with TemporaryDirectory(prefix="personalize-quality-") as folder:
        if only in ("", "shop") and (data / "online_retail").is_dir():
            measures += _shop(data / "online_retail", Path(folder) / "shop", said, when)
        if only in ("", "sessions") and (data / "serenade_toy").is_dir():
            measures += _sessions(data / "serenade_toy", Path(folder) / "sessions", said)
    if not measures:
        said(f"{data} is absent: no real data to measure on; it has to lie beside the checkout, as ../shared/data")
        return False
    said(table(measures))
    output.write_bytes(msgspec.json.format(msgspec.json.encode(_record(measures, when, started)), indent=1))
    said(f"written to {output}")
    return all(measure.passed for measure in measures)


def _shop(data: Path, folder: Path, said: Said, when: retail.Split) -> list[Measure]:
    started = perf_counter()
    protocol = retail.read_protocol(data / "online_retail.csv.gz", when)
    memory = scratch.prepare(folder, str(CLEAN), data, until=f"{when.split} 00:00:00")
    said(f"online_retail before {when.split}: imported and trained in {perf_counter() - started:.0f} s")
    with scratch.served(folder) as shop:
        measures = retail.measure(shop, protocol, SEED)
        memory = max(memory, shop.memory_mb())
    measures = _took(measures, started, memory)
    started = perf_counter()
    return measures + _took(retrieval.measure(folder / "data" / "generations", SEED), started, 0)


def _sessions(data: Path, folder: Path, said: Said) -> list[Measure]:
    started = perf_counter()
    memory = scratch.prepare(folder, "serenade", data)
    said(f"serenade_toy: imported and trained in {perf_counter() - started:.0f} s")
    with scratch.served(folder) as shop:
        measures = sessions.measure(shop, data / "test.txt")
        memory = max(memory, shop.memory_mb())
    return _took(measures, started, memory)


def _took(measures: list[Measure], started: float, memory_mb: float) -> list[Measure]:
    seconds = round(perf_counter() - started, 1)
    return [replace(measure, seconds=seconds, memory_mb=round(memory_mb, 1)) for measure in measures]


def _record(measures: list[Measure], when: retail.Split, started: float) -> dict[str, Any]:
    rows = [{**asdict(measure), "ratio": measure.ratio, "verdict": measure.verdict} for measure in measures]
    total = round(perf_counter() - started, 1)
    return {"seed": SEED, "split": when.split, "seconds": total, "measures": rows}
