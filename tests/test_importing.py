import csv
import gzip
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.config import ConfigError, parse_config
from app.importing.load import Loader
from app.importing.mapping import Mapping, load_mapping
from app.importing.rows import CannotImport
from app.importing.run import Imported, import_files
from app.node import Node, open_node
from store.database import open_reader
from store.event_log import SqliteEventLog
from store.person import PersonStore
from store.records import Item, Purpose
from tests.open_shop import ANON, EVERYTHING, found_in_files, logged, open_shop
from tests.waiting import until

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).parent.parent
REAL = ROOT.parent / "shared/data/online_retail"
HEADER = ["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"]
LAST_DAY = datetime(2011, 12, 9, 12, 0, tzinfo=UTC)
Line = Sequence[object]

ORDERS: list[Line] = [
    ("500001", "10001", "BRASS LAMP", 2, "2011-12-01 09:00:00", 12.5, "17001.0", "United Kingdom"),
    ("500001", "10002", "GLASS JAR", 1, "2011-12-01 09:00:00", 3.25, "17001.0", "United Kingdom"),
    ("500002", "10001", "BRASS LAMP", 1, "2011-12-02 10:00:00", 12.5, "", "France"),
    ("C500003", "10002", "GLASS JAR", -1, "2011-12-03 11:00:00", 3.25, "17001.0", "United Kingdom"),
    ("500004", "POST", "POSTAGE", 1, "2011-12-04 12:00:00", 18.0, "17002.0", "Germany"),
    ("500004", "10003A", "TIN  TRAY", 6, "2011-12-04 12:00:00", 1.95, "17002.0", "Germany"),
    ("500005", "10003A", "", 1, "2011-12-09 12:00:00", 0.0, "17002.0", "Germany"),
]


def write(folder: Path, lines: Iterable[Line], name: str = "online_retail.csv", header: Sequence[str] = HEADER) -> Path:
    folder.mkdir(exist_ok=True)
    with (folder / name).open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *lines])
    return folder


def configured(clock: str = "events") -> dict[str, dict[str, object]]:
    return {"node": {"clock": clock}, "shop": {"currency": "GBP"}}


async def load(
    folder: Path, data: Path, *, clock: str = "events", mapping: Mapping | None = None, until_time: str = ""
) -> Imported:
    async with open_node(parse_config(configured(clock)), folder / "personalize.toml") as node:
        return await import_into(node, data, mapping, until_time)


async def import_into(node: Node, data: Path, mapping: Mapping | None = None, until_time: str = "") -> Imported:
    return await import_files(
        node, mapping or load_mapping("online-retail"), data, lambda _done, _total: None, until_time
    )


async def bought(node: Node, user: str) -> list[tuple[str, float, float | None]]:
    known = node.person.read(node.keys.pseudonym("user", user), EVERYTHING)
    assert known is not None
    purchases = node.vault.read(known.surrogate, Purpose.PURCHASES, EVERYTHING) or []
    return [(node.catalogue.item(each.item).id, each.quantity, each.price) for each in purchases]


async def test_a_real_shops_export_becomes_catalogue_customers_and_orders(tmp_path: Path) -> None:
    data = write(tmp_path / "export", ORDERS)
    async with open_node(parse_config(configured()), tmp_path / "personalize.toml") as node:
        done = await import_into(node, data)
        assert (done.rows, done.items, dict(done.skipped)) == (7, 3, {"no item id": 1})
        assert dict(done.outcomes) == {"accepted": 5}
        items = {item.id: item for _, item in node.shop.list(-1, 10)}
        assert (items["10001"].title, items["10001"].price, items["10001"].currency) == ("BRASS LAMP", 12.5, "GBP")
        assert (items["10003A"].title, items["10003A"].price) == ("TIN  TRAY", 1.95)
        assert items["10001"].published == datetime(2011, 12, 1, 9, tzinfo=UTC).timestamp()
        events = [each for _, each in await node.log.read_from(0, 100)]
        assert [each.name for each in events] == ["purchase", "purchase", "refund", "purchase", "purchase"]
        assert [each.region for each in events] == ["GB", "FR", "GB", "DE", "DE"]
        assert node.clock.now() == LAST_DAY.timestamp()


