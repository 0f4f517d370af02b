"""`personalize train`: reads what may be learned from, learns each artefact, writes a generation and publishes it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from app.config import Config
from app.learning import als, content, popularity
from app.learning.artefacts import check_paid
from app.learning.card import facts
from app.learning.choice import Choice, Taste, choose
from app.learning.dataset import Dataset
from app.learning.engine import open_engine
from app.learning.gate import published, settle
from app.learning.held_out import Case, hold_out
from app.learning.indexed import index
from app.learning.memory import RELEASED_FILE, Memory, ledger_lost, recall
from app.learning.neighbours import Filter, item_neighbours
from app.learning.pin import pin
from app.learning.private import STEPS as PRIVATE_STEPS
from app.learning.ranking_step import learn_ranking
from app.learning.read import read_dataset, read_window, time_of
from app.learning.regression import most_dense
from app.learning.release import Door, open_door
from app.learning.runs import RunLog, recorded, running
from app.learning.segment_step import learn_segments
from app.learning.session_choice import choose_sessions
from app.learning.sessions import build_session_index
from app.learning.shown import smoothed
from plugins.engine import InProcess, TrainingEngine
from plugins.manager import Plugins, load_plugins
from store.budget import BUDGET_FILE, Window
from store.catalogue import Catalogue
from store.clock import Clock
from store.faults import LedgerLost
from store.generation import StoredGeneration, generations, matrix_arrays, refused
from store.sensitive import Sensitive
from store.shop import read_catalogue

Progress = Callable[[str, float], None]
"""Told of every step that is done, and how many seconds it took."""

DAY = 86_400.0

LEAST_BUYERS_OF_A_REGION = 100
"""A region with fewer distinct buyers than this in the static window uses everyone's popularity."""


class NothingToLearn(Exception):
    """There is no catalogue, or another training runs; the message says what to do."""


class TooLittleMemory(NothingToLearn):
    """A training that wanted more than [training] memory_mb allows."""


@dataclass
class Draft:
    """A generation in the making."""

    config: Config
    catalogue: Catalogue
    dataset: Dataset
    now: float
    cases: list[Case] = field(default_factory=list)
    """Whose last day was kept out, to judge by."""
    before: StoredGeneration | None = None
    """The generation that serves now, as far as it can be read."""
    since: float = 0.0
    """Where the events begin that may be learned from; 0: as far back as there are any."""
    door: Door | None = None
    """Through which everything passes that is learned across people; None where nothing is."""
    folder: Path | None = None
    """The data folder, the only one a training writes to; None where there is none, in a benchmark."""
    memory: Memory = field(default_factory=Memory)
    """What was released before, in "dp"."""
    choice: Choice = field(init=False)
    """How neighbours and vectors are learned: as configured, until it is chosen."""
    engine: TrainingEngine = field(default_factory=InProcess)
    """What computes sums over people."""
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)
    files: dict[str, Callable[[Path], None]] = field(default_factory=dict)
    card: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        options = self.config.training
        taste = Taste(options.regularization, options.unobserved_weight)
        self.choice = Choice(filter=Filter(), keep=options.neighbours_per_item, taste=taste)


Compare: TypeAlias = Callable[[Draft, Path, Plugins, Sequence[Callable[[Draft], None]]], dict[str, Any]]
"""What privacy costs, of a draft, by how `exact` learns; learning itself knows of no generated shop."""


