"""What the quality run counts, on shops small enough to count by hand; and the whole run on one of forty products."""

import csv
import gzip
from pathlib import Path

import msgspec
import pytest

from app.quality import privacy_cost
from app.quality.measure import Measure, table
from app.quality.retail import (
    TEST,
    VALIDATION,
    Protocol,
    Split,
    hit_rate,
    read_protocol,
    reciprocal_rank,
    search_cases,
)
from app.quality.run import run
from app.quality.scratch import QualityFailed, personalize
from app.quality.sessions import read_sessions

COLUMNS = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")
PRODUCTS = 40


def retail_file(folder: Path, lines: list[dict[str, str]]) -> Path:
    """A file shaped as online_retail.csv.gz; what a line leaves out is ordinary."""
    ordinary = {"InvoiceNo": "1", "Description": "RED MUG", "Quantity": "1", "InvoiceDate": "2011-05-01 10:00:00",
                "UnitPrice": "2.5", "CustomerID": "12346.0", "Country": "France"}  # fmt: skip
    file = folder / "online_retail.csv.gz"
    with gzip.open(file, "wt", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, COLUMNS)
        writer.writeheader()
        writer.writerows(ordinary | line for line in lines)
    return file


def test_only_real_purchases_of_known_customers_count(tmp_path: Path) -> None:
    file = retail_file(tmp_path, [
        {"StockCode": "10001"},
        {"StockCode": "10002", "CustomerID": ""},
        {"StockCode": "10003", "Quantity": "-1"},
        {"StockCode": "10004", "UnitPrice": "0"},
        {"StockCode": "POST"},
    ])  # fmt: skip
    assert read_protocol(file, TEST).bought == {"12346": {"10001"}}


def test_the_future_begins_at_the_split_ends_at_its_end_and_holds_only_items_known_before(tmp_path: Path) -> None:
    file = retail_file(tmp_path, [
        {"StockCode": "10001", "InvoiceDate": "2011-09-30 23:59:00"},
        {"StockCode": "10002", "InvoiceDate": "2011-09-30 23:59:00", "CustomerID": "2.0"},
        {"StockCode": "10002", "InvoiceDate": "2011-10-01 00:00:00"},
        {"StockCode": "10003", "InvoiceDate": "2011-10-02 00:00:00"},
        {"StockCode": "10001", "InvoiceDate": "2011-11-01 00:00:00", "CustomerID": "3.0"},
    ])  # fmt: skip
    validation = read_protocol(file, VALIDATION)
    assert validation.wanted == {"12346": {"10002"}}
    assert validation.customers == validation.explorers == ["12346"]
    assert set(validation.titles) == {"10001", "10002"}
    test = read_protocol(file, TEST)
    assert test.wanted == {"3": {"10001"}}
    assert test.customers == []  # nobody with a past and a future
    assert read_protocol(file, Split("2011-10-01")).wanted == {"12346": {"10002"}, "3": {"10001"}}


def test_who_only_buys_the_same_again_explores_nothing() -> None:
    protocol = Protocol(bought={"a": {"1", "2"}, "b": {"1"}}, wanted={"a": {"1"}, "b": {"1", "2"}})
    assert protocol.customers == ["a", "b"]
    assert protocol.explorers == ["b"]


def test_a_search_asks_with_the_last_words_that_eight_titles_share() -> None:
    titles = {str(number): f"COLOUR {number} TEA MUG" for number in range(8)} | {"8": "SMALL MUG", "9": "LONE SPOON"}
    protocol = Protocol(bought={"a": {"8"}}, wanted={"a": {"0", "8", "9"}}, titles=titles)
    cases = {case.item: (case.query, case.new) for case in search_cases(protocol)}
    assert cases == {"0": ("tea mug", True), "8": ("mug", False)}


def test_a_customer_is_hit_by_any_item_they_went_on_to_buy() -> None:
    assert hit_rate({"a": ["1", "2"], "b": ["3"]}, {"a": {"2", "9"}, "b": {"4"}}) == 0.5
    assert hit_rate({}, {}) == 0


def test_the_rank_of_what_is_not_found_is_worth_nothing() -> None:
    assert [reciprocal_rank(["x", "y"], item) for item in ("x", "y", "z")] == [1, 0.5, 0]


