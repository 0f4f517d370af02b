"""The node: the one holder of state. Opened in order, passed explicitly, closed in reverse."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from zoneinfo import ZoneInfo

from app.admin.staff import Staff
from app.config import Config
from app.demo.pages import HOME
from app.experiences.book import PageBook
from app.experiences.options import ExperienceOptions
from app.experiences.pages import Experiences, condition_problems
from app.experiences.rates import SectionRates
from app.experiments.assignment import Assigner
from app.experiments.outcomes import Outcomes
from app.feeds.take import FeedIntake
from app.ingest.intake import Intake
from app.ingest.meter import IngestMeter
from app.ingest.recorder import Recorder
from app.ingest.steps import Preparation
from app.ingest.watch import Watches
from app.learning.generations import Generations
from app.learning.trainings import Trainings
from app.merchandising.book import RuleBook
from app.merchandising.impact import Impact, credit_rules
from app.metrics import Metrics
from app.privacy.erasure import Erasures
from app.privacy.gatekeeper import Gate, Gatekeeper
from app.privacy.ladder import ladder
from app.privacy.signals import permitted
from app.privacy.sweeps import Sweeps
from app.privacy.withdrawals import Withdrawals
from app.rules.engine import Rules
from app.search.query_affinities import query_affinities
from app.serving.blends import NOTHING, Blends, Learned
from app.serving.placements import placements_of, problems_of
from app.serving.recommend import Recommender
from app.serving.shown_lists import ShownLists
from app.serving.token import Attribution, Tokens
from app.serving.trials import Trials
from app.suggestion import suggest
from plugins.contract import Model
from plugins.loading import PluginProblems, shipped_names
from plugins.manager import Plugins, load_plugins
from store.admin import open_admin
from store.aggregates import Aggregates
from store.catalogue import Catalogue
from store.clock import Clock, open_clock
from store.consent_ledger import ConsentLedger
from store.database import Connection, Database, open_database, open_reader
from store.erasure import Sagas
from store.event_log import SqliteEventLog
from store.experiment_sums import ExperimentSums
from store.experiments import ExperimentStore
from store.keys import KeyRing, open_keys
from store.moves import Moves, check_ring, note_ring
from store.person import PersonStore
from store.place_sums import PlaceSumsStore
from store.records import ShownList
from store.requests import Requests
from store.rules import RuleStore
from store.search_index import SearchIndex
from store.sensitive import Sensitive
from store.shop import ShopStore, open_shop
from store.suppression import Suppression
from store.vault import VaultStore, open_vault
from store.versions import VersionStore

PAGES_PER_MB = 256
AHEAD_PAGES = 4_000
"""Of person.db: its writer folds them in before they are so many."""


class CannotOpen(Exception):
    """The node cannot be opened; the message says what to do about it."""


class InUse(CannotOpen):
    """Another process serves this data directory."""


class Node:
    """Everything that is open, by name. Behaviour lives in functions that take what they need of it."""

    config: Config
    config_path: Path
    """Relative names in the configuration start in this file's folder; trainings are run with it."""
    folder: Path
    clock: Clock
    metrics: Metrics
    plugins: Plugins
    keys: KeyRing
    database: Database
    """person.db's writing connection; everything but the intake's writer goes through `intake.writer.exclusive`."""
    reader: Connection
    """The event loop's read-only connection to person.db."""
    person: PersonStore
    suppression: Suppression
    sagas: Sagas
    requests: Requests
    ledger: ConsentLedger
    log: SqliteEventLog
    vault: VaultStore
    moves: Moves
    aggregates: Aggregates
    sweeps: Sweeps
    shop: ShopStore
    experiences: Experiences
    page_book: PageBook
    page_lists: dict[str, list[str]]
    """Page -> those of its sections that are lists, as in force."""
    experiments: ExperimentStore
    assigner: Assigner
    sums: ExperimentSums
    place_sums: PlaceSumsStore
    """Over the people of each arm."""
    rules: Rules
    """The published rules, as every request asks them."""
    rule_book: RuleBook
    """Drafts and versions."""
    impact: Impact
    """How often each rule was applied."""
    staff: Staff
    gatekeeper: Gate
    generations: Generations
    trainings: Trainings
    tokens: Tokens
    intake: Intake
    withdrawals: Withdrawals
    erasures: Erasures
    recommender: Recommender
    feeds: FeedIntake
    watches: Watches
    """Browsers whose events somebody watches arrive, to set the shop up."""
    started: float
    """When it was opened, epoch seconds of the wall's clock."""
    stalled: dict[str, str]
    """Job of a promise of privacy -> what is wrong with it, empty when nothing is."""
    behind: dict[str, str]
    """The same of jobs that leave everything as it was."""

    @property
    def catalogue(self) -> Catalogue:
        return self.shop.catalogue

    @property
    def search(self) -> SearchIndex:
        return self.shop.search

    @property
    def model(self) -> Model:
        """The serving generation; an empty one before the first training."""
        return self.generations.serving

    def problems(self) -> list[str]:
        """What keeps the node from a promise of privacy or from its rules; empty = ready. Jobs add to `stalled`."""
        return [each for each in (self.rules.problem, self.sweeps.problem(), *self.stalled.values()) if each]

    def left_behind(self) -> list[str]:
        """What is older than it should be while everything is answered: a generation or a feed that was not taken."""
        return [each for each in (self.generations.problem, *self.behind.values()) if each]


