from dataclasses import fields

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.features.options import EventWeights, FeatureOptions
from app.features.update import apply_event, merge_extra
from app.features.visitor import read_profile, read_session, visitor_of, write_features
from app.ingest.wire import EVENT_NAMES
from app.privacy.gatekeeper import Decision, Reason
from plugins.contract import Visitor
from store.records import Line, LoggedEvent, PersonRow, ProfileFeatures, Purchase, Purpose, SessionState

DAY = 86_400
NOW = 1_790_000_000
ALL = Purpose(127)
OPTIONS = FeatureOptions()
SMALL = FeatureOptions(
    session_items=5, session_affinities=6, profile_items=8, profile_affinities=7, dismissed_items=3, extra_features=2
)


class Shelf:
    def affinity_keys(self, number: int) -> tuple[str, ...]:
        return (f"category:c{number % 5}", f"brand:b{number % 7}", f"band:{number % 10}")


def event(
    name: str, *items: int, at: float = NOW, purposes: Purpose = ALL, session: int = 1, value: float = 0
) -> LoggedEvent:
    lines = tuple(Line(item) for item in items)
    return LoggedEvent(1, session, int(at * 1000), name, int(purposes), lines, value=value)


def after(*events: LoggedEvent, options: FeatureOptions = OPTIONS) -> tuple[SessionState, ProfileFeatures]:
    session, profile = SessionState(), ProfileFeatures()
    for each in events:
        apply_event(session, profile, each, Shelf(), options)
    return session, profile


def seen_by(
    session: SessionState,
    profile: ProfileFeatures,
    *,
    now: float = NOW,
    purposes: Purpose = ALL,
    purchases: list[Purchase] | None = None,
) -> Visitor:
    row = PersonRow(1, 127, "1", NOW - 5, 0, write_features(session), write_features(profile))
    return visitor_of(row, Decision(purposes, Reason.BOTH), purchases, now, OPTIONS)


def test_viewing_an_item_says_its_category_brand_and_price_are_liked() -> None:
    visitor = seen_by(*after(event("view_item", 12)))
    assert visitor.viewed.tolist() == visitor.history.tolist() == [12]
    assert set(visitor.affinities) == {"category:c2", "brand:b5", "band:2"}
    assert visitor.affinities["band:2"] > 0


def test_every_event_name_has_a_weight_or_concerns_no_item() -> None:
    without = {"consent_update", "recommendation_served"}
    assert set(msgspec.structs.asdict(EventWeights())) == EVENT_NAMES - without


def test_features_fade_by_half_in_a_half_life_and_are_never_negative_in_age() -> None:
    session, profile = after(event("add_to_cart", 3))
    one = seen_by(session, profile, purposes=Purpose.PROFILE)
    other = seen_by(session, profile, purposes=Purpose.PROFILE, now=NOW + OPTIONS.half_life_days * DAY)
    assert other.weights[0] == pytest.approx(one.weights[0] / 2)
    assert other.affinities["band:3"] == pytest.approx(one.affinities["band:3"] / 2)
    assert other.seen_at.tolist() == [OPTIONS.half_life_days * DAY]
    assert seen_by(session, profile, now=NOW - 60).seen_at.tolist() == [0]


@given(
    st.lists(
        st.tuples(st.sampled_from(["view_item", "add_to_cart"]), st.integers(0, 5), st.integers(0, 90)), max_size=20
    )
)
def test_the_order_in_which_events_arrive_does_not_change_the_profile(told: list[tuple[str, int, int]]) -> None:
    events = [event(name, item, at=NOW + days * DAY) for name, item, days in told]
    late = NOW + 100 * DAY
    ways = (events, sorted(events, key=lambda each: each.at_ms), events[::-1])
    found = [seen_by(*after(*way), purposes=Purpose.PROFILE, now=late) for way in ways]
    for other in found[1:]:
        assert other.affinities == pytest.approx(found[0].affinities, rel=1e-6, abs=1e-3)


