"""What of a profile goes on into a new epoch."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.config import ConfigError, parse_config
from app.features.join import join_profiles, join_visits
from app.features.options import FeatureOptions
from app.features.update import apply_event, faded
from app.features.visitor import visitor_of, write_features
from app.privacy.gatekeeper import Decision, Reason
from app.privacy.pseudonyms import PseudonymOptions, coarse_profile, in_steps, same_visit
from app.serving.recommend import Recommender
from store.catalogue import Catalogue
from store.records import Line, LoggedEvent, PersonRow, ProfileFeatures, Purpose, SessionState
from tests.small_shop import CONSENTED, small_catalogue
from tests.small_shop import NOW as SHOP_NOW
from tests.test_recommend import recommender, shelf

FEATURES = FeatureOptions()
OPTIONS = PseudonymOptions(affinities_kept=8, items_kept=8)
HALF_LIFE = FEATURES.half_life_days * 86_400
NOW = 1_750_000_000
WEIGHTS = st.floats(1e-3, 1e3) | st.floats(-1e3, -1e-3)
PROFILES = st.builds(
    ProfileFeatures,
    updated=st.integers(NOW - 10_000_000, NOW),
    affinities=st.dictionaries(st.text(min_size=1, max_size=8), WEIGHTS, max_size=20),
    items=st.dictionaries(
        st.integers(0, 1000), st.tuples(st.floats(1e-3, 1e3), st.integers(NOW - 10_000_000, NOW)), max_size=20
    ),
    dismissed=st.dictionaries(st.integers(0, 1000), st.integers(NOW - 10_000_000, NOW), max_size=20),
)


def at_now(profile: ProfileFeatures) -> dict[str, float]:
    scale = faded(profile.updated, NOW, HALF_LIFE)
    return {key: weight * scale for key, weight in profile.affinities.items()}


@given(WEIGHTS)
def test_a_weight_moves_by_less_than_a_hundredth_and_takes_few_values(weight: float) -> None:
    stepped = in_steps(weight)
    assert stepped == pytest.approx(weight, rel=1 / 120)
    assert in_steps(stepped) == stepped
    mantissa, _ = math.frexp(stepped)
    assert abs(mantissa) * 128 in range(64, 129)


@given(PROFILES)
def test_only_the_strongest_go_on_in_steps_and_with_days_for_times(profile: ProfileFeatures) -> None:
    before, items = at_now(profile), dict(profile.items)
    coarse_profile(profile, FEATURES, OPTIONS)
    after = at_now(profile)
    assert len(after) == min(len(before), 8)
    assert len(profile.items) == min(len(items), 8)
    for key, weight in after.items():
        assert weight == pytest.approx(before[key], rel=1 / 120)
    weakest = min((abs(before[key]) for key in after), default=0.0)
    assert all(abs(weight) <= weakest * (1 + 1e-9) for key, weight in before.items() if key not in after)
    times = [profile.updated, *(at for _, at in profile.items.values()), *profile.dismissed.values()]
    assert all(at % 86_400 == 0 for at in times)
    order = [items[item][1] for item in profile.items]
    assert order == sorted(order), "which came last is still told by their order"


def test_a_visit_goes_on_under_its_new_hash_and_one_that_is_over_does_not() -> None:
    visit = SessionState(session=7, seen_ms=NOW * 1000, items=[(1, 1.0, NOW)])
    assert same_visit(visit, 8, NOW * 1000 + 29 * 60_000, FEATURES) == SessionState(8, NOW * 1000, [(1, 1.0, NOW)])
    assert same_visit(visit, 8, NOW * 1000 + 31 * 60_000, FEATURES) is None


@given(PROFILES, PROFILES)
def test_two_profiles_joined_weigh_what_both_weighed(one: ProfileFeatures, other: ProfileFeatures) -> None:
    expected = at_now(one)
    for key, weight in at_now(other).items():
        expected[key] = expected.get(key, 0.0) + weight
    updated = one.updated
    join_profiles(one, other, FEATURES)
    assert one.updated == updated
    assert at_now(one) == pytest.approx(expected, rel=1e-6, abs=1e-9)
    assert not one.items.keys() & other.dismissed.keys()
    assert len(one.items) <= FEATURES.profile_items


def test_a_visit_is_joined_by_its_own_beginning_and_not_by_one_of_yesterday() -> None:
    minute = 60_000
    now = SessionState(session=1, seen_ms=NOW * 1000, items=[(2, 1.0, NOW)], affinities={"a": 1.0})
    earlier = SessionState(session=1, seen_ms=NOW * 1000 - 5 * minute, items=[(1, 0.5, NOW - 300), (2, 0.5, NOW - 300)])
    join_visits(now, earlier, FEATURES)
    assert now.items == [(1, 0.5, NOW - 300), (2, 1.5, NOW)]
    join_visits(now, SessionState(session=9, seen_ms=NOW * 1000 - 31 * minute, items=[(5, 1.0, NOW)]), FEATURES)
    assert [item for item, _, _ in now.items] == [1, 2]


def test_the_first_ten_stay_the_same_ten_for_all_but_a_few_visitors() -> None:
    serving, catalogue, visitors = recommender(), small_catalogue(), 100
    same = shared = 0
    for seed in range(visitors):
        profile = browsed(random.Random(seed), catalogue)
        before = first_ten(serving, profile)
        coarse_profile(profile, FEATURES, PseudonymOptions())
        after = first_ten(serving, profile)
        same += before == after
        shared += len(before & after)
    assert same >= 0.95 * visitors
    assert shared >= 0.99 * visitors * 10


def browsed(chance: random.Random, catalogue: Catalogue) -> ProfileFeatures:
    """Somebody who looked around one corner of the shop for two months."""
    profile, centre = ProfileFeatures(), chance.randrange(60)
    for _ in range(chance.randint(3, 60)):
        item = max(0, min(59, int(chance.gauss(centre, 8))))
        at_ms = (int(SHOP_NOW) - chance.randrange(1, 60 * 86_400)) * 1000
        name = chance.choice(["view_item", "view_item", "view_item", "add_to_cart", "select_item"])
        event = LoggedEvent(1, 1, at_ms, name, int(Purpose.PROFILE), (Line(item),))
        apply_event(SessionState(), profile, event, catalogue, FEATURES)
    return profile


def first_ten(serving: Recommender, profile: ProfileFeatures) -> set[int]:
    row = PersonRow(1, int(CONSENTED), profile=write_features(profile))
    visitor = visitor_of(row, Decision(CONSENTED, Reason.RECORD), None, SHOP_NOW, FEATURES)
    return set(shelf(serving, visitor=visitor).items[:10].tolist())


def test_raw_events_may_not_outlive_a_key() -> None:
    with pytest.raises(ConfigError, match=r"retention\.raw_events_days.*30.*pseudonyms\.epoch_days is 20"):
        parse_config({"pseudonyms": {"epoch_days": 20}})
    parse_config({"pseudonyms": {"epoch_days": 30}})