async def test_cancellations_are_refunds_and_signed_out_orders_belong_to_nobody_known(tmp_path: Path) -> None:
    data = write(tmp_path / "export", ORDERS)
    async with open_node(parse_config(configured()), tmp_path / "personalize.toml") as node:
        await import_into(node, data)
        assert await bought(node, "17001") == [("10001", 2.0, 12.5), ("10002", 1.0, 3.25), ("10002", -1.0, 3.25)]
        signed_out = node.person.read(node.keys.pseudonym("anon", "signed-out session 500002"), EVERYTHING)
        assert signed_out is not None
        assert len({each.person for _, each in await node.log.read_from(0, 100)}) == 3
    assert found_in_files(tmp_path / "data", "17001", "17002") == []


async def test_an_import_done_twice_changes_nothing(tmp_path: Path) -> None:
    data = write(tmp_path / "export", ORDERS)
    await load(tmp_path, data)
    async with open_node(parse_config(configured()), tmp_path / "personalize.toml") as node:
        again = await import_into(node, data)
        assert (again.rows, again.resumed_at, dict(again.outcomes)) == (7, 7, {})
        assert node.log.head() == 5


async def test_an_import_whose_last_note_was_lost_counts_no_order_twice(tmp_path: Path) -> None:
    data = write(tmp_path / "export", ORDERS)
    async with open_node(parse_config(configured()), tmp_path / "personalize.toml") as node:
        await import_into(node, data)
        await node.database.execute("UPDATE imports SET done = 3")
        again = await import_into(node, data)
        assert (again.resumed_at, dict(again.outcomes)) == (3, {"duplicate": 3})
        assert await bought(node, "17001") == [("10001", 2.0, 12.5), ("10002", 1.0, 3.25), ("10002", -1.0, 3.25)]


async def test_what_the_rows_do_not_say_about_an_item_stays_as_the_shop_said_it(tmp_path: Path) -> None:
    data = write(tmp_path / "export", ORDERS)
    rich = Item(
        id="10003A", title="Tin tray", url="/p/tray", brand="Alder", category=("kitchen",), price=2.0, published=5.0
    )
    async with open_node(parse_config(configured()), tmp_path / "personalize.toml") as node:
        await node.shop.put_items([rich], 10.0)
        await import_into(node, data)
        item = node.shop.get("10003A")
        assert item is not None
        assert (item.title, item.price, item.url, item.brand) == ("TIN  TRAY", 1.95, "/p/tray", "Alder")
        assert (item.category, item.published) == (("kitchen",), 5.0)


async def test_rows_that_say_nothing_usable_are_counted_and_the_others_go_on(tmp_path: Path) -> None:
    good = ORDERS[0]
    broken: list[Line] = [
        ("1", "10009", "A", 1, "yesterday", 1.0, "17009.0", "France"),
        ("2", "10009", "A", 1, "2011-12-05 99:00:00", 1.0, "17009.0", "France"),
        ("3", "10009", "A", 1, "2011-12-05 09:00:00", "1,50", "17009.0", "France"),
        ("4", "10009", "A", 1, "2011-12-05 09:00:00", "nan", "17009.0", "France"),
        ("5", "10009", "A", "many", "2011-12-05 09:00:00", 1.0, "17009.0", "France"),
        ("6", "10009", "A" * 501, 1, "2011-12-05 09:00:00", 1.0, "17009.0", "France"),
        ("", "10001", "BRASS LAMP", 1, "2011-12-05 09:00:00", 1.0, "", "France"),
        ("8", "10009"),
    ]
    data = write(tmp_path / "export", [*broken, good])
    done = await load(tmp_path, data)
    assert dict(done.skipped) == {
        "time cannot be read": 3,
        "price is no number": 2,
        "quantity is no number": 1,
        "item/title: at most 500 characters": 1,
        "no visitor": 1,
    }
    assert (dict(done.outcomes), done.rows) == ({"accepted": 1}, 9)


async def test_on_a_wall_clock_the_history_ends_just_now(tmp_path: Path) -> None:
    data = write(tmp_path / "export", [*ORDERS, ("9", "10001", "A", 1, "someday", 1, "17001.0", "France")])
    async with open_node(parse_config(configured("wall")), tmp_path / "personalize.toml") as node:
        began = node.clock.now_ms()
        await import_into(node, data)
        times = [each.at_ms for _, each in await node.log.read_from(0, 100)]
        assert 0 <= began - 60_000 - max(times) + 5_000 <= 10_000
        assert max(times) - min(times) == (8 * 24 + 3) * 3_600_000
        # Resumed, it moves by the same again, so that a repetition is recognised.
        await node.database.execute("UPDATE imports SET done = 0 WHERE source NOT GLOB 'shift*'")
        assert set((await import_into(node, data)).outcomes) == {"duplicate"}