def test_a_visit_ends_after_half_an_hour_and_the_next_starts_empty() -> None:
    first, second = event("view_item", 1), event("view_item", 2, at=NOW + 29 * 60)
    session, profile = after(first, second)
    assert seen_by(session, profile, now=NOW + 50 * 60).viewed.tolist() == [1, 2]
    assert seen_by(session, profile, now=NOW + 60 * 60).viewed.tolist() == []
    apply_event(session, profile, event("view_item", 3, at=NOW + 60 * 60), Shelf(), OPTIONS)
    assert [item for item, _, _ in session.items] == [3]


def test_a_new_visit_id_starts_anew_and_stragglers_of_the_old_one_are_left_out() -> None:
    session, _ = after(event("view_item", 1), event("view_item", 2, at=NOW + 10, session=2))
    assert [item for item, _, _ in session.items] == [2]
    apply_event(session, ProfileFeatures(), event("view_item", 3, at=NOW + 5, session=1), Shelf(), OPTIONS)
    assert [item for item, _, _ in session.items] == [2]
    assert session.session == 2


def test_an_item_seen_again_moves_to_the_end_of_the_visit() -> None:
    session, _ = after(*(event("view_item", item) for item in (1, 2, 1)))
    assert [item for item, _, _ in session.items] == [2, 1]
    assert session.items[1][1] == pytest.approx(2 * OPTIONS.weights.view_item)


def test_a_dismissed_item_stays_away_and_its_kind_is_liked_less() -> None:
    before = (event("view_item", 1), event("add_to_cart", 1), event("view_item", 6))
    session, profile = after(*before, event("dismiss_item", 1))
    visitor = seen_by(session, profile)
    assert visitor.dismissed.tolist() == [1]
    assert 1 not in visitor.history.tolist()
    assert visitor.affinities["category:c1"] < seen_by(*after(*before)).affinities["category:c1"]
    assert seen_by(session, profile, now=NOW + (OPTIONS.dismissed_days + 1) * DAY).dismissed.tolist() == []


def test_time_spent_counts_in_proportion_up_to_its_bound() -> None:
    short, full, long = (
        after(event("user_engagement", 1, value=ms))[1].items[1][0] for ms in (15_000.0, 30_000.0, 3_000_000.0)
    )
    assert [short, long] == pytest.approx([full / 2, full])


def test_purchases_and_refunds_never_become_stored_features() -> None:
    session, profile = after(event("purchase", 1, 2), event("refund", 1))
    assert (session, profile) == (SessionState(), ProfileFeatures())


def test_purchases_from_the_vault_count_for_the_request_and_refunds_take_them_back() -> None:
    bought = [
        Purchase(1, 1, 5.0, NOW - DAY),
        Purchase(1, 2, 5.0, NOW),
        Purchase(2, 1, 5.0, NOW),
        Purchase(2, -1, 5.0, NOW),
    ]
    visitor = seen_by(SessionState(), ProfileFeatures(), purchases=bought, now=NOW + 60)
    assert visitor.bought.tolist() == visitor.history.tolist() == [1]
    assert visitor.bought_times.tolist() == [2]
    assert visitor.bought_ago.tolist() == [60]
    refused = seen_by(SessionState(), ProfileFeatures(), purchases=bought, purposes=ALL & ~Purpose.PURCHASES)
    assert len(refused.bought) == len(refused.history) == 0


@pytest.mark.parametrize("purposes", [Purpose(number) for number in range(8)])
def test_the_ranking_is_told_exactly_what_the_decision_allows(purposes: Purpose) -> None:
    session, profile = SessionState(1, NOW * 1000, [(1, 1.0, NOW)]), ProfileFeatures(NOW, {}, {2: (1.0, NOW)})
    visitor = seen_by(session, profile, purposes=purposes, purchases=[Purchase(3, 1, None, NOW)])
    expected = [1] * bool(purposes & Purpose.SESSION) + [2] * bool(purposes & Purpose.PROFILE)
    expected += [3] * bool(purposes & Purpose.PURCHASES)
    assert sorted(visitor.history.tolist()) == expected
    assert visitor.purposes == purposes


