"""What every measurement is given: a copy of the world, how long it may take, and how to start a server on it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from app.bench.questions import post
from app.bench.served import Served, served
from app.bench.world import CONFIG_FILE, World
from app.program import program
from store.catalogue import Catalogue
from store.clock import Clock


@dataclass(frozen=True)
class Scene:
    """`folder` is a copy that may be changed."""

    folder: Path
    cache: Path
    world: World
    catalogue: Catalogue
    seconds: float
    """Of each measurement under load."""
    random: np.random.Generator
    said: Callable[[str], None]

    @property
    def words(self) -> list[str]:
        """Some that items of the world are called by."""
        titles = (self.catalogue.item(number).title.lower() for number in range(0, self.world.items, 97))
        return [word for title in titles for word in title.split()]

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    def now_ms(self) -> int:
        return Clock().now_ms()

    def post(self, path: str, body: bytes, media: str = "application/json") -> bytes:
        return post(path, body, self.world.server_key, media)

    @contextlib.contextmanager
    def server(self, *, stock: bool = False) -> Iterator[Served]:
        """A fresh `personalize serve` of the world; `stock`: with HTTP as Hypercorn speaks it."""
        config = self.folder / CONFIG_FILE
        if stock:
            config = self.folder / "stock.toml"
            text = (self.folder / CONFIG_FILE).read_text("utf-8")
            config.write_text(text.replace("[server]\n", "[server]\nfast_http = false\n"), "utf-8")
        with served([*program(), "-c", str(config), "serve"], self.folder, self.log) as running:
            yield running


def warm(path: Path) -> None:
    """Into the page cache, so that the first reads do not measure the disk's mood."""
    with path.open("rb") as file:
        while file.read(1 << 22):
            pass


def own_core(core: int) -> None:
    """Stay off the server's core from now on, where there are two."""
    if core in os.sched_getaffinity(0):
        os.sched_setaffinity(0, {core})
