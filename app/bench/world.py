"""Builds the benchmark world once, outside the repository: a shop, its visitors and what is learned of them."""

from __future__ import annotations

import hashlib
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from time import perf_counter

import msgspec
import numpy as np

from app.bench.goods import RULES, generate_items, prices_of
from app.bench.people import CHUNK, Crowd, dataset, profiles
from app.config import load_config
from app.features.visitor import write_features
from app.learning.train import Draft, steps_of
from store.catalogue import Catalogue
from store.clock import Clock
from store.database import open_database, open_reader
from store.generation import publish, write_generation
from store.keys import KeyRing, open_keys
from store.person import PersonStore, new_surrogate
from store.records import Item, PersonRow, Purpose
from store.shop import open_shop, read_catalogue

Said = Callable[[str], None]
SEED = 20261122
MARK, CONFIG_FILE = "world.json", "personalize.toml"
FRESH_DAYS = 30
"""Older worlds are built anew: preferences fade, and the benchmark is to meet visitors as a shop does."""
CONSENT = int(Purpose.SESSION | Purpose.PROFILE | Purpose.TRAINING | Purpose.EXPERIMENTS)
ITEMS_AT_ONCE = 5_000
REPOSITORY = Path(__file__).parents[2]
MADE_BY = ("app/bench/goods.py", "app/bench/people.py", "store/schema/*/*.sql", "store/key*.py", "store/records.py")
LEARNED_BY = ("app/bench/world.py", "app/learning/*.py", "store/index.py", "store/generation.py")

CONFIGURATION = f"""# The benchmark world: generated visitors, so learning across them as they are harms nobody.
[node]
data = "."
[server]
bind = "127.0.0.1:0"
[privacy]
learned = "exact"
[training]
choose_by = 0   # how to learn is measured by `personalize quality`
every_hours = 0
iterations = 4
[ingest]
batches_per_minute = 100_000_000
[placements.home]
filter = "{" and ".join(f"rule_{rule:02d} == true" for rule in range(RULES - 5, RULES))}"
"""


@dataclass(frozen=True)
class Size:
    """How large a world is, and from how many of its people is learned."""

    name: str
    items: int
    people: int
    learned_from: int


FULL = Size("full", 100_000, 1_000_000, 200_000)
SMALL = Size("small", 10_000, 20_000, 10_000)
TINY = Size("tiny", 1_000, 2_000, 2_000)
SIZES = {size.name: size for size in (FULL, SMALL, TINY)}


class World(msgspec.Struct, frozen=True):
    """What has to be known of a world to ask it something."""

    items: int
    people: int
    built: float
    made_by: str
    server_key: str
    learned_by: str = ""
    seconds: float = 0.0


def anon_of(person: int) -> str:
    """The beacon's id of a generated visitor."""
    return f"bench-visitor-{person:016d}"


async def build_world(cache: Path, size: Size, said: Said) -> tuple[Path, World]:
    """The folder of a world of this size, built or brought up to date if need be, and what is known of it."""
    folder = cache / size.name
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / CONFIG_FILE).write_text(CONFIGURATION, "utf-8")
    now = Clock().now()
    world = _read_mark(folder)
    made_by = _digest(MADE_BY)
    if world is None or world.made_by != made_by or now - world.built > FRESH_DAYS * 86_400:
        for left in folder.glob("*.db*"):
            left.unlink()
        begun = perf_counter()
        server_key = await _build_stores(folder, size, now, said)
        world = World(size.items, size.people, now, made_by, server_key, seconds=round(perf_counter() - begun, 1))
        _write_mark(folder, world)
    learned_by = _digest(LEARNED_BY)
    if world.learned_by != learned_by:
        _learn(folder, size, world.built, learned_by, said)
        world = msgspec.structs.replace(world, learned_by=learned_by)
        _write_mark(folder, world)
    return folder, world


async def _build_stores(folder: Path, size: Size, now: float, said: Said) -> str:
    """Catalogue and visitors; returns the server key."""
    said(f"building the world: {size.items} items")
    async with open_shop(folder / "shop.db") as shop:
        items = generate_items(size.items, SEED, now)
        while some := list(islice(items, ITEMS_AT_ONCE)):
            await shop.put_items(some, now)
        keys_of_items = [shop.catalogue.affinity_keys(number) for number in range(size.items)]
    async with open_keys(folder / "keys.db", now=now) as keys:
        await _build_people(folder, size, now, keys, keys_of_items, said)
        return keys.first_keys["server"]


