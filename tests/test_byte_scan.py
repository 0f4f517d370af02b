import base64
import gzip
import zlib
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.privacy.byte_scan import Needle, byte_needles, number_needles, row_key, scan, text_needles
from store.database import open_database

ID = "Žofie+canary@shop.example"
SECRET = bytes(range(200, 216))
NUMBER = 0x1234_5678_9ABC_DEF0


@given(st.binary(max_size=40), st.binary(max_size=40), st.sampled_from([ID, "a" * 40, "0123456789ab"]))
def test_a_text_is_found_in_every_spelling_wherever_it_lies(before: bytes, after: bytes, text: str) -> None:
    from app.privacy.byte_scan import Finder

    finder = Finder(text_needles("id", text))
    raw = text.encode()
    ways = [raw, text.encode("utf-16-le"), text.encode("utf-16-be"), raw.hex().encode(), raw.hex().upper().encode()]
    ways += [base64.b64encode(before + raw + after), base64.urlsafe_b64encode(before + raw + after)]
    ways.append(quote(text, safe="").encode())
    for way in ways:
        assert finder.find(before + way + after)[0], way


def test_nothing_is_found_where_nothing_is(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(range(256)) * 1_000)
    (tmp_path / "empty").touch()
    found = scan(tmp_path, [*text_needles("id", ID), *byte_needles("key", b"k" * 16)])
    assert (found.files, found.bytes, found.sightings) == (2, 256_000, ())


@pytest.mark.parametrize("offset", [0, 1, (4 << 20) - 9, (4 << 20) - 1, 4 << 20])
def test_a_needle_on_the_border_of_what_is_read_at_once_is_found(tmp_path: Path, offset: int) -> None:
    (tmp_path / "big").write_bytes(b"\0" * offset + SECRET + b"\0" * 99)
    (sighting,) = scan(tmp_path, byte_needles("key", SECRET)).sightings
    assert (sighting.file, sighting.needle, sighting.offset) == ("big", "key", offset)


@pytest.mark.parametrize("squeeze", [zlib.compress, gzip.compress], ids=["zlib", "gzip"])
def test_compressed_streams_are_searched(tmp_path: Path, squeeze: object) -> None:
    body = squeeze(b"many words before it " * 50 + ID.encode())  # type: ignore[operator]
    (tmp_path / "blob").write_bytes(b"x" * 7 + body + b"rest")
    found = scan(tmp_path, text_needles("id", ID))
    assert found.streams == 1
    assert {(each.needle, each.inflated) for each in found.sightings} == {("id in utf-8", True)}


def test_a_value_that_lies_across_two_pages_is_found_by_its_halves(tmp_path: Path) -> None:
    (tmp_path / "pages").write_bytes(SECRET[:11] + b"page header" + SECRET[11:])
    assert scan(tmp_path, byte_needles("key", SECRET)).sightings


def test_the_name_of_a_file_is_searched_too(tmp_path: Path) -> None:
    (tmp_path / f"export-{ID}.json").touch()
    assert scan(tmp_path, text_needles("id", ID)).sightings


@pytest.mark.anyio
async def test_numbers_are_found_as_the_database_writes_them(tmp_path: Path) -> None:
    for place, number in enumerate((NUMBER, (1 << 55) + 12_345, (1 << 56) - 1, 1 << 56, (1 << 63) - 1)):
        for table in ("t(k INTEGER PRIMARY KEY, b)", "t(a, k INTEGER)"):
            path = tmp_path / f"{place}-{len(table)}"
            path.mkdir()
            async with open_database(path / "shop.db", "shop") as database:
                await database.execute(f"CREATE TABLE {table}")
                await database.execute("INSERT INTO t(k) VALUES (?)", (number,))
                await database.checkpoint_truncate()
                needles = [each for each in number_needles("number", number) if len(each.pattern) >= 6]
                assert scan(path, needles).sightings, (number, table)


def test_a_needle_that_chance_would_find_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="by chance"):
        scan(tmp_path, [Needle("short", b"abc")])
    assert row_key(5) == b"\x05"