async def test_until_leaves_out_what_came_later(tmp_path: Path) -> None:
    data = write(tmp_path / "export", ORDERS)
    async with open_node(parse_config(configured()), tmp_path / "personalize.toml") as node:
        await import_into(node, data, until_time="2011-12-03 00:00:00")
        assert node.clock.now() == datetime(2011, 12, 2, 10, tzinfo=UTC).timestamp()
        with pytest.raises(CannotImport, match="--until 'December': not a time as the files write it"):
            await import_into(node, data, until_time="December")


async def test_a_large_order_becomes_several_events_and_loses_no_line(tmp_path: Path) -> None:
    lines = [
        ("7", f"{10_000 + n}", f"THING {n}", 1, "2011-12-05 09:00:00", 1.0, "17009.0", "France") for n in range(1200)
    ]
    async with open_node(parse_config(configured()), tmp_path / "personalize.toml") as node:
        done = await import_into(node, write(tmp_path / "export", lines))
        assert dict(done.outcomes) == {"accepted": 3}
        assert len(await bought(node, "17009")) == 1000  # the bound of a person's vault
        assert done.items == 1200


async def test_several_files_and_gzip_are_read_in_name_order(tmp_path: Path) -> None:
    data = write(tmp_path / "export", ORDERS[:3], "online_retail.csv.1")
    write(data, ORDERS[3:], "rest.csv")
    with gzip.open(data / "online_retail.csv.2.gz", "wb") as file:
        file.write((data / "rest.csv").read_bytes())
    done = await load(tmp_path, data)
    assert (done.rows, dict(done.outcomes)) == (7, {"accepted": 5})


async def test_a_missing_column_is_named_with_what_it_might_be(tmp_path: Path) -> None:
    data = write(tmp_path / "export", ORDERS, header=["InvoiceNr", *HEADER[1:-1], "Land"])
    with pytest.raises(CannotImport) as wrong:
        await load(tmp_path, data)
    assert "no column 'InvoiceNo'; did you mean 'InvoiceNr'?" in str(wrong.value)
    assert "no column 'Country'; known here:" in str(wrong.value)


async def test_files_that_are_not_what_the_mapping_says_are_told(tmp_path: Path) -> None:
    with pytest.raises(CannotImport, match="there is no such folder"):
        await load(tmp_path, tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CannotImport, match=r"no file matches 'online_retail.csv\*'"):
        await load(tmp_path, tmp_path / "empty")
    latin = write(tmp_path / "latin", ORDERS)
    (latin / "online_retail.csv").write_bytes(
        (latin / "online_retail.csv").read_bytes().replace(b"GLASS", "GLÄS".encode("latin-1"))
    )
    with pytest.raises(CannotImport, match=r"near row .: not utf-8 .*often 'cp1252'"):
        await load(tmp_path, latin)
    cut = write(tmp_path / "cut", ORDERS)
    packed = gzip.compress((cut / "online_retail.csv").read_bytes())
    (cut / "online_retail.csv").unlink()
    (cut / "online_retail.csv.gz").write_bytes(packed[:-20])
    with pytest.raises(CannotImport, match="cut short or no gzip"):
        await load(tmp_path, cut)
    timeless = write(tmp_path / "timeless", [(*ORDERS[0][:4], "1 Dec", *ORDERS[0][5:])])
    with pytest.raises(CannotImport, match="no time can be read, '1 Dec' for one is not %Y-"):
        await load(tmp_path, timeless, clock="wall")


async def test_excels_mark_of_utf_8_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    data = write(tmp_path / "export", ORDERS)
    path = data / "online_retail.csv"
    path.write_bytes("\ufeff".encode() + path.read_bytes())
    assert dict((await load(tmp_path, data)).outcomes) == {"accepted": 5}


async def test_clicks_of_sessions_come_in_through_their_own_preset(tmp_path: Path) -> None:
    clicks = "SessionId\tItemId\tTime\n1\tA\t1600000000\n1\tB\t1600000060\n2\tA\t1600000100\n"
    (tmp_path / "clicks").mkdir()
    (tmp_path / "clicks/train.txt").write_text(clicks)
    async with open_node(parse_config(configured()), tmp_path / "personalize.toml") as node:
        await import_into(node, tmp_path / "clicks", load_mapping("serenade"))
        events = [each for _, each in await node.log.read_from(0, 100)]
        assert [each.name for each in events] == ["view_item"] * 3
        assert len({each.session for each in events}) == 2


