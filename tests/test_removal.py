import secrets
from pathlib import Path

import pytest

from app.privacy.byte_scan import row_key
from store.database import Connection, open_database
from store.removal import SUBTREE, close_up, remove_rows

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("size", [20, 250])
async def test_not_even_the_key_of_a_deleted_row_stays_in_the_file(tmp_path: Path, size: int) -> None:
    keys = [secrets.randbits(63) for _ in range(6_000)]
    gone, kept = keys[:300], {key: secrets.token_bytes(size) for key in keys[300:]}

    def remove(connection: Connection) -> None:
        for key in gone:
            connection.execute("BEGIN")
            assert remove_rows(connection, "t", "k", [key, key]) == 1
            connection.execute("COMMIT")

    def left(content: bytes) -> list[int]:
        return [key for key in gone if row_key(key) in content]

    file = tmp_path / "shop.db"
    async with open_database(file, "shop") as database:
        await database.execute("CREATE TABLE t(k INTEGER PRIMARY KEY, body BLOB)")
        async with database.transaction() as transaction:
            rows = [(key, kept.get(key, secrets.token_bytes(size))) for key in keys]
            transaction.insert("INSERT INTO t(k, body)", rows)
        await database.run(remove)
        await database.checkpoint_truncate()
        stubborn = left(file.read_bytes())
        assert len(stubborn) <= 3, "a key in a page high up in the tree is rare"
        for key in stubborn:
            await database.run(lambda connection, key=key: close_up(connection, "t", "k", key, SUBTREE))  # type: ignore[misc]
        await database.checkpoint_truncate()
        assert left(file.read_bytes()) == []
        assert dict(await database.fetch("SELECT k, body FROM t")) == kept
        assert await database.problems() == []