@asynccontextmanager
async def open_node(config: Config, config_path: Path) -> AsyncIterator[Node]:
    """Open everything a configuration asks for, and close it in reverse; the file itself is not read here.

    Raises CannotOpen, PluginProblems or a StoreFault, each with what to do.
    """
    node = Node()
    node.config, node.config_path = config, config_path
    node.folder = config_path.parent / config.node.data
    node.metrics = Metrics()
    node.stalled, node.behind = {}, {}
    node.started = open_clock("wall").now()
    node.sweeps = Sweeps(config.retention.sweep_minutes, node.metrics)
    node.gatekeeper = Gatekeeper(config.consent)
    node.plugins = configured_plugins(config, config_path)
    async with AsyncExitStack() as stack:
        stack.enter_context(locked_folder(node.folder))
        await _open_stores(node, stack)
        node.generations = Generations(node.folder / "generations", node.catalogue, config)
        node.generations.take_over()
        node.trainings = Trainings()
        node.tokens = Tokens(node.keys, config.serving)
        node.intake = _intake(node)
        node.withdrawals = Withdrawals(reader=node.reader, intake=node.intake, vault=node.vault, keys=node.keys)
        node.erasures = Erasures(node)
        node.recommender = _recommender(node)
        await _open_pages(node)
        node.feeds = FeedIntake(node)
        node.watches = Watches(config.ingest.proxies)
        failed: BaseException | None = None
        # The event writer belongs to the store: what was taken is written before the databases close.
        async with asyncio.TaskGroup() as group:
            named = (*node.intake.jobs(), *node.withdrawals.jobs(), *node.erasures.jobs())
            jobs = [group.create_task(job(), name=name) for name, job in named]
            try:
                await node.erasures.resume()
                yield node
            except Exception as error:  # raised below, as itself and not as a group
                failed = error
            finally:
                await node.intake.drain()
                for job in jobs:
                    job.cancel()
        if failed is not None:
            raise failed


def configured_plugins(config: Config, config_path: Path) -> Plugins:
    """The plugins a configuration switches on, placements checked against them. Raises PluginProblems."""
    plugins = load_plugins(config.plugin_tables, config.folder_of_plugins(config_path.parent))
    known = {*shipped_names(), *plugins.names("score")}
    ladder(config, plugins)  # a policy that fails is told now, not by the first sweep
    problems = problems_of(config.placements, plugins)
    problems += filter(None, [plugins.wrong_engine(config.training.engine)])
    problems += [f"search.weights.{name}: no such plugin{suggest(name, known)}" for name in config.search.weights
                 if name not in known]  # fmt: skip
    problems += condition_problems(config.experiences, ZoneInfo(config.shop.timezone))
    if problems:
        raise PluginProblems(problems)
    return plugins


def pages_of(config: Config) -> dict[str, ExperienceOptions]:
    """The pages as configured; the demo shop's front page is one of them."""
    return ({"home": HOME} if config.server.demo else {}) | config.experiences


def _intake(node: Node) -> Intake:
    config = node.config
    meter = IngestMeter(node.metrics)

    def attribute(token: str) -> Attribution | None:
        return node.tokens.read(token, node.clock.now())

    def shown(request: str, item: int) -> ShownList | None:
        lists = node.recommender.shown
        return None if lists is None else lists.clicked(request, item, node.clock.now())

    preparation = Preparation(
        clock=node.clock, keys=node.keys, catalogue=node.catalogue, gatekeeper=lambda: node.gatekeeper,
        limits=config.ingest, understand=lambda text: query_affinities(text, node.search, config.search),
        attribute=attribute, permitted=lambda signals: permitted(node.plugins, signals), meter=meter,
    )  # fmt: skip
    recorder = Recorder(
        person=node.person, suppression=node.suppression, ledger=node.ledger, log=node.log,
        vault=node.vault, keys=node.keys,
        catalogue=node.catalogue,
        gatekeeper=lambda: node.gatekeeper, plugins=node.plugins, options=config.features, clock=node.clock,
        meter=meter, raw_events_days=config.retention.raw_events_days, dedup_days=config.retention.dedup_days,
        moves=node.moves, pseudonyms=config.pseudonyms, assigner=node.assigner,
        outcomes=Outcomes(node.assigner, node.experiments, config.experiments.counted_at_most), sums=node.sums,
        place_sums=node.place_sums,
        shown=shown,
    )  # fmt: skip
    return Intake(
        database=node.database, preparation=preparation, recorder=recorder, event_log=node.log, vault=node.vault,
        moves=node.moves,
        plugins=node.plugins, clock=node.clock, meter=meter, queue=config.node.queue, group_max=config.node.group_max,
        clicked=lambda event: credit_rules(event, node.recommender.explanations, node.impact, node.clock.now()),
    )  # fmt: skip