@pytest.mark.parametrize(
    "name", ["online-retail", "serenade", str(ROOT / "app/quality/online-retail-clean.toml")]
)  # fmt: skip
def test_every_mapping_that_ships_is_right(name: str) -> None:
    assert load_mapping(name).problems() == []


def test_a_mapping_file_with_mistakes_names_all_of_them(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    text = (ROOT / "app/importing/presets/online-retail.toml").read_text("utf-8")
    path.write_text(
        text.replace('"vault.purchases"', '"vault.purchase"')
        .replace('name = "purchase"', 'name = "purchases"')
        .replace('matches = "C"', 'matches = "("')
        .replace('zone = "Europe/London"', 'zone = "London"')
        .replace("[files]\n", '[files]\ndelimiter = ", "\nencoding = "utf9"\n'),
        "utf-8",
    )
    with pytest.raises(ConfigError) as wrong:
        load_mapping(str(path))
    assert [problem.partition(":")[0] for problem in wrong.value.problems] == [
        "event.refund_when.matches", "visitor.purposes", "event.name", "files.delimiter", "files.encoding", "time.zone",
    ]  # fmt: skip
    with pytest.raises(ConfigError, match="neither a preset nor a mapping file; did you mean 'online-retail'"):
        load_mapping("online-retial")


async def test_an_import_killed_in_the_middle_goes_on_where_it_was(tmp_path: Path) -> None:
    orders = [
        (f"{n}", f"{10_000 + n % 50}", "THING", 1, f"2011-12-05 {n // 400 % 24:02}:00:00", 1.0, f"{n % 90}.0", "France")
        for n in range(6_000)
    ]
    data = write(tmp_path / "export", orders)
    path = tmp_path / "personalize.toml"
    path.write_text('[node]\nclock = "events"\n[shop]\ncurrency = "GBP"\n')
    command = [sys.executable, "-m", "app", "-c", str(path), "import", "online-retail", str(data), "--quiet"]
    child = subprocess.Popen(  # noqa: ASYNC220  nothing else runs here
        command, cwd=ROOT, stdout=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    try:
        await until(lambda: child.poll() is not None or how_far(tmp_path) > 0)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    killed_at = how_far(tmp_path)
    assert 0 < killed_at < 6_000
    async with open_node(parse_config(configured()), tmp_path / "personalize.toml") as node:
        done = await import_into(node, data)
        assert done.resumed_at == killed_at
        assert done.outcomes.keys() <= {"accepted", "duplicate"}
        assert len(await node.log.read_from(0, 10_000)) == 6_000
        assert len(await bought(node, "17")) == len(range(17, 6_000, 90))


def how_far(folder: Path) -> int:
    path = folder / "data/person.db"
    if not path.exists() or not path.stat().st_size:
        return 0
    reader = open_reader(path)
    try:
        (found,) = reader.execute("SELECT coalesce(max(done), 0) FROM imports").fetchone()
        return int(found)
    except sqlite3.OperationalError:  # the schema is not there yet
        return 0
    finally:
        reader.close()


@pytest.mark.skipif(not REAL.is_dir(), reason=f"{REAL} is absent: the real shop's export is not part of the repository")
async def test_the_first_20_000_lines_of_the_real_shop_are_loaded(tmp_path: Path) -> None:
    (source,) = REAL.glob("online_retail.csv*")
    (tmp_path / "export").mkdir()
    with gzip.open(source, "rt", encoding="utf-8") as file, (tmp_path / "export/online_retail.csv").open("w") as copy:
        copy.writelines(line for _, line in zip(range(20_001), file, strict=False))
    done = await load(tmp_path, tmp_path / "export")
    assert done.rows == 20_000
    assert sum(done.skipped.values()) < 200
    assert done.items > 2_000
    reader = open_reader(tmp_path / "data/person.db")
    assert SqliteEventLog(reader).head() == done.outcomes["accepted"] > 900
    assert sum(1 for _ in PersonStore(reader).consents()) > 400
    reader.close()


async def test_what_is_loaded_stays_on_its_own_day_whenever_it_was_sent(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as node:
        day = node.clock.now_ms() - 40 * 86_400_000
        visit = {"id": "seen", "name": "view_item", "ts": day, "item": "S1"}
        loader = Loader(node)
        await loader.load([{"v": 1, "sent": day + 60_000, "consent": "granted", "anon": ANON, "events": [visit]}])
        assert loader.events == 1
        assert [each.at_ms for each in await logged(node)] == [day]
