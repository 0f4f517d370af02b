from pathlib import Path

import pytest

from store import schema_files
from store.database import Connection, Database, in_few_statements, open_database, open_reader
from store.faults import DatabaseBusy, DatabaseFull, DatabaseNewer, DatabaseReadOnly, DatabaseUnreadable

pytestmark = pytest.mark.anyio


async def test_every_connection_wipes_what_it_deletes_and_syncs_what_it_commits(tmp_path: Path) -> None:
    async with open_database(tmp_path / "person.db", "person") as database:
        names = ("secure_delete", "journal_mode", "synchronous", "temp_store", "foreign_keys")
        settings = {name: (await database.fetch(f"PRAGMA {name}"))[0][0] for name in names}
        assert settings == {
            "secure_delete": 1,
            "journal_mode": "wal",
            "synchronous": 2,
            "temp_store": 2,
            "foreign_keys": 1,
        }
    assert (tmp_path / "person.db").stat().st_mode & 0o777 == 0o600


async def test_the_write_ahead_log_is_as_private_as_the_database(tmp_path: Path) -> None:
    async with open_database(tmp_path / "person.db", "person"):
        assert (tmp_path / "person.db-wal").stat().st_mode & 0o777 == 0o600


async def test_a_reader_sees_each_commit_and_cannot_write(tmp_path: Path) -> None:
    async with open_database(tmp_path / "person.db", "person") as database:
        reader = open_reader(tmp_path / "person.db")
        await database.execute("INSERT INTO seen(id, day) VALUES (1, 2)")
        assert reader.execute("SELECT day FROM seen").fetchone() == (2,)
        with pytest.raises(Exception, match="readonly"):
            reader.execute("DELETE FROM seen")
        reader.close()


async def test_what_was_written_ahead_is_folded_into_the_file_a_little_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "person.db"
    async with open_database(path, "person") as database:
        await database.checkpoint()
        for number in range(3):
            async with database.transaction() as transaction:
                transaction.insert("INSERT INTO seen(id, day)", [(number, 2)])
            assert transaction.commit_seconds > 0
            alone = tmp_path / f"alone-{number}.db"
            alone.write_bytes(path.read_bytes())
            assert await database.checkpoint() >= 0
            whole = tmp_path / f"whole-{number}.db"
            whole.write_bytes(path.read_bytes())
            for copy, rows in ((alone, number), (whole, number + 1)):
                reader = open_reader(copy)
                assert reader.execute("SELECT count(*) FROM seen").fetchone() == (rows,)
                reader.close()


async def change_my_mind(database: Database) -> None:
    async with database.transaction() as transaction:
        await transaction.fetch("INSERT INTO seen(id, day) VALUES (1, 1) RETURNING id")
        transaction.later("INSERT INTO seen(id, day) VALUES (2, 1)")
        raise RuntimeError("changed my mind")


async def test_a_failed_transaction_leaves_nothing_and_the_next_one_works(tmp_path: Path) -> None:
    async with open_database(tmp_path / "person.db", "person") as database:
        with pytest.raises(RuntimeError, match="changed my mind"):
            await change_my_mind(database)
        async with database.transaction() as transaction:
            transaction.later("INSERT INTO seen(id, day) VALUES (3, 1)")
        assert await database.fetch("SELECT id FROM seen") == [(3,)]


async def test_a_transaction_sees_what_it_queued(tmp_path: Path) -> None:
    async with open_database(tmp_path / "person.db", "person") as database, database.transaction() as transaction:
        transaction.insert("INSERT INTO seen(id, day)", [(number, 1) for number in range(1_500)])
        assert await transaction.fetch("SELECT count(*), sum(id) FROM seen") == [(1_500, 1_499 * 750)]


@pytest.mark.parametrize("count", [0, 1, 2, 3, 100, 1_024, 2_500])
def test_many_rows_become_few_statements(count: int) -> None:
    rows = [(number, number * 2, None) for number in range(count)]
    statements = in_few_statements("INSERT INTO t(a, b, c)", rows)
    flat = [value for _, values in statements for value in values]
    assert flat == [value for row in rows for value in row]
    assert len(statements) <= 14
    assert all(sql.count("?") == len(values) for sql, values in statements)