def test_an_event_changes_only_what_its_purposes_allow() -> None:
    for purposes in (Purpose.NONE, Purpose.SESSION, Purpose.PROFILE):
        session, profile = after(event("view_item", 1, purposes=purposes), event("dismiss_item", 2, purposes=purposes))
        assert bool(session.items or session.affinities or session.dismissed) == bool(purposes & Purpose.SESSION)
        assert bool(profile.items or profile.affinities or profile.dismissed) == bool(purposes & Purpose.PROFILE)


def test_a_search_teaches_what_it_meant() -> None:
    searched = msgspec.structs.replace(event("search"), affinities={"category:shoes": 0.75, "brand:Alder": 0.25})
    found = seen_by(*after(searched)).affinities
    assert found["category:shoes"] == pytest.approx(3 * found["brand:Alder"])


names = st.sampled_from(sorted(EVENT_NAMES))
histories = st.lists(
    st.builds(
        lambda name, items, at, session: event(name, *items, at=NOW + at, session=session, value=5e3),
        names,
        st.lists(st.integers(0, 40), max_size=6),
        st.integers(-100 * DAY, 100 * DAY) | st.integers(0, 600),
        st.integers(0, 3),
    ),
    max_size=40,
)


@given(histories)
def test_whatever_happens_every_collection_keeps_its_bound_and_every_number_is_finite(
    events: list[LoggedEvent],
) -> None:
    session, profile = SessionState(), ProfileFeatures()
    for each in events:
        apply_event(session, profile, each, Shelf(), SMALL)
        assert [len(session.items) <= 5, len(session.affinities) <= 6, len(session.dismissed) <= 3] == [True] * 3
        assert [len(profile.items) <= 8, len(profile.affinities) <= 7, len(profile.dismissed) <= 3] == [True] * 3
    visitor = seen_by(session, profile, now=NOW + 100 * DAY)
    assert np.isfinite(visitor.weights).all()
    assert (visitor.weights >= 0).all()
    assert all(np.isfinite(weight) for weight in visitor.affinities.values())
    assert len(set(visitor.history.tolist())) == len(visitor.history) == len(visitor.weights) == len(visitor.seen_at)


@given(histories)
def test_features_come_back_from_the_database_as_they_went_in(events: list[LoggedEvent]) -> None:
    session, profile = after(*events)
    assert read_session(write_features(session)) == session
    assert read_profile(write_features(profile)) == profile


def test_a_blob_that_cannot_be_read_is_nothing_known() -> None:
    assert read_session(b"\xc1garbage") == SessionState()
    row = PersonRow(1, 127, "1", NOW, 0, b"garbage", b"\x93")
    assert len(visitor_of(row, Decision(ALL, Reason.BOTH), None, NOW, OPTIONS).history) == 0


def test_the_newest_items_survive_a_profile_full_of_heavier_ones() -> None:
    heavy = [event("add_to_cart", item, at=NOW + item) for item in range(8) for _ in range(5)]
    _, profile = after(
        *heavy, event("view_item", 99, at=NOW + 100), event("view_item", 98, at=NOW + 101), options=SMALL
    )
    assert 98 in profile.items
    assert len(profile.items) <= 8


def test_plugins_may_keep_only_so_many_features() -> None:
    profile = ProfileFeatures()
    merge_extra(profile, {"a.x": 1.0, "a.y": 2.0, "a.z": 3.0}, SMALL)
    merge_extra(profile, {"a.x": 5.0}, SMALL)
    assert profile.extra == {"a.x": 5.0, "a.y": 2.0}


def test_a_visitor_without_consent_is_an_empty_one() -> None:
    visitor = seen_by(*after(event("view_item", 1)), purposes=Purpose.NONE)
    held = [getattr(visitor, each.name) for each in fields(visitor)]
    assert sum(part if isinstance(part, int) else len(part) for part in held) == 0