def train(
    config: Config, config_path: Path, progress: Progress, by: str = "shell", compare: Compare | None = None
) -> dict[str, Any]:
    """Train one generation and publish it if it is good enough; returns its model card, `refused` says why it is not.

    `by`: who asked for it. `compare`: puts what privacy costs beside it, where that may be known.
    Raises NothingToLearn, PluginProblems or a StoreFault; the serving generation stays.
    """
    folder = config_path.parent / config.node.data
    if not (folder / "shop.db").is_file():
        raise NothingToLearn(f"{folder} holds no shop yet; import a catalogue or start the server first")
    plugins: Plugins = load_plugins(config.plugin_tables, config.folder_of_plugins(config_path.parent))
    home = folder / "generations"
    with only_trainer(home), recorded(home, by, config.training.runs_kept) as log:
        if (pinned := pin(home)) is not None:
            raise NothingToLearn(f"{pinned.sentence()}; `personalize models unpin` lets trainings publish again")
        timed = _Steps(config, log, progress)
        with _door(config, folder) as door, open_engine(config, plugins) as engine:
            draft: Draft = timed.run("read", lambda: _draft(config, folder, door), ["judging"])
            draft.engine = engine
            draft.before = comparable(published(home), config.privacy.learned)
            steps = steps_of(config, draft.dataset)
            for place, (name, step) in enumerate(steps):
                left = [after for after, _ in steps[place + 1 :]]
                timed.run(name, lambda step=step: step(draft), [*left, "judging"])  # type: ignore[misc]
            if compare is not None and config.privacy.learned in ("dp", "threshold"):
                timed.run("beside exact", lambda: _beside_exact(draft, folder, plugins, compare), ["judging"])
            timed.run("judging", lambda: _settle(draft, home, plugins, log), [])
        reason = draft.card["refused"]
        said = reason or draft.card.get("vectors_left_out", "")
        log.end("refused" if reason else "published", draft.card["id"], said)
    return draft.card


def _beside_exact(draft: Draft, folder: Path, plugins: Plugins, compare: Compare) -> None:
    steps = (learn_choice, learn_popularity, learn_neighbours, learn_sessions, learn_vectors)
    draft.card["beside_exact"] = compare(draft, folder, plugins, steps)


def _settle(draft: Draft, home: Path, plugins: Plugins, log: RunLog) -> None:
    generation = next_id(home, draft.now)
    ranking = draft.card.get("ranking", {})
    draft.card |= {"id": generation, "created": draft.now, **facts(draft.config, log.run, ranking)}
    door = draft.door
    if door is not None and door.mode == "exact":
        door.note(*draft.arrays)
    elif door is not None:
        learned = ["ranking"] if any("weights" in part for part in ranking.values()) else []
        check_paid([*draft.arrays, *draft.files, *learned], door, draft.memory)
    settle(draft, generation, home, draft.cases, plugins)
    if door is not None and not draft.card["refused"]:
        door.generation = generation


@dataclass(frozen=True)
class _Steps:
    """Runs steps, and tells the record and whoever watches."""

    config: Config
    log: RunLog
    progress: Progress

    def run(self, name: str, work: Callable[[], Any], planned: list[str]) -> Any:  # noqa: ANN401  what the step gives
        self.log.step(name, planned)
        started = perf_counter()
        try:
            result = work()
        except MemoryError as error:
            raise TooLittleMemory(
                f"{name}: needs more than [training] memory_mb = {self.config.training.memory_mb} ({error}); raise it,"
                " or learn from less (window_days, max_items_per_person)"
            ) from error
        self.progress(name, perf_counter() - started)
        return result


def comparable(before: StoredGeneration | None, learned: str) -> StoredGeneration | None:
    """The serving generation, if it promises at least as much about people as the new one: one learned as they are must
    neither be built on nor keep a private one from serving."""
    order = ("off", "dp", "threshold", "exact")
    if before is None or order.index(before.card.get("learned", "exact")) > order.index(learned):
        return None
    return before


def steps_of(config: Config, dataset: Dataset) -> list[tuple[str, Callable[[Draft], None]]]:
    """What is learned, in order. With `learned = "off"`, or without anybody's behaviour, only the catalogue is."""
    steps: list[tuple[str, Callable[[Draft], None]]] = [("content vectors", learn_content)]
    if config.privacy.learned in ("dp", "threshold"):
        steps += PRIVATE_STEPS
    if config.privacy.learned == "exact" and len(dataset):
        steps += [
            ("choosing", learn_choice),
            ("popularity", learn_popularity),
            ("item neighbours", learn_neighbours),
            ("bought together", learn_together),
            ("sessions", learn_sessions),
            ("click rates", learn_click_rates),
            ("item vectors", learn_vectors),
            ("ranking weights", learn_ranking),
        ]
    return [*steps, ("segments", learn_segments)]


