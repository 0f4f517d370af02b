"""Fills an empty node with the generated shop: its catalogue and three months of visits, through the front door."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

from app.config import Config
from app.demo import Batch, generate_catalogue, generate_history
from app.demo.mark import DemoShop, read_mark, write_mark
from app.demo.shoppers import SHOPPERS
from app.importing.load import Loader
from app.learning.runs import REFUSED
from app.node import Node, open_node
from app.program import program
from store.records import Item

SEED = 20261122


class CannotPrepare(Exception):
    """A step failed; its own message stands above."""


def prepare_in_child(config_path: Path, said: Callable[[str], None], shoppers: int = SHOPPERS) -> None:
    """Generate and train in processes of their own, so that the server starts small. Raises CannotPrepare."""
    config_path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not config_path.exists():
        shutil.copyfile(Path(__file__).parent / "demo.toml", config_path)
    for what, arguments in (("generating the shop", ["demo-data", str(shoppers)]), ("training", ["train"])):
        said(f"{what} …")
        done = subprocess.run([*program(), "-c", str(config_path), *arguments], check=False)
        if done.returncode not in (0, REFUSED):  # a refused generation is no mishap: another one serves
            raise CannotPrepare(f"{what} ended with exit code {done.returncode}")


async def prepare(
    config: Config, config_path: Path, now: float, said: Callable[[str], None], shoppers: int = SHOPPERS
) -> None:
    """Generate the shop into the node's folder, or finish what was interrupted: event ids make it idempotent."""
    folder = config_path.parent / config.node.data
    shop = read_mark(folder) or DemoShop(SEED, int(now))
    write_mark(folder, shop)
    async with open_node(config, config_path) as node:
        catalogue = generate_catalogue(shop.seed, shop.now)
        await node.shop.put_items(msgspec.convert(catalogue, list[Item]), shop.now)
        said(f"{len(catalogue)} products")
        events = await _replay(node, generate_history(catalogue, shop.seed, shop.now, shoppers))
        said(f"{events} events of generated visitors")
    write_mark(folder, msgspec.structs.replace(shop, complete=True))


async def _replay(node: Node, batches: Iterable[Batch]) -> int:
    loader = Loader(node)
    for portion in _in_portions(batches, 2000):
        await loader.load(portion)
        await asyncio.sleep(0)
    return loader.events


def _in_portions(batches: Iterable[Batch], size: int) -> Iterator[list[Batch]]:
    portion: list[Batch] = []
    for batch in batches:
        portion.append(batch)
        if len(portion) == size:
            yield portion
            portion = []
    if portion:
        yield portion
