import hashlib
import hmac
import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.api_keys import ApiKeys, row_of
from store.database import open_database
from store.faults import DatabaseUnreadable, KeysLost
from store.keys import Domain, open_keys

pytestmark = pytest.mark.anyio


def everything_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())


async def test_the_first_start_makes_one_api_key_of_each_kind_and_shows_them_once(tmp_path: Path) -> None:
    async with open_keys(tmp_path / "keys.db", now=1.0) as keys:
        first = keys.first_keys
        assert {kind: key.kind for kind, text in first.items() if (key := keys.check(text))} == {
            "public": "public",
            "server": "server",
        }
    async with open_keys(tmp_path / "keys.db", now=2.0) as keys:
        assert keys.first_keys == {}
        assert [key.shown for key in keys.api_keys()] == [first["public"], first["server"][:7] + "…"]
        assert keys.check(first["server"]) is not None
    assert (tmp_path / "keys.db").stat().st_mode & 0o777 == 0o600


async def test_a_server_key_is_in_no_file(tmp_path: Path) -> None:
    async with open_keys(tmp_path / "keys.db", now=1.0) as keys:
        text = keys.first_keys["server"]
    assert text[10:].encode() not in everything_in(tmp_path)
    assert text[:7].encode() in everything_in(tmp_path)


async def test_two_nodes_share_no_key(tmp_path: Path) -> None:
    async with open_keys(tmp_path / "a.db", now=1.0) as one, open_keys(tmp_path / "b.db", now=1.0) as two:
        assert one.pseudonym("anon", "x") != two.pseudonym("anon", "x")
        assert one.first_keys["public"] != two.first_keys["public"]
        assert two.check(one.first_keys["server"]) is None


async def test_a_pseudonym_is_the_same_after_a_restart_and_differs_by_kind_domain_and_tenant(tmp_path: Path) -> None:
    path = tmp_path / "keys.db"
    async with open_keys(path, now=1.0) as keys:
        pseudonym = keys.pseudonym("anon", "x")
        expected = hmac.new(keys.key(Domain.PROFILE), b"shop|anon|x", hashlib.sha256).digest()[:16]
        assert pseudonym == expected
        assert keys.pseudonyms("anon", "x") == [pseudonym]
        others = {keys.pseudonym("user", "x"), *(keys.pseudonym("anon", "x", domain) for domain in list(Domain)[1:])}
        assert len(others) == len(Domain)
        assert pseudonym not in others
    async with open_keys(path, now=9e9) as keys:
        assert keys.pseudonym("anon", "x") == pseudonym
    async with open_keys(path, now=9e9, tenant="other") as keys:
        assert keys.pseudonym("anon", "x") != pseudonym


async def test_hashes_of_visits_and_events_fit_a_database_integer(tmp_path: Path) -> None:
    async with open_keys(tmp_path / "keys.db", now=1.0) as keys:
        hashes = [keys.event_hash(b"p" * 16, str(number), number * 10**10) for number in range(2_000)]
        hashes += [keys.session_hash(str(number)) for number in range(2_000)]
        assert len(set(hashes)) == 4_000
        assert all(0 <= number < 1 << 63 for number in hashes)
        assert keys.event_hash(b"p" * 16, "e", 5) == keys.event_hash(b"p" * 16, "e", 5)
        assert keys.event_hash(b"p" * 16, "e", 5) != keys.event_hash(b"q" * 16, "e", 5)


async def test_event_ids_of_one_hour_lie_together(tmp_path: Path) -> None:
    async with open_keys(tmp_path / "keys.db", now=1.0) as keys:
        hour = 3_600_000
        this = [keys.event_hash(b"p" * 16, str(number), 500_000 * hour + number) for number in range(100)]
        later = [keys.event_hash(b"p" * 16, str(number), 500_001 * hour + number) for number in range(100)]
        assert max(this) < min(later)


async def test_only_the_shop_can_sign_a_user(tmp_path: Path) -> None:
    async with open_keys(tmp_path / "keys.db", now=1.0) as keys:
        signature = hmac.new(keys.signing_secret.encode(), b"customer-7", hashlib.sha256).hexdigest()
        assert keys.check_user("customer-7", signature)
        assert keys.check_user("customer-7", signature.upper())
        assert not keys.check_user("customer-8", signature)
        assert not keys.check_user("customer-7", "")
        assert not keys.check_user("customer-7", "é" * 64)


async def test_lost_keys_beside_data_stop_the_start_and_leave_everything_as_it_was(tmp_path: Path) -> None:
    async with open_database(tmp_path / "person.db", "person"):
        pass
    with pytest.raises(KeysLost, match=r"keys\.db: is missing, but person\.db .*restore it from a backup"):
        async with open_keys(tmp_path / "keys.db", now=1.0, beside=tmp_path / "person.db"):
            pass
    assert not (tmp_path / "keys.db").exists()


async def test_keys_are_made_where_there_is_no_data_yet(tmp_path: Path) -> None:
    async with open_keys(tmp_path / "keys.db", now=1.0, beside=tmp_path / "person.db") as keys:
        assert keys.epochs() == [1]