def learn_content(draft: Draft) -> None:
    """Vectors of what items are; from the public catalogue alone."""
    items = [draft.catalogue.item(n) if draft.catalogue.exists(n) else None for n in range(draft.catalogue.size)]
    options = draft.config.training
    fitted = content.fit(items, dimensions=options.content_dimensions, seed=options.seed)
    draft.arrays |= {f"content.{name}": array for name, array in fitted.items()}
    vectors = fitted["vectors"].astype(np.float32, copy=False)
    index(draft, "content", vectors, np.flatnonzero(draft.catalogue.servable))


def learn_popularity(draft: Draft) -> None:
    """Distinct buyers in the static window and in the last days, and the recent rate against the usual one; for
    everyone and per region."""
    data, items = draft.dataset, draft.dataset.items
    wanted = data.demand
    options = draft.config.training
    window = wanted & (data.at > draft.now - options.static_days * DAY)
    lately = window & (data.at > draft.now - options.selling_now_days * DAY)
    for code, region in enumerate(["", *data.regions[1:]]):
        here = window if code == 0 else window & (data.region == code)
        if code and len(np.unique(data.person[here])) < LEAST_BUYERS_OF_A_REGION:
            continue
        suffix = f"@{region}" if region else ""
        draft.arrays[f"popularity{suffix}"] = popularity.distinct_people(data.person[here], data.item[here], items)
        now = here & lately
        draft.arrays[f"selling_now{suffix}"] = popularity.share_of_best(
            popularity.distinct_people(data.person[now], data.item[now], items)
        )
        met = np.flatnonzero(here)
        met = met[popularity.once_a_day(data.person[met], data.item[met], data.at[met])]
        draft.arrays[f"trending{suffix}"] = popularity.trending(
            data.item[met], data.at[met].astype(np.float64), draft.now, items
        )


def learn_choice(draft: Draft) -> None:
    """How to learn neighbours, vectors and visits: what would have foretold the last interactions of a few people."""
    options, data = draft.config.training, draft.dataset
    draft.choice = choose(
        data.interactions(draft.now, options.half_life_days),
        data.first_met(),
        start=draft.choice,
        dimensions=options.dimensions,
        dense_below=min(options.dense_below, most_dense(options.memory_mb)),
        most=options.choose_by,
        seed=options.seed,
    )
    draft.card["choice"] = draft.choice.card()


def learn_neighbours(draft: Draft) -> None:
    draft.arrays |= matrix_arrays("neighbours", draft.choice.neighbours(draft.dataset.touched()))


def learn_together(draft: Draft) -> None:
    baskets = draft.dataset.baskets()
    if baskets.nnz:
        keep = draft.config.training.neighbours_per_item
        draft.arrays |= matrix_arrays("together", item_neighbours(baskets, keep=keep))


def learn_sessions(draft: Draft) -> None:
    data = draft.dataset
    rows = data.visit >= 0
    if rows.any():
        clicks = data.visit[rows].astype(np.int64), data.item[rows], data.at[rows].astype(np.float64)
        options = draft.config.training
        items, most = data.items, options.sessions_per_item
        chosen = choose_sessions(*clicks, items=items, sessions_per_item=most, most=options.choose_by)
        draft.card["sessions"] = asdict(chosen)
        index = build_session_index(*clicks, items=items, sessions_per_item=most)
        draft.arrays |= {f"sessions.{name}": array for name, array in index.items()}


def learn_click_rates(draft: Draft) -> None:
    """How products do where lists show them; in `exact` only: in `dp` no part of the budget is set aside for it."""
    if draft.dataset.shown.any():
        draft.arrays["click_rates"] = smoothed(draft.dataset.shown)