@pytest.mark.parametrize(
    ("value", "static", "verdict"),
    [(0.9, None, "BELOW FLOOR"), (1.0, None, "ok"), (1.2, None, "goal"), (1.2, 1.3, "BELOW FLOOR"),
     (0.44, 0.4, "ok"), (0.48, 0.4, "goal")],
)  # fmt: skip
def test_floors_and_goals_are_ratios_where_there_is_something_static_to_compare(
    value: float, static: float | None, verdict: str
) -> None:
    measure = Measure("p", "m", value, floor=1.0, goal=1.2 - 1e-9, static=static)
    assert measure.verdict == verdict
    assert measure.passed == (verdict != "BELOW FLOOR")


def test_a_metric_without_a_goal_is_at_most_ok() -> None:
    assert Measure("p", "m", 5, floor=1).verdict == "ok"


def test_the_table_has_a_column_for_everything_and_says_what_is_below() -> None:
    lines = table([
        Measure("shop", "HR@20", 0.9, 1.2, 1.3, static=0.6, anchor=".912", seconds=61.4, memory_mb=164.2),
        Measure("sessions", "MRR@20", 0.3, 0.32),
    ]).splitlines()  # fmt: skip
    assert lines[0].split() == ["protocol", "metric", "static", "result", "ratio", "floor", "goal", "anchor", "s", "MB"]
    assert lines[1].split() == ["shop", "HR@20", "0.6000", "0.9000", "1.500×", "1.2×", "1.3×", ".912", "61", "164",
                                "goal"]  # fmt: skip
    assert lines[2].endswith("BELOW FLOOR")
    assert len({line.index(cell) for line, cell in zip(lines, ("result", "0.9000", "0.3000"), strict=True)}) == 1


def test_without_the_data_the_run_says_where_it_has_to_lie(tmp_path: Path) -> None:
    said: list[str] = []
    assert not run(tmp_path / "absent", tmp_path / "quality.json", said.append, "shop")
    assert "../shared/data" in said[-1]
    assert str(tmp_path / "absent") in said[-1]
    assert not (tmp_path / "quality.json").exists()


def test_clicks_of_a_session_come_in_their_order(tmp_path: Path) -> None:
    file = tmp_path / "test.txt"
    file.write_text("SessionId\tItemId\tTime\n1\tb\t20\n2\tc\t5\n1\ta\t10\n")
    assert read_sessions(file) == [["a", "b"], ["c"]]


def test_a_step_that_fails_is_named_with_what_it_said(tmp_path: Path) -> None:
    (tmp_path / "personalize.toml").write_text("[training]\nitertions = 3\n")
    with pytest.raises(QualityFailed, match=r"(?s)personalize check.*did you mean 'iterations'"):
        personalize(tmp_path, "check")


def shop_of_two_tastes() -> list[dict[str, str]]:
    """Customers buy among the even or among the odd products; each buys one more of its kind after the split."""
    lines = []
    for customer in range(24):
        kind = customer % 2
        for turn in range(6):
            product = (kind + 2 * (customer + 3 * turn)) % PRODUCTS
            month = "2011-10-1" if turn < 5 else "2011-11-0"
            lines.append({
                "InvoiceNo": f"{customer}{turn}", "StockCode": f"{10_000 + product}", "CustomerID": f"{customer + 1}.0",
                "Description": f"{'SMALL' if product % 2 else 'LARGE'} THING {product} LAMP",
                "InvoiceDate": f"{month}{turn} 10:00:00",
            })  # fmt: skip
    return lines


def test_a_whole_run_imports_trains_serves_asks_and_writes_down_what_came_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(privacy_cost, "EPSILONS", (8,))
    (tmp_path / "online_retail").mkdir()
    retail_file(tmp_path / "online_retail", shop_of_two_tastes())
    said: list[str] = []
    run(tmp_path, tmp_path / "quality.json", said.append, "privacy")
    written = msgspec.json.decode((tmp_path / "quality.json").read_bytes())
    measured = {(row["protocol"], row["metric"]): row for row in written["measures"]}
    curve = {name for name, _ in measured} & {"popularity", "dp, ε = 8", "exact"}
    assert len(curve) == 3
    assert len(measured) == 5 + 4 * 3
    assert measured["exact", "HR@20, all"]["value"] == measured["shop, all purchases", "HR@20"]["value"]
    assert measured["popularity", "HR@20, all"]["ratio"] == 1
    assert written["split"] == TEST.split
    for (protocol, _), row in measured.items():
        assert 0 < row["value"] <= 1 or protocol.startswith("dp"), protocol
        assert row["seconds"] >= 0
        assert row["verdict"] in said[-2]
    assert measured["shop, search, all", "MRR"]["memory_mb"] > 20
    assert measured["shop, all purchases", "HR@20"]["value"] > measured["shop, all purchases", "HR@20"]["static"] / 2