async def test_a_bounded_file_says_full_and_keeps_what_it_had(tmp_path: Path) -> None:
    path = tmp_path / "person.db"

    async def add(*numbers: int) -> None:
        async with database.transaction() as transaction:
            for number in numbers:
                transaction.later("INSERT INTO sealed(seq, person, parts) VALUES (?, 1, zeroblob(100000))", (number,))

    async with open_database(path, "person", max_pages=60) as database:
        await add(1)
        with pytest.raises(DatabaseFull, match="make room"):
            await add(*range(2, 9))
        assert await database.fetch("SELECT seq FROM sealed") == [(1,)]
        await database.execute("DELETE FROM sealed")
        await add(9)
        assert await database.problems() == []


async def test_a_newer_file_is_refused(tmp_path: Path) -> None:
    async with open_database(tmp_path / "person.db", "person") as database:
        await database.execute("PRAGMA user_version = 99")
    with pytest.raises(DatabaseNewer, match=r"person\.db.*schema 99.*update the program"):
        async with open_database(tmp_path / "person.db", "person"):
            pass


async def test_a_database_of_another_kind_is_refused(tmp_path: Path) -> None:
    async with open_database(tmp_path / "vault.db", "vault"):
        pass
    with pytest.raises(DatabaseUnreadable, match="not a 'person' database"):
        async with open_database(tmp_path / "vault.db", "person"):
            pass


async def test_an_older_file_is_brought_up_to_date_with_its_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema_files, "FOLDER", tmp_path)
    (tmp_path / "shelf").mkdir()
    (tmp_path / "shelf/001.sql").write_text("CREATE TABLE book(id INTEGER PRIMARY KEY);")
    async with open_database(tmp_path / "shelf.db", "shelf") as database:
        await database.execute("INSERT INTO book(id) VALUES (7)")
    (tmp_path / "shelf/002.sql").write_text("ALTER TABLE book ADD COLUMN title TEXT NOT NULL DEFAULT 'untitled';")
    async with open_database(tmp_path / "shelf.db", "shelf") as database:
        assert await database.fetch("SELECT id, title FROM book") == [(7, "untitled")]


async def test_a_failing_migration_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema_files, "FOLDER", tmp_path)
    (tmp_path / "shelf").mkdir()
    (tmp_path / "shelf/001.sql").write_text("CREATE TABLE book(id INTEGER PRIMARY KEY);")
    async with open_database(tmp_path / "shelf.db", "shelf"):
        pass
    (tmp_path / "shelf/002.sql").write_text(
        "CREATE TABLE page(id INTEGER PRIMARY KEY); INSERT INTO nowhere VALUES (1);"
    )
    with pytest.raises(Exception, match="nowhere"):
        async with open_database(tmp_path / "shelf.db", "shelf"):
            pass
    (tmp_path / "shelf/002.sql").unlink()
    async with open_database(tmp_path / "shelf.db", "shelf") as database:
        assert await database.fetch("SELECT name FROM sqlite_schema") == [("book",)]


async def test_two_writing_processes_are_not_possible(tmp_path: Path) -> None:
    async with (
        open_database(tmp_path / "person.db", "person") as first,
        open_database(tmp_path / "person.db", "person", busy_timeout_ms=1) as second,
        first.transaction() as transaction,
    ):
        await transaction.fetch("INSERT INTO seen(id, day) VALUES (1, 1) RETURNING id")
        with pytest.raises(DatabaseBusy, match="another process"):
            await second.execute("INSERT INTO seen(id, day) VALUES (2, 2)")


async def test_an_open_reader_delays_the_wiping_of_the_log_and_it_is_said(tmp_path: Path) -> None:
    async with open_database(tmp_path / "person.db", "person", busy_timeout_ms=1) as database:
        await database.execute("INSERT INTO seen(id, day) VALUES (1, 1), (2, 2)")
        reader = open_reader(tmp_path / "person.db")
        unfinished = reader.execute("SELECT id FROM seen")
        unfinished.fetchone()
        await database.execute("DELETE FROM seen")
        assert not await database.checkpoint_truncate()
        unfinished.close()
        assert await database.checkpoint_truncate()
        assert (tmp_path / "person.db-wal").stat().st_size == 0
        reader.close()


async def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatabaseReadOnly, match=r"nowhere/person\.db.*folder must exist"):
        async with open_database(tmp_path / "nowhere/person.db", "person"):
            pass


async def test_our_own_wrong_sql_is_not_mistaken_for_a_broken_disk(tmp_path: Path) -> None:
    def wrong(connection: Connection) -> None:
        connection.execute("SELECT x FROM nowhere")

    async with open_database(tmp_path / "person.db", "person") as database:
        with pytest.raises(Exception, match="no such table") as caught:
            await database.run(wrong)
        assert type(caught.value).__module__ == "sqlite3"
