"""Real processes killed, real bytes damaged, real limits: what was acknowledged is there, once."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from store.database import Database, open_database, open_reader
from store.event_log import SqliteEventLog
from store.faults import DatabaseUnreadable
from store.keys import open_keys
from store.person import PersonStore
from store.records import Purpose
from store.vault import open_vault
from tests.store_under_load import PEOPLE, Recorder

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).parent.parent


def start(folder: Path, first: int, *limits: int) -> subprocess.Popen[str]:
    command = [sys.executable, str(ROOT / "tests/store_under_load.py"), str(folder), str(first), *map(str, limits)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def kill_after(process: subprocess.Popen[str], acknowledgements: int) -> list[int]:
    """What the process acknowledged until SIGKILL reached it."""
    assert process.stdout is not None
    assert process.stderr is not None
    with process:
        lines = [process.stdout.readline() for _ in range(acknowledgements)]
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.readlines()
        assert process.wait() == -signal.SIGKILL, process.stderr.read()
    return [int(line) for line in lines if line.endswith("\n")]


@asynccontextmanager
async def reopened(folder: Path) -> AsyncIterator[tuple[Recorder, Database]]:
    async with (
        open_keys(folder / "keys.db", now=1.0, beside=folder / "person.db") as keys,
        open_vault(folder / "vault.db", keys, most_entries=1_000_000) as vault,
        open_database(folder / "person.db", "person") as database,
    ):
        reader = open_reader(folder / "person.db")
        yield Recorder(keys, PersonStore(reader), SqliteEventLog(reader), vault), database
        reader.close()


async def assert_counted_once(recorder: Recorder, acknowledged: list[int]) -> None:
    """Log, dedup ids, profiles, position and vault tell of the same events, each once, all acknowledged ones."""
    events = await recorder.log.read_from(0, 1_000_000)
    logged = [event.lines[0].item for _, event in events]
    assert len(set(logged)) == len(logged)
    assert set(acknowledged) <= set(logged)
    assert recorder.store.position("features") == recorder.log.head()
    await recorder.vault.catch_up(recorder.log)
    counted, kept = 0, []
    for number in range(PEOPLE):
        row = recorder.store.read(recorder.keys.pseudonym("anon", f"visitor {number}"), Purpose.PROFILE)
        if row is not None:
            counted += int(row.profile or b"0")
            kept += [
                purchase.item
                for purchase in recorder.vault.read(row.surrogate, Purpose.PURCHASES, Purpose.PURCHASES) or ()
            ]
    assert counted == len(logged)
    assert sorted(kept) == sorted(logged)


async def test_every_acknowledged_event_survives_sigkill_and_counts_once(tmp_path: Path) -> None:
    acknowledged: list[int] = []
    for first, enough in ((0, 30), (100_000, 211), (200_000, 400)):
        acknowledged += kill_after(start(tmp_path, first), enough)
        async with reopened(tmp_path) as (recorder, _):
            await assert_counted_once(recorder, acknowledged)
    async with reopened(tmp_path) as (recorder, database):
        async with database.transaction() as transaction:  # the clients try again, as they may have missed the answer
            assert not any(await recorder.apply(transaction, acknowledged))
        await assert_counted_once(recorder, acknowledged)


async def test_a_full_disk_loses_nothing_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    """The file size limit stands for the disk's end: the kernel refuses the write in the middle of a transaction."""
    process = start(tmp_path, 0, 400_000)
    output, errors = process.communicate(timeout=60)
    lines = output.split()
    assert process.returncode == 0, errors
    assert lines[-1] == "DatabaseFull"
    acknowledged = [int(line) for line in lines if line.isdigit()]
    async with reopened(tmp_path) as (recorder, database):
        await assert_counted_once(recorder, acknowledged)
        async with database.transaction() as transaction:
            assert all(await recorder.apply(transaction, [900_001, 900_002]))
        await assert_counted_once(recorder, [*acknowledged, 900_001, 900_002])


async def test_a_damaged_header_is_a_clear_refusal(tmp_path: Path) -> None:
    path = tmp_path / "person.db"
    async with open_database(path, "person"):
        pass
    content = path.read_bytes()
    path.write_bytes(b"not a database at all" + content[21:])
    with pytest.raises(DatabaseUnreadable, match=r"person\.db: is damaged or not a database.*backup"):
        async with open_database(path, "person"):
            pass
    path.write_bytes(content)
    async with open_database(path, "person") as database:
        assert await database.problems() == []


async def test_damaged_pages_are_found_and_named(tmp_path: Path) -> None:
    path = tmp_path / "person.db"
    async with open_database(path, "person") as database:
        async with database.transaction() as transaction:
            transaction.insert("INSERT INTO seen(id, day)", [(number, 1) for number in range(20_000)])
        assert await database.problems() == []
    content = bytearray(path.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 8_192] = b"\xa5" * 8_192
    path.write_bytes(content)
    async with open_database(path, "person") as database:
        try:
            problems = await database.problems()
        except DatabaseUnreadable as fault:
            problems = [str(fault)]
        assert problems
        with pytest.raises(DatabaseUnreadable, match="restore it from a backup"):
            await database.fetch("SELECT sum(day) FROM seen")


READ_ONLY = """
import asyncio, functools, os, sys
from pathlib import Path
from store import schema_files
from store.database import open_database
from store.faults import DatabaseReadOnly

async def attempt(path):
    async with open_database(path, path.stem):
        pass

folder = Path(sys.argv[1])
schema_files.scripts = functools.cache(schema_files.scripts)
for name in ("person.db", "vault.db"):
    asyncio.run(attempt(folder / name))
(folder / "vault.db").unlink()
(folder / "person.db").chmod(0o444)
folder.chmod(0o555)
if os.geteuid() == 0:
    os.seteuid(65_534)  # root may write anywhere, so this is attempted as nobody
for name in ("person.db", "vault.db"):
    try:
        asyncio.run(attempt(folder / name))
    except DatabaseReadOnly as fault:
        print(fault)
"""


def test_a_read_only_folder_is_a_clear_refusal() -> None:
    with tempfile.TemporaryDirectory() as name:
        result = subprocess.run(
            [sys.executable, "-c", READ_ONLY, name], cwd=ROOT, capture_output=True, text=True, check=False
        )
    lines = result.stdout.splitlines()
    assert len(lines) == 2, result.stderr
    assert lines[0].startswith(f"{name}/person.db: ")
    assert lines[1].startswith(f"{name}/vault.db: ")
    assert all("folder must exist and be writable" in line for line in lines)
