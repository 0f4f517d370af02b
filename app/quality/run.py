"""Runs the protocols one after another and writes down what came out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
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


def run(data: Path, output: Path, said: Said, only: str = "") -> bool:
    """Everything the data folder allows; the table is said, quality.json written. True when every floor holds."""
    started = perf_counter()
    said(f"seed {SEED}")
    measures: list[Measure] = []
    with TemporaryDirectory(prefix="personalize-quality-") as folder:
        if only in ("", "shop") and (data / "online_retail").is_dir():
            measures += _shop(data / "online_retail", Path(folder) / "shop", said)
        if only in ("", "sessions") and (data / "serenade_toy").is_dir():
            measures += _sessions(data / "serenade_toy", Path(folder) / "sessions", said)
    if not measures:
        said(f"{data} is absent: no real data to measure on; it has to lie beside the checkout, as ../shared/data")
        return False
    said(table(measures))
    output.write_bytes(msgspec.json.format(msgspec.json.encode(_record(measures, started)), indent=1))
    said(f"written to {output}")
    return all(measure.passed for measure in measures)


def _shop(data: Path, folder: Path, said: Said) -> list[Measure]:
    started = perf_counter()
    protocol = retail.read_protocol(data / "online_retail.csv.gz")
    scratch.prepare(folder, str(CLEAN), data, until=f"{retail.SPLIT:%Y-%m-%d %H:%M:%S}")
    said(f"online_retail: imported and trained in {perf_counter() - started:.0f} s")
    with scratch.served(folder) as shop:
        measures = retail.measure(shop, protocol, SEED)
        memory = shop.memory_mb()
    measures += retrieval.measure(folder / "data" / "generations", SEED)
    said(f"online_retail: {perf_counter() - started:.0f} s in all, server at most {memory:.0f} MB")
    return measures


def _sessions(data: Path, folder: Path, said: Said) -> list[Measure]:
    started = perf_counter()
    scratch.prepare(folder, "serenade", data)
    with scratch.served(folder) as shop:
        measures = sessions.measure(shop, data / "test.txt")
        memory = shop.memory_mb()
    said(f"serenade_toy: {perf_counter() - started:.0f} s in all, server at most {memory:.0f} MB")
    return measures


def _record(measures: list[Measure], started: float) -> dict[str, Any]:
    rows = [{**asdict(measure), "ratio": measure.ratio, "verdict": measure.verdict} for measure in measures]
    return {"seed": SEED, "seconds": round(perf_counter() - started, 1), "measures": rows}
