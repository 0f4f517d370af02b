"""What the films, the logged slots and the privacy curve count, by hand; and on the public files where they lie."""

from pathlib import Path

import numpy as np
import pytest

from app.config.sections import TrainingOptions
from app.quality.logged import Log, estimates, read_log, shares
from app.quality.logged import measure as measure_logged
from app.quality.movies import cold_start, read_ratings, split
from app.quality.privacy_cost import EPSILONS, rows
from app.quality.retail import Protocol, coverage, popularity_bias

DATA = next((found for up in Path(__file__).parents if (found := up / "shared/data").is_dir()), Path("absent"))


def films(folder: Path) -> Path:
    (folder / "movies.csv").write_text(
        "movieId,title,genres\n"
        + "".join(f"{film},Film {film},{'War|Drama' if film % 2 else 'Comedy|Musical'}\n" for film in range(300))
    )
    random = np.random.default_rng(2)
    lines = ["userId,movieId,rating,timestamp"]
    for person in range(200):
        for place, film in enumerate(random.permutation(150)[:15]):
            lines.append(f"{person},{2 * film + person % 2},{4.0 if place else 2.0},{1000 - place}")
    (folder / "ratings.csv").write_text("\n".join(lines))
    return folder


def test_only_what_was_liked_counts_and_the_latest_is_guessed(tmp_path: Path) -> None:
    ratings = read_ratings(films(tmp_path))
    assert all(len(liked) == 14 for liked in ratings.people.values())
    (tmp_path / "split").mkdir()
    data = split(ratings, tmp_path / "split")
    assert data.train.sum() == 200 * 12
    assert data.test.sum() == 200 * 2
    assert data.order is not None


def test_films_nobody_rated_are_found_by_what_they_are(tmp_path: Path) -> None:
    found = {measure.protocol: measure for measure in cold_start(read_ratings(films(tmp_path)), TrainingOptions())}
    assert found["films nobody rated, content"].value > found["films nobody rated, random"].value
    assert found["films nobody rated, content"].passed


def test_a_policy_is_how_often_it_showed_what_where() -> None:
    log = Log(np.array([0, 0, 1, 2]), np.array([1, 1, 1, 2]), np.zeros(4), np.ones(4))
    assert shares(log, 3, 2).tolist() == [[2 / 3, 1 / 3, 0], [0, 0, 1]]


def test_the_random_log_tells_what_a_better_policy_earns() -> None:
    random = np.random.default_rng(1)
    item = random.integers(0, 4, 40_000).astype(np.int32)
    chances = np.array([0.02, 0.04, 0.1, 0.3])
    click = (random.random(len(item)) < chances[item]).astype(np.float64)
    log = Log(item, np.ones(len(item), np.int32), click, np.full(len(item), 0.25))
    policy = np.array([[0.0, 0.1, 0.2, 0.7]])
    told = estimates(log, policy, seed=7)
    for name in ("replay", "IPS", "SNIPS", "DR"):
        assert told[name].value == pytest.approx(float(policy[0] @ chances), abs=4 * told[name].error + 1e-3), name


def test_coverage_and_popularity_of_lists() -> None:
    lists = {"a": ["1", "2"], "b": ["1", "3"]}
    assert coverage(lists, 6) == 0.5
    assert popularity_bias(lists, {"x": {"1"}, "y": {"1", "2"}, "z": set(), "w": set()}) == (2 + 1 + 2 + 0) / 4 / 4
    assert popularity_bias({}, {}) == 0


def test_a_point_of_the_curve_has_both_hit_rates_coverage_and_bias() -> None:
    protocol = Protocol(bought={"a": {"1"}}, wanted={"a": {"1", "2"}}, titles={"1": "x", "2": "y"})
    measures = rows("dp", {"all home": {"a": ["1"]}, "new home": {"a": ["3"]}}, protocol, {"all": 0.5, "new": 0.5})
    assert [measure.value for measure in measures] == [1, 0, 0.5, 0]
    assert [measure.ratio for measure in measures] == [2, 0, None, None]
    assert all(measure.passed for measure in measures)
    assert EPSILONS == (1, 3, 8, 20)


@pytest.mark.skipif(not (DATA / "obd_small").is_dir(), reason="obd_small lies in ../shared/data, which is absent")
def test_on_the_open_bandit_log_the_estimates_agree_with_what_the_other_policy_earned() -> None:
    log, other = (read_log(DATA / "obd_small" / f"{policy}_men.csv") for policy in ("random", "bts"))
    told = estimates(log, shares(other, 34, 3), seed=1)
    for name in ("IPS", "SNIPS", "DR"):
        assert abs(told[name].value - other.click.mean()) < 2 * told[name].error, name
    assert len(measure_logged(DATA / "obd_small", 1)) == 12
