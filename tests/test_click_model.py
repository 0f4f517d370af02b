"""Blend weights from clicks: the true ones are found behind attention; noise and few people keep what is configured."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.config import Config, parse_config
from app.learning.click_model import LONGEST, Blend, of_person, rows_of
from app.learning.clicks import Click, ClicksBuilder, _encode
from app.learning.dataset import Dataset, DatasetBuilder
from app.learning.memory import Memory
from app.learning.private import _release
from app.learning.ranking_step import BEGAN, CLICKS, NOTHING_YET, blends_of, learn_ranking, ranking_of, release_clicks
from app.learning.rates import DAY
from app.learning.release import open_door
from app.learning.train import Draft
from app.learning.triangles import Doubles
from app.serving.shown_lists import MOST_PLACES
from store.records import LoggedEvent, ShownList
from tests.small_shop import small_catalogue

NOW = 1_750_000_000.0
PLACEMENT = "trending"
BASE = np.array([1.0, 0.2, 0.3, 0.3])
SCORERS = ("trending", "popular", "affinity", "taste")
TRUE = np.array([0.35, 0.2, 0.9, 0.55])
ATTENTION = 0.8 ** np.arange(12)
SHARPNESS = 2.5
BLEND = Blend(PLACEMENT, SCORERS, BASE, np.ones(4, np.bool_))


def lists(count: int, random: np.random.Generator, weights: Doubles = BASE) -> Doubles:
    """What four scorers say of the twelve best of 60 candidates by these weights, [count, 12, 4]."""
    said = random.random((count, 60, 4)) ** 2
    said /= said.max(axis=1, keepdims=True)
    best = np.argsort(-(said @ weights), axis=1)[:, :12]
    shown: Doubles = np.take_along_axis(said, best[:, :, None], axis=1)
    return shown


def liked(said: Doubles) -> Doubles:
    """How much shoppers like what is there, whatever stands where."""
    liking: Doubles = np.exp(SHARPNESS * (said @ TRUE - TRUE.sum()))
    return liking


def clicks(people: int, random: np.random.Generator, *, places_hidden: bool = False) -> list[Click]:
    """One visit each to a list ranked as configured: a click needs that the place is looked at and that it is liked.

    `places_hidden`: what is clicked is told against what was shown in no order, as naive learning takes it.
    """
    shown = lists(people, random)
    chance = liked(shown) * ATTENTION
    chance /= chance.sum(axis=1, keepdims=True)
    found = []
    for person in range(people):
        place = int(random.choice(12, p=chance[person]))
        said = np.rint(shown[person] * 127).astype(np.int8)
        if places_hidden:
            order = random.permutation(12)
            said, place = said[order], int(np.flatnonzero(order == place)[0])
        listed = ShownList(place, {name: said[:, number].tobytes() for number, name in enumerate(SCORERS)})
        found.append(Click(person, PLACEMENT, _encode(listed)))
    return found


def config_of(**sections: dict[str, Any]) -> Config:
    return parse_config({"privacy": {"learned": "exact"}, **sections})


def draft_of(config: Config, found: list[Click], **more: Any) -> Draft:  # noqa: ANN401
    catalogue = small_catalogue()
    empty = DatasetBuilder(items=catalogue.size, weights={}, since=0, max_items_per_person=1).build()
    data = Dataset(**{name: getattr(empty, name) for name in empty.__dataclass_fields__} | {"clicks": found})
    return Draft(config, catalogue, data, NOW, **more)


def learned(found: list[Click], **sections: dict[str, Any]) -> dict[str, Any]:
    draft = draft_of(config_of(**sections), found)
    learn_ranking(draft)
    part: dict[str, Any] = draft.card["ranking"][PLACEMENT]
    return part


def learned_privately(folder: Path, found: list[Click], epsilon: float = 8.0) -> tuple[dict[str, Any], Memory]:
    privacy = {"learned": "dp", "epsilon": epsilon, "first_share": 1.0, "shares": {"ranking": 0.1}}
    config = config_of(privacy=privacy)
    with open_door(folder, config, NOW) as door:
        memory = Memory({BEGAN: np.asarray(NOW - 20 * DAY)})
        draft = draft_of(config, found, door=door, memory=memory)
        _release(draft, release_clicks)
        ranking_of(draft, draft.memory)
        part: dict[str, Any] = draft.card["ranking"][PLACEMENT]
        return part, draft.memory


def pleasure(weights: dict[str, float]) -> float:
    """How much is liked what these weights put into a list, in parts of what the true ones would."""
    random = np.random.default_rng(5)
    ordered = np.array([weights[name] for name in SCORERS])
    state = random.bit_generator.state
    mine = liked(lists(3000, random, ordered)).mean()
    random.bit_generator.state = state
    return float(mine / liked(lists(3000, random, TRUE)).mean())


CONFIGURED = dict(zip(SCORERS, BASE.tolist(), strict=True))


def test_the_weights_behind_clicks_are_found_where_places_are_looked_at_less_and_less() -> None:
    part = learned(clicks(3000, np.random.default_rng(1)))
    assert part["why"].startswith("learned")
    assert part["people"] == 3000
    assert part["configured"] == CONFIGURED
    before, after = pleasure(CONFIGURED), pleasure(part["weights"])
    assert before < 0.8
    assert after > 0.97


def test_learning_that_takes_no_account_of_places_is_worse() -> None:
    fair = learned(clicks(3000, np.random.default_rng(2)))
    naive = learned(clicks(3000, np.random.default_rng(2), places_hidden=True))
    believed = naive.get("weights", CONFIGURED)
    assert pleasure(believed) < pleasure(fair["weights"]) - 0.03


def test_under_privacy_the_same_clicks_lead_nearly_there_and_each_release_is_paid(tmp_path: Path) -> None:
    part, memory = learned_privately(tmp_path, clicks(6000, np.random.default_rng(3)))
    assert part["why"].startswith("learned")
    assert pleasure(part["weights"]) > max(pleasure(CONFIGURED) + 0.1, 0.93)
    assert abs(part["people"] - 6000) < 300
    assert part["people"] != 6000
    assert memory.names == [CLICKS]


@pytest.mark.parametrize("people", [0, 1, 40, 199])
def test_of_few_people_nothing_is_learned(people: int) -> None:
    part = learned(clicks(people, np.random.default_rng(4)))
    assert "weights" not in part
    assert part["why"] == f"as configured: fewer than 200 people clicked in its lists ({people})"


@pytest.mark.parametrize("people", [0, 300])
def test_under_privacy_noise_is_no_evidence(people: int, tmp_path: Path) -> None:
    part, _ = learned_privately(tmp_path, clicks(people, np.random.default_rng(4)), epsilon=0.5)
    assert "weights" not in part
    assert "as configured" in part["why"]


def test_clicks_that_follow_the_configured_weights_leave_them_nearly_as_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tests.test_click_model.TRUE", BASE)
    part = learned(clicks(3000, np.random.default_rng(6)))
    for name, weight in part.get("weights", {}).items():
        assert weight == pytest.approx(CONFIGURED[name], abs=0.12)


def test_clicks_by_chance_teach_nothing() -> None:
    random = np.random.default_rng(7)
    found = []
    for person in range(2000):
        said = random.integers(0, 127, (12, 4)).astype(np.int8)
        listed = ShownList(int(random.integers(12)), {name: said[:, n].tobytes() for n, name in enumerate(SCORERS)})
        found.append(Click(person, PLACEMENT, _encode(listed)))
    assert "weights" not in learned(found)


def test_what_the_marketer_weighs_never_changes_and_nothing_leaves_its_range() -> None:
    found = clicks(3000, np.random.default_rng(8))
    told: dict[str, dict[str, Any]] = {
        "placements": {PLACEMENT: {"weights": {"affinity": 0.3}}},
        "ranking": {"range": 1.5},
    }
    part = learned(found, **told)
    for name, weight in part.get("weights", CONFIGURED).items():
        assert CONFIGURED[name] / 1.5 - 1e-4 <= weight <= CONFIGURED[name] * 1.5 + 1e-4
        if name == "affinity":
            assert weight == 0.3
    every = {"placements": {PLACEMENT: {"weights": CONFIGURED}}}
    assert PLACEMENT not in {blend.placement for blend in blends_of(config_of(**every))}


def test_a_person_who_clicks_all_day_says_as_much_as_anybody() -> None:
    random = np.random.default_rng(9)
    busy = [click._replace(person=1) for click in clicks(500, random)]
    assert learned(busy)["people"] == 1
    built = ClicksBuilder(4)
    for click in busy:
        built.add(LoggedEvent(1, 1, 0, "select_item", 127, placement=PLACEMENT, shown=click.shown))
    assert len(built.clicks([1])) == 4
    assert built.clicks([2]) == []


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), lists_seen=st.integers(1, 6), places=st.integers(2, 40), wild=st.booleans())
def test_nobody_moves_the_sums_by_more_than_the_bound(seed: int, lists_seen: int, places: int, wild: bool) -> None:
    random = np.random.default_rng(seed)
    blends = blends_of(config_of())
    rows = {}
    for blend in blends[: int(random.integers(1, len(blends) + 1))]:
        mine = []
        for _ in range(lists_seen):
            low = -127 if wild else 0
            said = random.integers(low, 128, (places, len(blend.scorers))).astype(np.int8)
            said[random.random(said.shape) < 0.5] = 127 if wild else 0
            scores = {name: said[:, n].tobytes() for n, name in enumerate(blend.scorers)}
            mine.append(ShownList(int(random.integers(min(places, MOST_PLACES))), scores))
        rows[blend.placement] = rows_of(mine, blend, blend.point(blend.start))
    assert np.linalg.norm(of_person(rows, blends)) <= LONGEST


def numeric_gradient(of: Callable[[Doubles], float], at: Doubles) -> Doubles:
    step = 1e-5 * np.eye(len(at))
    return np.array([(of(at + each) - of(at - each)) / 2e-5 for each in step])


def test_gradient_and_curvature_are_those_of_the_chance_of_the_click() -> None:
    (click,) = clicks(1, np.random.default_rng(10))
    at = BLEND.point(BLEND.start) + np.random.default_rng(11).normal(0, 0.3, BLEND.width)
    place = np.arange(12)
    fall = np.column_stack([-np.log1p(place) / np.log(16), -place / 15])
    said = np.column_stack([np.frombuffer(click.shown.scores[name], np.int8) / 127 for name in SCORERS])

    def likely(coefficients: Doubles) -> float:
        worth = np.column_stack([said, fall]) @ coefficients
        return float(worth[click.shown.clicked] - np.log(np.exp(worth).sum()))

    (row,) = rows_of([click.shown], BLEND, at)
    assert np.allclose(row[1 : 1 + BLEND.width], numeric_gradient(likely, at), atol=1e-6)


def test_other_weights_in_the_configuration_begin_anew(tmp_path: Path) -> None:
    found = clicks(3000, np.random.default_rng(12))
    _, memory = learned_privately(tmp_path, found)
    told = {"placements": {PLACEMENT: {"weights": {"popular": 0.1}}}}
    draft = draft_of(config_of(privacy={"learned": "dp"}, **told), [], memory=memory)
    ranking_of(draft, memory)
    told = draft.card["ranking"][PLACEMENT]
    assert (told["why"], told["people"]) == (NOTHING_YET, None), "what was released is about other weights"