async def _build_people(
    folder: Path, size: Size, now: float, keys: KeyRing, keys_of_items: Sequence[tuple[str, ...]], said: Said
) -> None:
    half_life = load_config(folder / CONFIG_FILE).features.half_life_days
    surrogates = sorted({new_surrogate() for _ in range(size.people + 100)})[: size.people]
    path = folder / "person.db"
    # A crash while it is built leaves no mark, so nothing need be safe on the way.
    async with open_database(path, "person", synchronous="OFF", cache_mb=256) as database:
        with closing(open_reader(path)) as reader:
            store = PersonStore(reader)
            crowd = Crowd(size.items, size.people, SEED)
            log_price = np.log(prices_of(size.items, SEED))
            for first, histories in crowd.chunks():
                said(f"building the world: visitors {first:,} of {size.people:,}")
                found = profiles(histories, keys_of_items, log_price, now, half_life)
                rows = _rows(surrogates[first : first + CHUNK], found, int(now))
                while some := list(islice(rows, 2_000)):
                    async with database.transaction() as transaction:
                        store.save(transaction, some, {}, epoch=keys.epoch)
            pseudonyms = [keys.pseudonym("anon", anon_of(person)) for person in range(size.people)]
            ways = iter(sorted(zip(pseudonyms, surrogates, strict=True)))
            while batch := dict(islice(ways, CHUNK)):
                async with database.transaction() as transaction:
                    store.save(transaction, [], batch, epoch=keys.epoch)
        await database.checkpoint_truncate()


def _rows(surrogates: Sequence[int], found: Iterator[object], now: int) -> Iterator[PersonRow]:
    for surrogate, profile in zip(surrogates, found, strict=True):
        yield PersonRow(surrogate, CONSENT, "1", now, now, None, write_features(profile))  # type: ignore[arg-type]


def _learn(folder: Path, size: Size, now: float, learned_by: str, said: Said) -> None:
    """Every artefact by the very steps `personalize train` takes, from the histories of the first visitors."""
    config = load_config(folder / CONFIG_FILE)
    catalogue = read_catalogue(folder / "shop.db")
    people = dataset(Crowd(size.items, size.people, SEED), size.learned_from, now, SEED)
    draft = Draft(config, catalogue, people, now)
    for name, step in steps_of(config, people):
        said(f"learning from {people.people:,} visitors: {name}")
        step(draft)
    if "item_vectors" not in draft.arrays:
        raise RuntimeError(f"the world cannot be searched: {draft.card['vectors_left_out']}")
    draft.card |= {"id": learned_by, "items": catalogue.size, "people": people.people}
    home = folder / "generations"
    shutil.rmtree(home, ignore_errors=True)
    write_generation(home, learned_by, draft.arrays, draft.files, draft.card)
    publish(home, learned_by)


def copy_world(folder: Path, target: Path) -> None:
    """A world to be changed: what is written is copied, what was learned is shared."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(mode=0o700, parents=True)
    for name in (CONFIG_FILE, "person.db", "keys.db", "shop.db"):
        shutil.copyfile(folder / name, target / name)
        (target / name).chmod(0o600)
    (target / "generations").symlink_to(folder / "generations", target_is_directory=True)


def new_item(twin: int, catalogue: Catalogue, now: float) -> Item:
    """A product nobody has seen, like one there is."""
    like = catalogue.item(twin)
    return msgspec.structs.replace(like, id=f"new-{secrets.token_hex(4)}", published=now, regions=())


def _read_mark(folder: Path) -> World | None:
    try:
        return msgspec.json.decode((folder / MARK).read_bytes(), type=World)
    except (OSError, msgspec.DecodeError):
        return None


def _write_mark(folder: Path, world: World) -> None:
    (folder / MARK).write_bytes(msgspec.json.encode(world))
    (folder / MARK).chmod(0o600)


def _digest(patterns: Sequence[str]) -> str:
    """What of the program a world depends on, in twelve letters."""
    digest = hashlib.sha256()
    for path in sorted(path for pattern in patterns for path in REPOSITORY.glob(pattern)):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
