"""What coming back in a new epoch costs beyond an ordinary contact: python -m tests.bench.rekey_speed."""

import asyncio
import random
import tempfile
import time
from pathlib import Path
from statistics import median

from app.features.visitor import write_features
from app.ingest.incoming import Incoming
from app.ingest.wire import read_batch
from app.node import Node
from app.privacy.rotation import rotate
from store.records import ProfileFeatures
from tests.open_shop import batch, event, key_of, open_shop
from tests.waiting import until

PEOPLE, ALONE = 2_000, 500
IDS = [f"{number:032x}" for number in range(PEOPLE)]


def contact(node: Node, anon: str, name: str, *, buys: bool = False) -> Incoming:
    """A view, and perhaps a purchase."""
    events = [event(node, "view_item", name + anon, "S1")]
    if buys:
        events.append(event(node, "purchase", f"{name}{anon} order", items=[{"item_id": "S2", "quantity": 1}]))
    body = batch(*events, anon=anon, session="visit " + anon, purposes=["vault.purchases"])
    return node.intake.prepare(read_batch(body, 100), key_of(node, "server"))


def full_profile() -> bytes:
    """As large as a profile gets."""
    drawn = random.Random(1)
    affinities = {f"category:c{number}": drawn.random() for number in range(128)}
    items = {number: (drawn.random(), 1_700_000_000 + number) for number in range(100)}
    return write_features(ProfileFeatures(1_700_000_000, affinities, items))


async def everyone(node: Node, name: str) -> str:
    """One contact each: some alone, the others in groups as they come; milliseconds a person."""
    alone = []
    for anon in IDS[:ALONE]:
        incoming = contact(node, anon, name)
        began, used = time.perf_counter(), time.process_time()
        await node.intake.submit(incoming)
        alone.append((time.perf_counter() - began, time.process_time() - used))
    rest = [contact(node, anon, name) for anon in IDS[ALONE:]]
    began, used = time.perf_counter(), time.process_time()
    await asyncio.gather(*(node.intake.submit(incoming) for incoming in rest))
    wall, work = (time.perf_counter() - began) / len(rest), (time.process_time() - used) / len(rest)
    figures = (median(wall for wall, _ in alone), median(work for _, work in alone), wall, work)
    return "  ".join(f"{1000 * seconds:6.3f}" for seconds in figures)


async def measure(*, vault: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with open_shop(Path(folder)) as node:
            for first in range(0, PEOPLE, 200):
                works = [contact(node, anon, "first", buys=vault) for anon in IDS[first : first + 200]]
                await asyncio.gather(*map(node.intake.submit, works))
            await node.database.execute("UPDATE profiles SET profile = ?", (full_profile(),))
            print(f"{'with' if vault else 'without'} a vault     alone: ms, CPU ms   in groups: ms, CPU ms")
            print("  ordinary        ", await everyone(node, "ordinary"))
            await rotate(node)
            print("  in a new epoch  ", await everyone(node, "back"))
            await until(lambda: not node.moves.pending(1))
            print("  afterwards      ", await everyone(node, "again"))


if __name__ == "__main__":
    for kept in (False, True):
        asyncio.run(measure(vault=kept))
