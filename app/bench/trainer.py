"""`python -m app.bench.trainer WORLD`: learns a world's generation again and again, and keeps nothing of it."""

from __future__ import annotations

import sys
from pathlib import Path

from app.bench.people import Crowd, dataset
from app.bench.world import CONFIG_FILE, SEED, SIZES
from app.config import load_config
from app.learning.train import Draft, steps_of
from store.clock import Clock
from store.shop import read_catalogue


def main(folder: Path) -> None:
    """Until it is killed. Says "learning" once everything is read and the first step begins."""
    size, now = SIZES[folder.name], Clock().now()
    config = load_config(folder / CONFIG_FILE)
    catalogue = read_catalogue(folder / "shop.db")
    people = dataset(Crowd(size.items, size.people, SEED), size.learned_from, now, SEED)
    sys.stdout.write("learning\n")
    sys.stdout.flush()
    while True:
        draft = Draft(config, catalogue, people, now)
        for _, step in steps_of(config, people):
            step(draft)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