def learn_vectors(draft: Draft) -> None:
    options, taste = draft.config.training, draft.choice.taste
    values = draft.dataset.interactions(draft.now, options.half_life_days)
    objective = taste.objective(values)
    vectors = als.train_item_vectors(
        values, objective, dimensions=options.dimensions, iterations=options.iterations, seed=options.seed
    )
    draft.card["als"] = {
        "regularization": objective.people.ridge,
        "unobserved_weight": objective.people.everywhere,
        "unobserved": objective.people.unobserved,
        "catalogue": len(vectors),
    }
    if als.say_nothing(values, vectors, objective):
        draft.card["vectors_left_out"] = (
            f"{values.nnz} interactions of {values.shape[0]} people left nothing of the item vectors"
            f" ([training] regularization = {taste.regularization:g} shrank them away); what is popular and what goes"
            " together serves without them"
        )
        return
    draft.arrays["item_vectors"] = vectors
    index(draft, "taste", vectors, np.flatnonzero(np.any(vectors != 0, axis=1)))


@contextmanager
def _door(config: Config, folder: Path) -> Iterator[Door | None]:
    """Through which what is learned across people passes; None where nothing is learned."""
    if config.privacy.learned == "off":
        yield None
        return
    if ledger_lost(folder):
        raise LedgerLost(
            folder / BUDGET_FILE, f"is gone, but {RELEASED_FILE} shows that something was released; restore it"
        )
    with open_door(folder, config, time_of(config, folder, Clock())) as door:
        yield door


def _draft(config: Config, folder: Path, door: Door | None = None) -> Draft:
    catalogue = read_catalogue(folder / "shop.db", Sensitive(config.privacy.sensitive))
    if not catalogue.size:
        raise NothingToLearn("the catalogue is empty; import items first")
    options = config.training
    if door is not None and door.mode != "exact":
        return _private_draft(config, folder, catalogue, door)
    dataset, now = read_dataset(config, folder, catalogue.sensitive, Clock())
    learned, cases = hold_out(dataset, options.judged_share, options.judged_people, options.seed)
    counts = {"items": catalogue.size, "people": dataset.people, "interactions": len(learned)}
    card = {"learned": config.privacy.learned, **counts}
    return Draft(config, catalogue, learned, now, cases, card=card, door=door)


def _private_draft(config: Config, folder: Path, catalogue: Catalogue, door: Door) -> Draft:
    """What this run may read and knows from before; nothing of anybody where it may release nothing."""
    card = {"learned": config.privacy.learned, "items": catalogue.size}
    memory = Memory()
    window = Window(0, 0.0, 0.0)
    if door.mode == "dp":
        memory = recall(folder)
        memory.check(door.ledger)
        window = door.window
    dataset = read_window(config, folder, catalogue.sensitive, window, door.now, opened=door.open)
    options = config.training
    learned, cases = hold_out(dataset, options.judged_share, options.judged_people, options.seed)
    return Draft(
        config, catalogue, learned, door.now, cases, card=card, since=window.data_from, door=door, folder=folder,
        memory=memory,
    )  # fmt: skip


def next_id(home: Path, now: float) -> str:
    """The day and a number: "20261122-3"."""
    day = f"{datetime.fromtimestamp(now, UTC):%Y%m%d}"
    taken = {*generations(home), *refused(home)} if home.is_dir() else set()
    number = 1
    while f"{day}-{number}" in taken:
        number += 1
    return f"{day}-{number}"


@contextmanager
def only_trainer(home: Path) -> Iterator[None]:
    """One training at a time; raises NothingToLearn while another one runs."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(home / "training.lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            at_work = running(home)
            told = f" ({at_work.sentence()})" if at_work else ""
            raise NothingToLearn(f"another training is running{told}; wait for it to end") from None
        yield
    finally:
        os.close(handle)
