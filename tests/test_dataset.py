import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.learning.dataset import Dataset, DatasetBuilder
from store.records import Line, LoggedEvent, Purchase, Purpose

ALL = int(Purpose(127))
WEIGHTS = {"view_item": 0.2, "add_to_cart": 0.6, "purchase": 1.0}
NOW = 1_700_000_000


def builder(*, since: float = 0, most: int = 100, items: int = 10) -> DatasetBuilder:
    return DatasetBuilder(items=items, weights=WEIGHTS, since=since, max_items_per_person=most)


def viewed(
    person: int, *items: int, at: int = NOW, name: str = "view_item", purposes: int = ALL, **more: object
) -> LoggedEvent:
    return LoggedEvent(person, person, at * 1000, name, purposes, tuple(map(Line, items)), **more)  # type: ignore[arg-type]


def of(*events: LoggedEvent, **bounds: int) -> Dataset:
    built = builder(**bounds)
    for event in events:
        built.add_event(event)
    return built.build()


def test_nothing_is_learned_from_an_event_collected_without_the_training_purpose() -> None:
    data = of(viewed(1, 3), viewed(2, 4, purposes=ALL & ~Purpose.TRAINING), viewed(3, 5, purposes=0))
    assert data.item.tolist() == [3]
    assert data.people == 1


def test_events_nobody_vouches_for_teach_nothing() -> None:
    assert len(of(viewed(1, 3, trust=0))) == 0


def test_what_is_too_old_or_no_longer_in_the_catalogue_is_left_out() -> None:
    data = of(viewed(1, 3, at=NOW - 10), viewed(1, 4), viewed(1, 10, 11), since=NOW)
    assert data.item.tolist() == [4]


def test_events_that_say_nothing_about_liking_are_left_out() -> None:
    assert len(of(viewed(1, 3, name="dismiss_item"), viewed(1, 3, name="page_view"))) == 0


def test_purchases_count_only_where_their_owner_opened_the_vault_and_agreed_to_training() -> None:
    bought = [Purchase(3, 1.0, 9.0, NOW)]
    needed = Purpose.TRAINING | Purpose.PURCHASES
    for consent, rows in ((needed, 1), (Purpose.TRAINING, 0), (Purpose.PURCHASES, 0), (ALL & ~Purpose.TRAINING, 0)):
        built = builder()
        built.add_purchases(1, int(consent), bought)
        assert len(built.build()) == rows


def test_what_was_given_back_is_no_purchase() -> None:
    built = builder()
    built.add_purchases(1, ALL, [Purchase(3, 1.0, 9.0, NOW), Purchase(3, -1.0, 9.0, NOW + 5)])
    data = built.build()
    assert (data.item.tolist(), data.bought.tolist()) == ([3], [True])


def test_lines_bought_at_one_moment_are_one_basket_and_know_their_orders_region() -> None:
    built = builder()
    built.add_event(viewed(1, name="purchase", region="FR"))
    built.add_purchases(1, ALL, [Purchase(3, 1, 9, NOW), Purchase(4, 1, 9, NOW), Purchase(4, 1, 9, NOW + 60)])
    built.add_purchases(2, ALL, [Purchase(5, 1, 9, NOW)])
    data = built.build()
    assert data.baskets().toarray()[:, [3, 4, 5]].tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 1]]
    assert [data.regions[code] for code in data.region[data.item == 3]] == ["FR"]
    assert [data.regions[code] for code in data.region[data.item == 5]] == [""]


def test_clicks_of_one_visit_belong_together() -> None:
    first = viewed(1, 3)
    data = of(first, viewed(1, 4, at=NOW + 5), LoggedEvent(1, 99, (NOW + 9) * 1000, "view_item", ALL, (Line(5),)))
    assert data.visit.tolist() == [0, 0, 1]


def test_strength_is_the_sum_of_what_a_person_did_with_an_item_and_fades() -> None:
    data = of(viewed(1, 3), viewed(1, 3, name="add_to_cart"), viewed(2, 3))
    assert np.allclose(data.interactions(NOW, 10).toarray()[:, 3], [0.8, 0.2])
    assert np.allclose(data.interactions(NOW + 10 * 86_400, 10).toarray()[:, 3], [0.4, 0.1])
    assert data.touched().toarray()[:, 3].tolist() == [1, 1]


def test_a_shop_without_purchases_is_learned_from_its_clicks() -> None:
    assert of(viewed(1, 3), viewed(1, 4)).demand.all()
    built = builder()
    built.add_event(viewed(1, 3))
    built.add_purchases(1, ALL, [Purchase(4, 1, 9, NOW)])
    data = built.build()
    assert data.item[data.demand].tolist() == [4]


def test_an_empty_shop_gives_an_empty_dataset() -> None:
    data = of()
    assert (len(data), data.people, data.interactions(NOW, 1).shape, data.baskets().shape) == (0, 0, (0, 10), (0, 10))


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9), st.integers(0, 50)), max_size=60),
    st.integers(1, 6),
)
def test_one_person_never_contributes_more_than_the_newest_few(clicks: list[tuple[int, int, int]], most: int) -> None:
    data = of(*(viewed(person, item, at=NOW + moment) for person, item, moment in clicks), most=most)
    assert data.at.tolist() == sorted(data.at.tolist())
    for person in {person for person, _, _ in clicks}:
        moments = sorted(moment for who, _, moment in clicks if who == person)
        code = list(dict.fromkeys(who for who, _, _ in clicks)).index(person)
        assert sorted((data.at[data.person == code] - NOW).tolist()) == moments[-most:]
