"""Opens what a training may read, asks the gatekeeper's record of every person, and collects the dataset."""

from __future__ import annotations

import asyncio
from contextlib import closing
from math import inf
from pathlib import Path

from app.config import Config
from app.learning.dataset import MAY_LEARN, Dataset, DatasetBuilder
from app.privacy.gatekeeper import ConsentSignal, Gatekeeper
from store.budget import Window
from store.clock import Clock
from store.database import open_reader
from store.event_log import SqliteEventLog
from store.keys import open_keys
from store.participation import take_part
from store.person import PersonStore
from store.records import Mask, Purpose
from store.vault import open_vault

DAY = 86_400


def time_of(config: Config, folder: Path, clock: Clock) -> float:
    """The time a training is as of: the clock's, or the latest event's."""
    person_file = folder / "person.db"
    if config.node.clock != "events" or not person_file.is_file():
        return clock.now()
    with closing(open_reader(person_file)) as reader:
        return SqliteEventLog(reader).latest_ms() / 1000


def read_dataset(config: Config, folder: Path, sensitive: Mask, clock: Clock) -> tuple[Dataset, float]:
    """Everything that may be learned from, and the time it is as of.

    `sensitive`, [items]: items nothing is learned from. With `learned = "off"` nothing about people is read at all.
    """
    now = time_of(config, folder, clock)
    return collect(config, folder, sensitive, now).build(), now


def read_window(
    config: Config, folder: Path, sensitive: Mask, window: Window, until: float, *, opened: bool = True
) -> Dataset:
    """What may be learned from in a window of the privacy budget: what happened in it, of people who were learned from
    in few enough windows. That they take part in this one is on disk when this returns.

    Window 0 is none: of no budget, so nobody takes part in it. Not `opened`: nothing is read at all.
    """
    options = config.training
    since = max(window.data_from + 1, until - options.window_days * DAY)
    builder = collect(config, folder, sensitive, until, since=since) if opened else _builder(config, sensitive, until)
    if not builder.people or not window.number:
        return builder.build(each_person=True)
    among = take_part(folder / "person.db", builder.people, window.number, config.privacy.windows_per_person)
    return builder.build(among, each_person=True)


def collect(config: Config, folder: Path, sensitive: Mask, now: float, *, since: float | None = None) -> DatasetBuilder:
    """The contributions of everyone who may be learned from, from `since` (or the training's window) on until `now`."""
    builder = _builder(config, sensitive, now, since)
    person_file = folder / "person.db"
    if config.privacy.learned == "off" or not person_file.is_file():
        return builder
    with closing(open_reader(person_file)) as reader:
        consents = _in_force(config, PersonStore(reader), now)
        for _, event in SqliteEventLog(reader).scan():
            if event.person in consents:
                builder.add_event(event)
        asyncio.run(_add_purchases(config, folder, consents, builder))
    return builder


def _builder(config: Config, sensitive: Mask, now: float, since: float | None = None) -> DatasetBuilder:
    options = config.training
    return DatasetBuilder(
        items=len(sensitive),
        weights=options.weights,
        since=now - options.window_days * DAY if since is None else since,
        until=now if since is not None else inf,
        max_items_per_person=options.max_items_per_person,
        max_by_trust={1: options.max_items_browser, 2: options.max_items_signed_in},
        sensitive=sensitive,
        clicks=config.privacy.learned == "exact",
        clicks_per_person=_clicks_per_person(config),
    )


def _clicks_per_person(config: Config) -> int:
    """None are read where blend weights are not learned."""
    wanted = config.ranking.learned and config.privacy.learned in ("exact", "dp")
    return config.ranking.clicks_per_person if wanted else 0


def _in_force(config: Config, people: PersonStore, now: float) -> dict[int, int]:
    """Person -> purposes, of those who may be learned from: what was collected under `training` counts only while its
    person still agrees, the decision is not too old, and the policy of the shop's own jurisdiction allows it."""
    gatekeeper, nothing_said = Gatekeeper(config.consent), ConsentSignal()
    allowed = {row.surrogate: row.consent & int(gatekeeper.allow(nothing_said, row, now).purposes)
               for row in people.consents()}  # fmt: skip
    return {person: purposes for person, purposes in allowed.items() if purposes & MAY_LEARN}


async def _add_purchases(config: Config, folder: Path, consents: dict[int, int], builder: DatasetBuilder) -> None:
    person_file = folder / "person.db"
    async with (
        open_keys(folder / "keys.db", now=0, beside=person_file, tenant=config.node.tenant) as keys,
        open_vault(folder / "vault.db", keys, most_entries=config.node.vault_entries) as vault,
    ):
        for person, consent in consents.items():
            purchases = vault.read(person, Purpose.PURCHASES, Purpose(consent))
            if purchases:
                builder.add_purchases(person, consent, purchases)
