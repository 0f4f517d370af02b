"""Anyone's files are measured by the same protocols; what is wrong in them is named with its line."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner

from app.cli.quality_command import command
from app.learning.session_choice import SessionChoice, choose_sessions, steps_of, visits_of
from app.learning.sessions import SessionIndex, SessionSettings, build_session_index
from app.quality.files import FileUnreadable, Vocabulary, read_clicks, read_interactions
from app.quality.session_files import measure as measure_sessions
from app.quality.session_files import read_sessions

CLICKS = "SessionId\tItemId\tTime\n"


def write(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def test_ids_may_be_anything_and_repeated_pairs_count_once(tmp_path: Path) -> None:
    train = write(tmp_path, "train", "ann a b b\n\nünal b c,1\nann c,1 a\n")
    test = write(tmp_path, "test", "ann new a\nbob a b\nünal\n")
    data = read_interactions(train, test)
    assert data.train.shape == (3, 3)
    assert data.train.toarray().tolist() == [[1, 1, 1], [0, 1, 1], [0, 0, 0]]
    # What ann has already is not asked for again; bob is new, and so is what ann wanted.
    assert data.test.toarray().tolist() == [[0, 0, 0, 1], [0, 0, 0, 0], [1, 1, 0, 0]]
    assert (data.unknown_people, data.unknown_items) == (1, 1)


def test_the_order_of_a_line_counts_unless_lines_are_sorted(tmp_path: Path) -> None:
    test = write(tmp_path, "test", "1 9\n")
    ordered = read_interactions(write(tmp_path, "a", "1 5 3 9 2 7\n2 8 1 4 6 5\n"), test)
    assert ordered.order is not None
    assert ordered.order.tolist() == [0, 1, 2, 3, 4, 9, 5, 6, 7, 8]  # the second line holds 5, 8, 1, 4, 6 as numbered
    assert read_interactions(write(tmp_path, "b", "1 2 3 5 7 19\n2 1 4 5 6 8\n"), test).order is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [("1 2 3\n4,5,6\n", r"train, line 2: expected 'user item item …' .*'4,5,6'"),
     ("1::1193::5::978300760\n", r"line 1"), ("", "no interactions"), ("1\n2\n", "no interactions")],
)  # fmt: skip
def test_lines_that_are_no_interactions_are_named(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(FileUnreadable, match=problem):
        read_interactions(write(tmp_path, "train", text), write(tmp_path, "test", "1 2\n"))


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    good = write(tmp_path, "good", "1 2\n")
    with pytest.raises(FileUnreadable, match="absent: No such file"):
        read_interactions(tmp_path / "absent", good)
    (tmp_path / "binary").write_bytes(b"1 \xff\xfe 3\n")
    with pytest.raises(FileUnreadable, match="binary: not UTF-8"):
        read_interactions(tmp_path / "binary", good)
    with pytest.raises(FileUnreadable, match="test: no interactions"):
        read_interactions(good, write(tmp_path, "test", "1\n"))


def test_clicks_come_by_session_and_time_whatever_the_columns_are(tmp_path: Path) -> None:
    file = write(tmp_path, "clicks", "Time\tItemId\tx\tSessionId\n20\tb\t\ts1\n5\tc\t\ts2\n10\ta\t\ts1\n\n")
    items = Vocabulary()
    visits = read_clicks(file, items).visits()
    names = {number: name for name, number in items.numbers.items()}
    assert [[names[item] for item in visit.tolist()] for visit in visits] == [["a", "b"], ["c"]]


@pytest.mark.parametrize(
    ("text", "problem"),
    [("SessionId\tItem\tTime\n", "line 1: expected a tab-separated header with SessionId, ItemId, Time"),
     (CLICKS + "1\ta\t10\n2\tb\n", "line 3: expected 3 columns"), (CLICKS + "1\ta\tnoon\n", "line 2: Time: .*'noon'"),
     (CLICKS + "1\ta\tnan\n", "line 2: Time"), (CLICKS + "1\t\t5\n", "line 2: SessionId and ItemId"),
     (CLICKS, "no clicks"), ("", "line 1")],
)  # fmt: skip
def test_lines_that_are_no_clicks_are_named(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(FileUnreadable, match=problem):
        read_clicks(write(tmp_path, "clicks", text), Vocabulary())


def paths(visits: int, items: int, seed: int) -> str:
    """Visits that walk in steps of one through a ring of items, a minute a click, an hour a visit."""
    random = np.random.default_rng(seed)
    lines = [CLICKS]
    for visit in range(visits):
        at = int(random.integers(items))
        steps = range(int(random.integers(2, 6)))
        lines += [f"v{visit}\titem {(at + step) % items}\t{visit * 3600 + 60 * step}\n" for step in steps]
    return "".join(lines)


def test_a_planted_path_is_found_in_anyones_sessions(tmp_path: Path) -> None:
    train, test = write(tmp_path, "train", paths(600, 30, 1)), write(tmp_path, "test", paths(40, 30, 2))
    done = CliRunner().invoke(command, ["--sessions", str(train), str(test), "--output", str(tmp_path / "q.json")])
    assert done.exit_code == 0, done.output
    assert "may not be offered again" in done.output
    written = msgspec.json.decode((tmp_path / "q.json").read_bytes())
    reached = {row["metric"]: row["value"] for row in written["measures"]}
    assert reached["HR@20"] == 1
    assert reached["MRR@20"] > 0.8
    assert written["choice"]["steps"] >= 100
    assert written["steps_to_an_unknown_item"] == 0


def test_planted_tastes_are_found_in_anyones_interactions(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    train, test = [], []
    for person in range(240):
        own = random.permutation(30)[:12] + 30 * (person % 4)
        train.append(f"p{person} " + " ".join(f"i{item}" for item in own[:9]))
        test.append(f"p{person} " + " ".join(f"i{item}" for item in own[9:]))
    files = [str(write(tmp_path, name, "\n".join(lines))) for name, lines in (("train", train), ("test", test))]
    done = CliRunner().invoke(command, ["--interactions", *files, "--output", str(tmp_path / "q.json")])
    assert done.exit_code == 0, done.output
    written = msgspec.json.decode((tmp_path / "q.json").read_bytes())
    reached = {(row["protocol"].partition(", ")[2], row["metric"]): row["value"] for row in written["measures"]}
    # 21 unseen items of the own kind: a list of 20 holds nearly all of it, a popular one a quarter.
    assert reached["served", "Recall@20"] > 0.9
    assert reached["popularity", "Recall@20"] < 0.5
    assert written["choice"]["people"] == 240


def test_a_malformed_file_ends_the_command_with_its_line(tmp_path: Path) -> None:
    train, test = write(tmp_path, "train", "1 2 3\n4;5\n"), write(tmp_path, "test", "1 4\n")
    done = CliRunner().invoke(command, ["--interactions", str(train), str(test)])
    assert done.exit_code == 1
    assert "train, line 2" in done.output
    both = ["--interactions", str(train), str(test), "--sessions", str(train), str(test)]
    assert "one at a time" in CliRunner().invoke(command, both).output


def test_unknown_items_are_passed_over_and_count_as_missed(tmp_path: Path) -> None:
    train = write(tmp_path, "train", CLICKS + "1\ta\t1\n1\tb\t2\n2\tc\t3\n2\td\t4\n")
    test = write(tmp_path, "test", CLICKS + "9\ta\t5\n9\tnew\t6\n9\tb\t7\n8\tnew\t1\n8\tc\t2\n")
    data = read_sessions(train, test)
    past = data.train
    arrays = build_session_index(past.session, past.item, past.time, items=data.items)
    measures, counted = measure_sessions(data, arrays, SessionChoice(), "x")
    assert (counted["steps"], counted["steps_to_an_unknown_item"]) == (3, 1)
    # a -> new: missed. a, new -> b: first. new -> c: nothing known, popular items are a, b, c, d.
    assert measures[0].value == pytest.approx((0 + 1 + 1 / 3) / 3)
    assert measures[1].value == pytest.approx(2 / 3)


def index(visits: list[list[int]], settings: SessionSettings) -> SessionIndex:
    clicks = [(number, item, number * 100.0 + step) for number, visit in enumerate(visits)
              for step, item in enumerate(visit)]  # fmt: skip
    session, item, time = (np.array(column) for column in zip(*clicks, strict=True))
    return SessionIndex(build_session_index(session, item.astype(np.int32), time, items=9), settings)


def test_what_a_visit_was_at_before_may_count_more_or_less() -> None:
    visits = [[1, 2, 3], [1, 2, 3], [2, 4]]
    order = {
        factor: index(visits, SessionSettings(revisits=factor)).scores([1, 2], 9)[0].tolist() for factor in (0.01, 9.0)
    }
    assert order[0.01][-1] == 1
    assert order[9.0][0] == 1
    assert set(order[0.01]) == set(order[9.0]) == {1, 3, 4}


def test_the_current_item_is_offered_again_only_where_that_was_chosen() -> None:
    visits = [[1, 2], [1, 3]]
    assert 1 not in index(visits, SessionSettings()).scores([1], 9)[0]
    assert index(visits, SessionSettings(repeat=1.1)).scores([1], 9)[0][0] == 1
    assert index(visits, SessionSettings(repeat=0.01)).scores([1], 9)[0][-1] == 1
    assert index(visits, SessionSettings(repeat=0.5)).scores([8], 9)[0].tolist() == [8]


def test_visits_that_repeat_their_clicks_choose_to_offer_again() -> None:
    random = np.random.default_rng(5)
    session = np.repeat(np.arange(900), 4)
    first = random.integers(0, 40, 900)
    item = np.stack([first, first, (first + 1) % 40, (first + 1) % 40], axis=1).reshape(-1).astype(np.int32)
    time = np.arange(len(item), dtype=np.float64)
    choice = choose_sessions(session, item, time, items=40, most=300)
    assert choice.settings.repeat > 0.5
    assert choice.reached > choice.shipped
    assert choose_sessions(session, item, time, items=40, most=0).settings == SessionSettings()


def test_steps_are_those_of_the_latest_visits() -> None:
    visits = visits_of(np.array([1, 1, 2, 2, 2]), np.array([5, 6, 7, 8, 9], np.int32), np.array([2.0, 1, 3, 4, 5]))
    assert [visit.tolist() for visit in visits] == [[6, 5], [7, 8, 9]]
    assert [(seen.tolist(), wanted) for seen, wanted in steps_of(visits, most=1)] == [([7], 8), ([7, 8], 9)]
    assert len(steps_of(visits)) == 3