async def _open_pages(node: Node) -> None:
    node.experiences = Experiences(
        pages_of(node.config), placements=node.recommender.placements, catalogue=node.catalogue,
        columns=node.rules.columns, zone=node.rules.zone, rates=SectionRates(node.aggregates, node.clock),
        lists=node.page_lists,
    )  # fmt: skip
    store, keep = VersionStore(node.shop.database, "page"), node.config.rules.versions_kept
    node.page_book = PageBook(store, node.experiences, pages_of(node.config), node.rules.zone, keep)
    await node.page_book.open()


def _recommender(node: Node) -> Recommender:
    wanted = node.config.ranking.learned

    def learned() -> Learned:
        return node.generations.serving.blends if wanted else NOTHING

    return Recommender(
        catalogue=node.catalogue, plugins=node.plugins, model=lambda: node.model, tokens=node.tokens,
        options=node.config.serving, placements=placements_of(node.config.placements), metrics=node.metrics,
        trials=Trials(node.experiments, node.page_lists),
        rules=node.rules, shown=ShownLists(node.config.ranking),
        blends=Blends(node.config.placements, learned),
    )  # fmt: skip


async def _open_stores(node: Node, stack: AsyncExitStack) -> None:
    config, folder = node.config, node.folder
    pages = config.node.max_database_mb * PAGES_PER_MB
    cache = config.node.cache_mb
    person_file = folder / "person.db"
    node.clock = open_clock(config.node.clock)
    node.keys = await stack.enter_async_context(
        open_keys(
            folder / "keys.db", now=node.clock.now(), beside=person_file, tenant=config.node.tenant, max_pages=pages
        )
    )
    node.database = await stack.enter_async_context(
        open_database(person_file, "person", cache_mb=cache, max_pages=pages, ahead_pages=AHEAD_PAGES)
    )
    reader = open_reader(person_file, cache_mb=cache)
    stack.callback(reader.close)
    node.person = PersonStore(reader)
    node.suppression = Suppression(reader)
    node.sagas, node.requests = Sagas(reader), Requests(reader)
    node.ledger = ConsentLedger(reader)
    node.reader = reader
    node.aggregates = Aggregates(reader)
    node.sums, node.place_sums = ExperimentSums(reader), PlaceSumsStore(reader)
    node.log = SqliteEventLog(reader)
    node.clock.observe(node.log.latest_ms())
    node.vault = await stack.enter_async_context(
        open_vault(
            folder / "vault.db",
            node.keys,
            most_entries=config.node.vault_entries,
            cache_mb=cache,
            max_pages=pages,
        )
    )
    check_ring(reader, node.keys)
    async with node.database.transaction() as transaction:
        note_ring(transaction, node.keys)
    node.moves = Moves(reader, node.keys, node.vault)
    node.shop = await stack.enter_async_context(
        open_shop(
            folder / "shop.db",
            items_at_most=config.node.items_at_most,
            cache_mb=cache,
            max_pages=pages,
            sensitive=Sensitive(config.privacy.sensitive),
        )
    )
    node.experiments = ExperimentStore(node.shop.database)
    await node.experiments.load()
    node.assigner = Assigner(node.keys, node.experiments, config.experiments.holdout)
    node.rules = Rules(node.catalogue, ZoneInfo(config.shop.timezone), config.rules)
    node.page_lists = {}
    node.rule_book = RuleBook(RuleStore(node.shop.database), node.rules, sorted(placements_of(config.placements)))
    await node.rule_book.open()
    node.impact = Impact(node.rules, node.rule_book.store, node.clock)
    node.staff = Staff(await stack.enter_async_context(open_admin(folder / "admin.db", max_pages=pages)), config.admin)


@contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """The data directory, made private, for this process alone. Raises CannotOpen."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(folder / "lock", os.O_CREAT | os.O_RDWR, 0o600)
    except OSError as error:
        raise CannotOpen(
            f"{folder}: {error.strerror}; [node] data has to be a folder that this user may write"
        ) from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InUse(f"{folder}: in use by another personalize process; stop it first") from None
        yield
    finally:
        os.close(handle)
