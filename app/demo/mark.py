"""The mark a data folder carries whose shop was generated: what its people are made up from."""

from __future__ import annotations

from pathlib import Path

import msgspec

MARK = "demo.json"


class DemoShop(msgspec.Struct, frozen=True):
    """What has to be remembered of the generation, to name the same personas later."""

    seed: int
    now: int
    complete: bool = False


def read_mark(folder: Path) -> DemoShop | None:
    """The generated shop of a data folder; None where there is none."""
    try:
        return msgspec.json.decode((folder / MARK).read_bytes(), type=DemoShop)
    except (OSError, msgspec.DecodeError):
        return None


def write_mark(folder: Path, shop: DemoShop) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / MARK).write_bytes(msgspec.json.encode(shop))
