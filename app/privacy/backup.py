"""Backups that keep the promise of erasure: encrypted parts stay locked without the keys, and who was forgotten after
the copy was made is forgotten in it before it is served again."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import NamedTuple

from app.config import Config
from app.node import CannotOpen, locked_folder
from store.backup import (
    DATABASES,
    KEYS,
    Remembered,
    copy_database,
    erase_remembered,
    forget_in_vault,
    put_in_place,
    remember,
    tombstones_of,
)
from store.budget import BUDGET_FILE, use_up_the_past
from store.clock import Clock
from store.database import open_database
from store.faults import StoreFault
from store.keys import open_keys

_PREPARED = "restoring"


class Restored(NamedTuple):
    """What a restore did."""

    files: list[str]
    kept_keys: bool
    """The keys in place stayed: keys destroyed since the backup stay destroyed."""
    forgotten: int
    """People in the backup who had been erased since."""
    tombstones: int
    sure: bool
    """False where the replaced person.db could not be read: who was erased since the backup is not known then."""


async def back_up(folder: Path, target: Path, keys_target: Path | None) -> list[str]:
    """Copy every database into the new folder `target`, and the keys, apart, to the file `keys_target`.

    Can run beside a server. Raises CannotOpen where something is there already, or where keys would lie beside what
    they open.
    """
    if not (folder / "person.db").is_file():
        raise CannotOpen(f"{folder}: holds no data of a node; there is nothing to back up")
    if _within(target, folder) or (keys_target is not None and _within(keys_target, folder)):
        raise CannotOpen(f"{target}: a backup inside the data directory would be searched and erased with it")
    if keys_target is not None and _within(keys_target, target):
        raise CannotOpen(f"{keys_target}: keys beside what they open are no protection; choose another place")
    await asyncio.to_thread(_make_room, target, keys_target)
    copied = []
    for name, schema in DATABASES.items():
        if (folder / name).is_file():
            await copy_database(folder / name, schema, target / name)
            copied.append(name)
    if keys_target is not None:  # last: every key that opens something in the copies is among them
        await copy_database(folder / KEYS, "keys", keys_target)
        copied.append(KEYS)
    return copied


async def restore(config: Config, folder: Path, source: Path, keys_source: Path | None) -> Restored:
    """Put a backup in place of what a data directory holds. The server has to be stopped.

    Keys that are in place stay, unless there are none. Everyone who was erased since the backup is erased in it, before
    it is put in place. Raises CannotOpen or a StoreFault: then nothing was changed.
    """
    if not (source / "person.db").is_file():
        raise CannotOpen(f"{source}: holds no person.db; is it a folder that `personalize backup` wrote?")
    with locked_folder(folder):
        prepared = folder / _PREPARED
        await asyncio.to_thread(_clear, prepared)
        prepared.mkdir(mode=0o700)
        keep_keys = (folder / KEYS).is_file()
        if not keep_keys and keys_source is None:
            raise CannotOpen(f"{folder}: has no keys.db; give the copy of the keys with --keys")
        erased, sure = await _erased_since(folder)
        files = []
        for name, schema in DATABASES.items():
            if name == BUDGET_FILE and (folder / name).is_file():
                continue  # the ledger that is in place knows of everything that was spent; a copy cannot know more
            if (source / name).is_file():
                await copy_database(source / name, schema, prepared / name)
                files.append(name)
        if BUDGET_FILE in files:
            await asyncio.to_thread(use_up_the_past, prepared / BUDGET_FILE, Clock().now())
        if not keep_keys and keys_source is not None:
            await copy_database(keys_source, "keys", prepared / KEYS)
            files.append(KEYS)
        forgotten = await _replay(config, folder if keep_keys else prepared, prepared, erased)
        await asyncio.to_thread(put_in_place, prepared, folder)
        return Restored(files, keep_keys, forgotten, len(erased), sure)


async def _erased_since(folder: Path) -> tuple[list[Remembered], bool]:
    if not (folder / "person.db").is_file():
        return [], False
    try:
        return await tombstones_of(folder / "person.db"), True
    except StoreFault:
        return [], False


async def _replay(config: Config, keys_folder: Path, prepared: Path, erased: list[Remembered]) -> int:
    """Erase in the prepared copies whoever is remembered, and write the files anew so that no byte of them stays."""
    async with open_keys(keys_folder / KEYS, now=Clock().now(), tenant=config.node.tenant) as keys:
        async with open_database(prepared / "person.db", "person", cache_mb=64) as database:
            people = await erase_remembered(database, keys, await remember(database, erased))
            ((head,),) = await database.fetch("SELECT head FROM event_log")
            await database.vacuum()
            await database.checkpoint_truncate()
        if people:
            await keys.erase_data_keys(people)
            await keys.database.checkpoint_truncate()
        if (prepared / "vault.db").is_file():
            await forget_in_vault(prepared / "vault.db", people, int(head))
    return len(people)


def _make_room(target: Path, keys_target: Path | None) -> None:
    for path in (target, keys_target):
        if path is not None and path.exists():
            raise CannotOpen(f"{path}: exists already; a backup never writes over another")
    target.mkdir(mode=0o700, parents=True)
    if keys_target is not None:
        keys_target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)


def _clear(prepared: Path) -> None:
    """What an interrupted restore left."""
    with contextlib.suppress(FileNotFoundError):
        for file in prepared.iterdir():
            file.unlink()
        prepared.rmdir()


def _within(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())
