"""Opens what a node holds for reading only, beside the server that may be running on it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from app.config import Config
from app.node import CannotOpen, Node
from store.clock import Clock
from store.consent_ledger import ConsentLedger
from store.database import open_reader
from store.erasure import Sagas
from store.event_log import SqliteEventLog
from store.keys import open_keys
from store.moves import Moves
from store.person import PersonStore
from store.requests import Requests
from store.sensitive import Sensitive
from store.shop import open_shop
from store.suppression import Suppression
from store.vault import open_vault


@asynccontextmanager
async def open_for_reading(config: Config, config_path: Path) -> AsyncIterator[Node]:
    """A node with its stores and nothing that serves, learns or writes. Raises CannotOpen or a StoreFault."""
    node = Node()
    node.config, node.config_path = config, config_path
    node.folder = config_path.parent / config.node.data
    person_file = node.folder / "person.db"
    if not person_file.is_file():
        raise CannotOpen(f"{node.folder}: holds no data of a node")
    node.clock = Clock()
    async with AsyncExitStack() as stack:
        node.keys = await stack.enter_async_context(
            open_keys(node.folder / "keys.db", now=node.clock.now(), beside=person_file, tenant=config.node.tenant)
        )
        node.reader = open_reader(person_file, cache_mb=4)
        stack.callback(node.reader.close)
        node.person, node.log = PersonStore(node.reader), SqliteEventLog(node.reader)
        node.suppression, node.ledger = Suppression(node.reader), ConsentLedger(node.reader)
        node.sagas, node.requests = Sagas(node.reader), Requests(node.reader)
        node.vault = await stack.enter_async_context(open_vault(node.folder / "vault.db", node.keys, cache_mb=4))
        node.moves = Moves(node.reader, node.keys, node.vault)
        node.shop = await stack.enter_async_context(
            open_shop(
                node.folder / "shop.db",
                items_at_most=config.node.items_at_most,
                cache_mb=4,
                sensitive=Sensitive(config.privacy.sensitive),
            )
        )
        yield node