async def test_a_revoked_key_is_refused_at_once_and_for_good(tmp_path: Path) -> None:
    async with open_keys(tmp_path / "keys.db", now=1.0) as keys:
        text = await keys.create_api_key("public", ["https://shop.example"], ["view_item"], now=2.0)
        key = keys.check(text)
        assert key is not None
        assert (key.origins, key.events, key.created) == (("https://shop.example",), ("view_item",), 2)
        await keys.revoke_api_key(key.id)
        assert keys.check(text) is None
    async with open_keys(tmp_path / "keys.db", now=3.0) as keys:
        assert keys.check(text) is None


@given(st.text(max_size=120))
def test_a_guess_is_never_a_key(guess: str) -> None:
    keys = ApiKeys([(1, *row_of("server", "sk_0123456789abcdef0123456789abcdef", (), (), 0))])
    assert keys.check(guess) is None
    assert keys.check("sk_0123456789abcdef0123456789abcdef") is not None


async def test_a_persons_key_lasts_and_is_useless_without_the_node_key(tmp_path: Path) -> None:
    path = tmp_path / "keys.db"
    async with open_keys(path, now=1.0) as keys:
        await keys.ensure_data_keys(range(1, 1_200))
        cipher = keys.data_key(7)
        assert cipher is not None
        sealed = cipher.encrypt(bytes(12), b"secret", b"")
        await keys.ensure_data_keys([7, 8, 5_000])
        assert keys.data_key(9_999) is None
    async with open_keys(path, now=1.0) as keys:
        cipher = keys.data_key(7)
        assert cipher is not None
        assert cipher.decrypt(bytes(12), sealed, b"") == b"secret"
    async with open_database(path, "keys") as database:
        await database.execute("UPDATE secrets SET value = randomblob(32) WHERE id = 1")
    async with open_keys(path, now=1.0) as keys:
        with pytest.raises(DatabaseUnreadable, match="does not fit"):
            keys.data_key(7)


async def test_a_destroyed_key_is_in_no_file(tmp_path: Path) -> None:
    async with open_keys(tmp_path / "keys.db", now=1.0) as keys:
        await keys.ensure_data_keys(range(1, 300))
        async with open_database(tmp_path / "keys.db", "keys") as database:
            ((wrapped,),) = await database.fetch("SELECT wrapped FROM person_keys WHERE person = 7")
        assert wrapped in everything_in(tmp_path)
        assert await keys.destroy_data_keys([7, 8, 999])
        assert wrapped not in everything_in(tmp_path)
        assert keys.data_key(7) is None
        assert keys.data_key(9) is not None


async def test_debug_logging_tells_no_key(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with open_keys(tmp_path / "keys.db", now=1.0) as keys:
        await keys.create_api_key("server", now=1.0)
    assert "INSERT" not in caplog.text
    assert "execut" not in caplog.text


async def test_a_ring_that_lacks_a_key_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "keys.db"
    async with open_keys(path, now=1.0):
        pass
    async with open_database(path, "keys") as database:
        await database.execute("DELETE FROM epoch_keys WHERE id = ?", (64 + Domain.SESSION,))
    with pytest.raises(DatabaseUnreadable, match=r"lacks keys \(session of epoch 1\); restore it from a backup"):
        async with open_keys(path, now=1.0):
            pass
    async with open_database(path, "keys") as database:
        await database.execute("DELETE FROM secrets WHERE id = 1")
        await database.execute("INSERT INTO epoch_keys VALUES (?, randomblob(32), 1)", (64 + Domain.SESSION,))
    with pytest.raises(DatabaseUnreadable, match="lacks the node's own secrets"):
        async with open_keys(path, now=1.0):
            pass


async def test_an_emptied_ring_beside_people_is_not_filled_with_new_keys(tmp_path: Path) -> None:
    path, beside = tmp_path / "keys.db", tmp_path / "person.db"
    async with open_keys(path, now=1.0), open_database(beside, "person"):
        pass
    async with open_database(path, "keys") as database:
        await database.execute("DELETE FROM epoch_keys")
    with pytest.raises(KeysLost, match=r"holds no keys, but person\.db was written with some"):
        async with open_keys(path, now=1.0, beside=beside):
            pass


async def test_a_person_is_looked_up_under_two_epochs_and_no_more(tmp_path: Path) -> None:
    async with open_keys(tmp_path / "keys.db", now=1.0) as keys:
        assert keys.pseudonym_before("anon", "x") is None
        first = keys.pseudonym("anon", "x")
        await keys.add_epoch(2.0)
        second = keys.pseudonym("anon", "x")
        assert keys.pseudonym_before("anon", "x") == first != second
        await keys.add_epoch(3.0)
        assert keys.pseudonym_before("anon", "x") == second
        assert await keys.destroy_outlived(3.0, 0)
        assert first not in keys.pseudonyms("anon", "x")
        assert second in keys.pseudonyms("anon", "x")
    async with open_keys(tmp_path / "keys.db", now=9.0) as keys:
        assert (keys.epoch, keys.epochs(), keys.began()) == (3, [3, 2], 3)
