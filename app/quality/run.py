"""Runs the protocols one after another and writes down what came out and what it took."""

from __future__ import annotations

import resource
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import msgspec

from app.config.sections import TrainingOptions
from app.quality import (
    demo,
    files,
    interactions,
    logged,
    movies,
    privacy_cost,
    retail,
    retrieval,
    scratch,
    session_files,
    sessions,
)
from app.quality.measure import Measure, table

Said = Callable[[str], None]
SEED = 20261122
CLEAN = Path(__file__).with_name("online-retail-clean.toml")


def run(data: Path, output: Path, said: Said, only: str = "", *, validate: bool = False) -> bool:
    """Everything the data folder allows; the table is said, quality.json written. True when every floor holds.

    `only` names one protocol. `validate` guesses the month before the test
    begins: what settings are chosen on.
    """
    started = perf_counter()
    said(f"seed {SEED}")
    when = retail.VALIDATION if validate else retail.TEST
    measures: list[Measure] = []
    privacy = only in ("", "privacy") and not validate
    if not data.is_dir() and only != "demo":
        said(f"{data} is absent: no real data to measure on; it has to lie beside the checkout, as ../shared/data")
    with TemporaryDirectory(prefix="personalize-quality-") as folder:
        if only in ("", "shop", "privacy") and (data / "online_retail").is_dir():
            measures += _shop(data / "online_retail", Path(folder) / "shop", said, when, privacy=privacy)
        if only in ("", "interactions") and (data / "gowalla_lightgcn").is_dir():
            measures += _gowalla(data / "gowalla_lightgcn", said)
        if only in ("", "movies") and (data / "ml_latest_small").is_dir():
            measures += _movies(data / "ml_latest_small", Path(folder) / "movies", said)
        if only in ("", "exploration") and (data / "obd_small").is_dir():
            measures += _logged(data / "obd_small")
        if only in ("", "sessions") and (data / "serenade_toy").is_dir():
            measures += _sessions(data / "serenade_toy", Path(folder) / "sessions", said)
        if only in ("", "demo") and not validate:
            measures += _demo(Path(folder) / "demo", said)
    if not measures:
        return False
    said(table(measures))
    output.write_bytes(msgspec.json.format(msgspec.json.encode(_record(measures, when, started)), indent=1))
    said(f"written to {output}")
    return all(measure.passed for measure in measures)


def run_interactions(train: Path, test: Path, output: Path, said: Said) -> None:
    """The LightGCN protocol on anyone's files. Raises FileUnreadable."""
    started = perf_counter()
    data = files.read_interactions(train, test)
    said(_told(data))
    learned = interactions.learn(data.train, data.order, TrainingOptions(), said)
    measures = interactions.measure(data, learned, train.name, interactions.Floors())
    facts = {"protocol": "interactions", "people": data.train.shape[0], "items": data.train.shape[1],
             "interactions": int(data.train.nnz), "choice": learned.choice.card()}  # fmt: skip
    _say_and_write(measures, output, said, started, facts)


def run_sessions(train: Path, test: Path, output: Path, said: Said) -> None:
    """Every prefix of every test session on anyone's files. Raises FileUnreadable."""
    started = perf_counter()
    data = session_files.read_sessions(train, test)
    said(f"{len(data.train):,} clicks on {data.items:,} items to learn from, {len(data.test):,} to guess")
    arrays, choice = session_files.learn(data, TrainingOptions(), said)
    measures, counted = session_files.measure(data, arrays, choice, train.name)
    again = "may" if counted["current_item_offered_again"] else "may not"
    said(
        f"{counted['steps']:,} steps; the current item {again} be offered again (chosen on train), what it went on to"
        f" {counted['steps_to_the_current_item']:,} times; {counted['steps_to_an_unknown_item']:,} steps led to items"
        " that train does not have"
    )
    facts = {"protocol": "sessions", **counted, "choice": asdict(choice)}
    _say_and_write(measures, output, said, started, facts)


def _told(data: files.Interactions) -> str:
    people, items = data.train.shape
    order = "lines in the order they were written" if data.order is not None else "lines sorted by id"
    return (
        f"{people:,} people, {items:,} items, {data.train.nnz:,} interactions to learn from ({order}),"
        f" {data.test.nnz:,} to guess; {data.unknown_people:,} people and {data.unknown_items:,} wanted items are"
        " not in train"
    )


def _say_and_write(measures: list[Measure], output: Path, said: Said, started: float, facts: dict[str, Any]) -> None:
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scratch.KILOBYTES_PER_MB
    measures = _took(measures, started, memory)
    said(table(measures))
    rows = [asdict(measure) for measure in measures]
    record = {"seed": TrainingOptions().seed, "seconds": round(perf_counter() - started, 1), **facts, "measures": rows}
    output.write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=1))
    said(f"written to {output}")


def _gowalla(data: Path, said: Said) -> list[Measure]:
    started = perf_counter()
    read = files.read_interactions(data / "train.txt", data / "test.txt")
    said(f"gowalla: {_told(read)}")
    learned = interactions.learn(read.train, read.order, TrainingOptions(), said)
    floors = interactions.Floors(0.18, 0.15, 0.145, 0.19, (".1872 SimpleX", ".1557 SimpleX", ".1468 iALS d=64"))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scratch.KILOBYTES_PER_MB
    return _took(interactions.measure(read, learned, "Gowalla", floors), started, memory)


def _movies(data: Path, folder: Path, said: Said) -> list[Measure]:
    started = perf_counter()
    return _took(movies.measure(data, folder, TrainingOptions(), said), started, 0)


def _logged(data: Path) -> list[Measure]:
    started = perf_counter()
    return _took(logged.measure(data, SEED), started, 0)


def _shop(data: Path, folder: Path, said: Said, when: retail.Split, *, privacy: bool) -> list[Measure]:
    started = perf_counter()
    protocol = retail.read_protocol(data / "online_retail.csv.gz", when)
    untrained = folder.with_name("untrained")
    memory = scratch.prepare(
        folder, str(CLEAN), data, until=f"{when.split} 00:00:00", before_training=untrained if privacy else None
    )
    said(f"online_retail before {when.split}: imported and trained in {perf_counter() - started:.0f} s")
    with scratch.served(folder) as shop:
        measures = retail.measure(shop, protocol, SEED)
        lists = {place: retail.lists_of(shop, protocol, place) for place in ("static", "home")} if privacy else {}
        memory = max(memory, shop.memory_mb())
    measures = _took(measures, started, memory)
    started = perf_counter()
    measures += _took(retrieval.measure(folder / "data" / "generations", SEED), started, 0)
    if not privacy:
        return measures
    started = perf_counter()
    static = {"all": measures[0].static or 0.0, "new": measures[1].static or 0.0}
    popular = {name.replace("static", "home"): answers for name, answers in lists["static"].items()}
    curve = privacy_cost.rows("popularity", popular, protocol, static)
    curve += privacy_cost.measure(untrained, protocol, static, said)
    curve += privacy_cost.rows("exact", lists["home"], protocol, static)
    return measures + _took(curve, started, 0)


def _demo(folder: Path, said: Said) -> list[Measure]:
    started = perf_counter()
    return _took(demo.measure(folder, said), started, 0)


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
