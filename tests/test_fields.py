from fnmatch import fnmatch
from pathlib import Path

import pytest

from store.database import Database, open_database, open_reader
from store.event_log import SqliteEventLog
from store.fields import FIELDS, NOT_PERSONAL
from store.records import LoggedEvent, Purpose

pytestmark = pytest.mark.anyio
FILES = {"person.db": "person", "vault.db": "vault", "keys.db": "keys"}


async def columns(database: Database) -> set[tuple[str, str]]:
    tables = await database.fetch("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    return {
        (table, column)
        for (table,) in tables
        for (column,) in await database.fetch("SELECT name FROM pragma_table_info(?)", (table,))
    }


@pytest.mark.parametrize("file", FILES)
async def test_every_column_about_people_is_declared_and_every_declared_one_exists(tmp_path: Path, file: str) -> None:
    async with open_database(tmp_path / file, FILES[file]) as database:
        if file == "person.db":
            reader = open_reader(tmp_path / file)
            async with database.transaction() as transaction:
                await SqliteEventLog(reader).append(transaction, [LoggedEvent(1, 1, 0, "view_item", 1)])
            reader.close()
        found = await columns(database)
    declared = {(field.table, field.column) for field in FIELDS if field.file == file}
    harmless = {table for name, table in NOT_PERSONAL if name == file}
    undeclared = {
        (table, column)
        for table, column in found
        if table not in harmless
        and not any(fnmatch(table, pattern) and column == declared_column for pattern, declared_column in declared)
    }
    assert undeclared == set()
    missing = {
        (pattern, column)
        for pattern, column in declared
        if not any(fnmatch(table, pattern) and column == found_column for table, found_column in found)
    }
    assert missing == set()
    assert harmless <= {table for table, _ in found}


def test_a_field_is_declared_once_with_a_life_span() -> None:
    places = [(field.file, field.table, field.column) for field in FIELDS]
    assert len(set(places)) == len(places)
    assert len({field.name for field in FIELDS}) == len(FIELDS)
    assert all(field.ttl_setting.count(".") == 1 for field in FIELDS)


def test_every_field_of_the_vault_needs_its_own_opt_in() -> None:
    for field in FIELDS:
        if field.file == "vault.db":
            assert field.purpose in (Purpose.PURCHASES, Purpose.SEARCHES, Purpose.LOCATION)
